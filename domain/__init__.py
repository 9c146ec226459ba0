"""Types that all subjects share: job changes, states, outcomes, notification hours and limits. Pure."""

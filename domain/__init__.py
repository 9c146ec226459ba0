"""Types that all subjects share: job changes, states, outcomes, notification hours, limits. Imports nothing above."""

"""What every subject speaks of: job changes, states, outcomes, notification hours, limits. Pure; imports no room."""

"""Running the app for years: doctor, heartbeat, housekeeping, health and erasure."""

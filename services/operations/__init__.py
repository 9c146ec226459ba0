"""Running the app for years: doctor, notices, housekeeping, health."""

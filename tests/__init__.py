"""The tests, mirroring the rooms they test."""

"""Choosing the recipient of a job change from its candidates. Pure."""

"""Processes that are killed, and the account that must come out even."""

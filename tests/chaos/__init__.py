"""Processes that are killed, and the report that must come out even."""

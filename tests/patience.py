"""How long a test waits for what has to come: a busy machine is not a fault of what is tested."""

UNHURRIED = 30.0
"""Seconds; Slack itself waits three for an answer."""

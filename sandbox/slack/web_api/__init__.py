"""Slack's Web API: reading calls, checking tokens and limits, and the methods."""

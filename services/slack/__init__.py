"""Calling Slack: its Web API, its error codes, installing, members and channels."""

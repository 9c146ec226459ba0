"""Rows of Slack: workspaces, installations, members and events."""

"""Workspaces, installations, members and events of Slack."""

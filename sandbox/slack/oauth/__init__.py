"""Slack's consent page, and installing and removing the app."""

"""Slack's OAuth: the consent page, and installing and uninstalling the app."""

"""Requests that Slack sends to the app: signed HTTP requests, events and Socket Mode envelopes."""

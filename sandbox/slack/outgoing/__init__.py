"""What Slack sends the app: signed requests, events and Socket Mode envelopes."""

"""What Slack sends, and installing the app: OAuth, events, Socket Mode."""

"""Everything that comes in from Slack, over HTTP and from the terminal."""

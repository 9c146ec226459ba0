"""Everything that Slack, HTTP and the terminal can send us."""

"""What Slack accepts as blocks and views, and what a person can enter into them. Pure."""

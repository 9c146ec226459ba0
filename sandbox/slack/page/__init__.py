"""The page that shows the Slack sandbox in a browser."""

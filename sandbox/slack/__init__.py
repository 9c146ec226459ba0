"""A local stand-in for Slack: the Web API, the OAuth page, people who use the app, and the requests Slack sends it."""

from sandbox.slack.sandbox import SlackSandbox

__all__ = ["SlackSandbox"]

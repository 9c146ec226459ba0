"""A Slack workspace on this machine: its Web API, its OAuth pages, its people and what Slack would send the app."""

from sandbox.slack.sandbox import SlackSandbox

__all__ = ["SlackSandbox"]

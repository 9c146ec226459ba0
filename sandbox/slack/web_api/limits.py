"""Slack's rate limits, measured by the sandbox's clock."""

import math
from dataclasses import dataclass, field

# Calls a minute, for one method in one workspace: https://docs.slack.dev/apis/web-api/rate-limits
# Of the "special" tiers only that of chat.postMessage is published; auth.test allows "hundreds" a minute.
TIERS = {1: 1, 2: 20, 3: 50, 4: 100, "special": 600}


@dataclass
class Limits:
    """Counts calls and returns how long to wait. `enabled` False switches the limits off.

    `post_burst` is how many messages a channel accepts at once before the limit of one a second applies.
    `posts_a_minute` is the limit of a workspace, "several hundred messages per minute".
    """

    enabled: bool = True
    post_burst: int = 3
    posts_a_minute: int = 300
    _windows: dict[tuple[str, str], tuple[float, int]] = field(default_factory=dict, repr=False)
    _channels: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)
    _paused: dict[tuple[str, str], float] = field(default_factory=dict, repr=False)

    def seconds_to_wait(self, method: str, workspace: str, tier: int | str, now: float) -> int:
        """Whole seconds to wait before this call is allowed; 0 means that it is allowed, and counts it."""
        if not self.enabled:
            return 0
        key = (method, workspace)
        if now < self._paused.get(key, 0):
            return math.ceil(self._paused[key] - now)
        allowed = self.posts_a_minute if method == "chat.postMessage" else TIERS[tier]
        started, calls = self._windows.get(key, (now, 0))
        if now - started >= 60:
            started, calls = now, 0
        if calls >= allowed:
            return self._pause(key, started + 60, now)
        self._windows[key] = (started, calls + 1)
        return 0

    def seconds_to_wait_for_channel(self, workspace: str, channel: str, now: float) -> int:
        """Return how long a message to a channel has to wait: a channel may get one a second.

        https://docs.slack.dev/reference/methods/chat.postMessage
        """
        if not self.enabled:
            return 0
        due = max(self._channels.get((workspace, channel), 0), now)
        if due - now > self.post_burst - 1:
            # "Retry-After" is for the method in the workspace, not for the channel.
            return self._pause(("chat.postMessage", workspace), due - self.post_burst + 1, now)
        self._channels[workspace, channel] = due + 1
        return 0

    def _pause(self, key: tuple[str, str], until: float, now: float) -> int:
        seconds = max(1, math.ceil(until - now))
        self._paused[key] = now + seconds
        return seconds

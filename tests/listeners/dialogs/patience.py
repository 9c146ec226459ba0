"""How long dialogs wait in tests, so that no test depends on how fast this machine is."""

from __future__ import annotations

from listeners.dialogs.dialog import Patience
from tests.servers import GENEROUS_TIMEOUT

AMPLE = Patience(after_press=GENEROUS_TIMEOUT, after_submission=GENEROUS_TIMEOUT)
"""No loading view is shown, however busy the machine is."""

SHORT, SLOW_SECONDS = Patience(after_press=0.05, after_submission=0.05), 0.3
"""A loading view is shown if a vendor takes SLOW_SECONDS to answer."""

"""The marks of tests that drive a real Chromium; the fixture `browser` in conftest.py starts one for all of them."""

from __future__ import annotations

from os import environ
from pathlib import Path

import pytest

CHROMIUM = Path("/usr/bin/chromium")

BROWSER_TEST = [
    pytest.mark.browser,
    pytest.mark.skipif(not CHROMIUM.exists() and not environ.get("CI"), reason="Chromium is not installed"),
    pytest.mark.asyncio(loop_scope="session"),  # a Playwright object works only in the event loop that made it
]

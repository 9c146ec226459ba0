"""The first thing anybody runs: the demo, as a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from listeners.cli.running.demo_view import Row, table

ROOT = Path(__file__).parents[2]
PERMALINK = "http://127.0.0.1:54321/archives/D0000000013/p1795364003861824"


@pytest.mark.process
def test_the_demo_ends_with_status_0_when_all_was_told_as_expected():
    """Each sample stands in the table with who was told, why, and where to read it; nothing is left over."""
    demo = [sys.executable, "app.py", "demo", "--once"]
    ran = subprocess.run(demo, cwd=ROOT, env={"COLUMNS": "80"}, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.isascii() or "\x1b" not in ran.stdout
    assert max(map(len, ran.stdout.splitlines())) <= 80
    assert ran.stdout.count("✓") == 13
    assert len(set(re.findall(r"http://127\.0\.0\.1:\d+/archives/[CD]\d+/p\d{16}", ran.stdout))) == 12
    for words in (
        "DM to Dana Reyes",
        "DM to Kim Lee",
        "DM to Sue Park",
        "#job-changes",
        "Inbound leads, is a",
        "All as expected.",
    ):
        assert words in ran.stdout


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_is_none_is_one_sentence(port):
    """Like everything else that cannot be done."""
    demo = [sys.executable, "app.py", "demo", "--once", f"--port={port}"]
    ran = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines() == [ran.stderr.strip()]


@pytest.mark.parametrize("width", [70, 80, 200])
def test_a_permalink_is_whole_at_any_width(width):
    """It is there to be clicked, or copied."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(
            table([Row("Ada Smith joined Globex", "You own Ada.", "DM to Dana", PERMALINK, is_expected=True)])
        )

    assert PERMALINK in captured.get()


def test_what_was_not_told_as_expected_stands_out():
    """A demo that went wrong says so."""
    console = Console(width=80)
    with console.capture() as captured:
        console.print(table([Row("Ada Smith joined Globex", "It was not told.", "nobody", None, is_expected=False)]))

    assert "✗" in captured.get()
    assert "1 of them not as expected." in captured.get()

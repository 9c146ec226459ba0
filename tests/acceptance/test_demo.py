"""The demo, run as a separate process."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from listeners.cli.running.demo_view import Row, results_table

ROOT = Path(__file__).parents[2]
PERMALINK = "http://127.0.0.1:54321/archives/D0000000013/p1795364003861824"


@pytest.mark.process
def test_the_demo_exits_with_status_0_when_every_delivery_is_as_expected():
    """The table lists every sample with its recipient, the reason and a permalink, within 80 columns."""
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
        "Contact owner",
        "Duplicate, not sent again",
        "All went as expected.",
    ):
        assert words in ran.stdout


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_an_invalid_port_is_refused_in_one_line(port):
    """The demo exits with status 1 and prints no traceback."""
    demo = [sys.executable, "app.py", "demo", "--once", f"--port={port}"]
    ran = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.splitlines() == [ran.stderr.strip()]


@pytest.mark.parametrize("width", [70, 80, 200])
def test_a_permalink_is_never_broken(width):
    """Terminals can open it, and people can copy it, at any width."""
    console = Console(width=width)
    with console.capture() as captured:
        console.print(
            results_table([Row("Ada Smith joined Globex", "Contact owner", "DM to Dana", PERMALINK, is_expected=True)])
        )

    assert PERMALINK in captured.get()


def test_an_unexpected_outcome_is_marked_and_counted():
    """The row gets a cross, and the last line says how many rows have one."""
    console = Console(width=80)
    with console.capture() as captured:
        console.print(results_table([Row("Ada Smith joined Globex", "Not delivered", None, None, is_expected=False)]))

    assert "✗" in captured.get()
    assert "1 of 1 did not go as expected." in captured.get()

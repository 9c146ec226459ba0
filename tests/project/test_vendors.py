"""docs/vendors.md: every fact names its source and a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FACTS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs/vendors.md").read_text().splitlines()
    if line.startswith("| ") and not line.startswith(("| Fact", "| ---"))
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact[0][:60])
def test_each_fact_has_a_source_and_tests_that_exist(fact):
    """The last cell lists tests as `path::name`; a listed test is defined in that file."""
    _, source, listed = fact
    tests = [name.partition("::") for name in re.findall(r"`([^`]+)`", listed)]
    assert source
    assert tests
    for path, _, name in tests:
        defined = re.findall(r"(?m)^(?:async )?def (test_\w+)", (ROOT / path).read_text())
        assert name in defined, f"{path} does not define {name}"

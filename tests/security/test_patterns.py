"""Regular expressions that are applied to text of strangers."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator
from inspect import getsource
from time import thread_time
from types import ModuleType

import pytest

import domain
import listeners
import services
import store

LENGTH = 5_000
MOST_SECONDS = 0.02
"""A pattern whose cost grows with the square of the text takes at least 0.1 s for this length."""

PREFIXES = ("", ":", "<mailto:", "a@", "https://a", "sep=", "{", "U")
UNITS = (
    "a",
    "A",
    "0",
    "@",
    "a@",
    "a.",
    "a@a.",
    "-",
    "_",
    "'",
    " ",
    ",",
    ":",
    ":a",
    ".",
    "/",
    "<mailto:a|",
    "www.",
    "=",
    "a ",
)
UNITS += ("xoxb-", "W1", "\ue000", "<@", "a in ", "/\n")
SEARCHES = ("search", "findall", "finditer", "sub", "split")
WHOLE = ("match", "fullmatch")


def modules() -> Iterator[ModuleType]:
    for package in (domain, services, store, listeners):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in found.name:
                yield importlib.import_module(found.name)


def uses() -> Iterator[tuple[str, Callable[[str], object]]]:
    """Each pattern with each of its methods that its module calls."""
    for module in modules():
        source = getsource(module)
        for name, pattern in vars(module).items():
            if isinstance(pattern, re.Pattern):
                for method in (*SEARCHES, *WHOLE):
                    if f"{name}.{method}" in source:
                        yield f"{module.__name__}.{name}.{method}", caller(pattern, method)


def caller(pattern: re.Pattern[str], method: str) -> Callable[[str], object]:
    if method == "sub":
        return lambda text: pattern.sub("", text)
    return lambda text: (
        list(getattr(pattern, method)(text) or ()) if method == "finditer" else getattr(pattern, method)(text)
    )


def seconds(call: Callable[[str], object], text: str) -> float:
    began = thread_time()
    call(text)
    return thread_time() - began


@pytest.mark.parametrize(("call"), [pytest.param(call, id=name) for name, call in uses()])
def test_the_cost_of_a_pattern_grows_with_the_length_of_the_text(call):
    """Nobody can stop the event loop with a long text."""
    texts = (
        f"{prefix}{unit * (LENGTH // len(unit))}{end}" for prefix in PREFIXES for unit in UNITS for end in ("", "\n!")
    )

    slow = [text[:20] for text in texts if min(seconds(call, text) for _ in range(2)) > MOST_SECONDS]

    assert slow == []

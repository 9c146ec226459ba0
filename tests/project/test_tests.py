"""The tests themselves: each states its rule and asserts something."""

from __future__ import annotations

import ast

from tests.project.test_house import ROOT, parsed


def test_no_test_is_without_an_assertion():
    """Assertions in the tests' helpers count."""
    defined = [
        (path, node)
        for path in sorted((ROOT / "tests").rglob("*.py"))
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    helpers: set[str] = set()
    for _ in range(3):  # helpers that call helpers
        helpers |= {node.name for _, node in defined if not node.name.startswith("test_") and asserts(node, helpers)}

    wrong = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path, node in defined
        if node.name.startswith("test_") and not asserts(node, helpers)
    ]

    assert wrong == []


def asserts(function: ast.AST, helpers: set[str]) -> bool:
    return any(
        isinstance(part, ast.Assert)
        or (isinstance(part, ast.Attribute) and part.attr in {"raises", "fail", *helpers})
        or (isinstance(part, ast.Name) and (part.id in helpers or part.id == "expect"))
        for part in ast.walk(function)
    )


def test_every_test_states_its_rule():
    """In its docstring."""
    wrong = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert wrong == []

"""Nothing is decided by reading a sentence."""

from __future__ import annotations

import ast
import re

from tests.project.test_house import ROOT, SOURCES, parsed

SENTENCE = re.compile(r"[A-Za-z]{2,} [a-z]{2,}|^(?:[A-Z][a-z]+|has|is|was) $")
"""Two words, or the start of a sentence."""

READERS = {
    "domain/decision/record.py",  # it reads the sentences of version 1
    "services/intake/salesforce/query.py",  # the operator "is set"
    "services/salesforce/tokens.py",  # Salesforce gives no code for "rate exceeded"
}


def test_nothing_is_decided_by_reading_a_sentence():
    """Codes decide. A text of several words is compared with nothing, searched for nowhere and never cut off."""
    methods = {"startswith", "endswith", "removeprefix", "removesuffix", "find", "index", "contains"}
    deciding = []
    for path in SOURCES:
        name = str(path.relative_to(ROOT))
        for node in ast.walk(parsed(path)) if name not in READERS and not name.startswith("sandbox") else ():
            texts: list[ast.AST] = []
            if isinstance(node, ast.Compare) and not isinstance(node.ops[0], ast.Is | ast.IsNot):
                texts = [node.left, *node.comparators]
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in methods:
                texts = list(node.args)
            literals = [text.value for text in texts if isinstance(text, ast.Constant) and isinstance(text.value, str)]
            deciding += [f"{name}: {text}" for text in literals if SENTENCE.search(text)]

    assert deciding == []

"""Ownership rules and simulations at the terminal."""

from __future__ import annotations

import json

import pytest

from store.delivery.posts import settle
from store.delivery.settlements import Sent
from store.ownership import rule_sets
from tests.listeners.cli.test_table import Operator
from tests.store.sample_rows import add_routed, add_workspace, claim

RULES = {
    "rules": [
        {
            "name": "Champions",
            "when": {"relationship": ["Champion"]},
            "tell": [{"source": "sender"}],
            "deliver": {"to": "channel", "channel": "C0SALES"},
        }
    ]
}
INVALID = {"rules": [{"name": "x", "tell": [{"source": "pool", "pool": "P"}]}], "pools": {"P": {"members": []}}, "y": 1}
CHANGES = [
    {
        "signal": "contact_tracking",
        "change_type": "new_company",
        "person": {"full_name": "Ada Smith", "emails": ["ada@initech.example"]},
        "current": {"company": {"name": "Globex"}},
        "relationship": relationship,
    }
    for relationship in ("Champion", "User")
]

IN_2100 = 4_102_444_800_000
"""Within the last 30 days by any clock."""


@pytest.fixture
def operator(database_url, capsys):
    operator = Operator(database_url, capsys)
    operator.do(add_workspace)
    yield operator
    operator.database.engine.dispose()


@pytest.fixture
def file(tmp_path):
    def written(content):
        path = tmp_path / "file.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(path)

    return written


def test_buttons_on_cards_are_imported_and_exported_as_json(operator, file):
    """In the form in which they are exported; faults are reported with their place."""
    buttons = [
        {"label": "CRM", "url": "https://crm.example/{contact_id}"},
        {"kind": "workflow", "label": "Run", "url": "https://slack.com/shortcuts/Ft01/2", "inputs": {"a": "{email}"}},
    ]
    operator.types("card-buttons", "import", file(buttons), "--workspace", "T1")
    assert (operator.status, operator.err) == (0, "Saved.\n")
    assert json.loads(operator.types("card-buttons", "export", "--workspace", "T1")) == buttons

    operator.types("card-buttons", "import", file([{"label": "CRM", "url": "http://x"}, {}]), "--workspace", "T1")
    assert operator.status == 1
    assert operator.err == (
        "buttons.0.url: The URL must start with https://\n"
        "buttons.1.label: Field required\nbuttons.1.url: Field required\n"
    )
    for wrong, problem in (("{", "is not a JSON file"), (buttons * 2, "at most 2 items")):
        operator.types("card-buttons", "import", file(wrong), "--workspace", "T1")
        assert (operator.status, problem in operator.err) == (1, True)
    assert json.loads(operator.types("card-buttons", "export", "--workspace", "T1")) == buttons


def test_rules_are_imported_and_exported_as_json(operator, file, tmp_path):
    """An export contains the rules that were imported, published by the operator."""
    operator.types("ownership", "import", file(RULES), "--workspace", "T1")
    assert (operator.status, operator.err) == (0, "Published as version 1.\n")
    exported = json.loads(operator.types("ownership", "export", "--workspace", "T1"))
    assert exported["rules"][0]["name"] == "Champions"

    operator.types("ownership", "export", str(tmp_path / "out.json"), "--workspace", "T1")
    operator.types("ownership", "import", str(tmp_path / "out.json"), "--workspace", "T1")
    assert operator.do(rule_sets.version_in_force, "T1") == 2


def test_the_scorecard_shows_what_became_of_the_messages_of_each_rule(operator, file):
    """As a table and as JSON, with the rules that are ignored."""
    operator.types("ownership", "import", file(RULES), "--workspace", "T1")
    operator.do(send_champions, 10)

    table = operator.types("ownership", "scorecard", "--workspace", "T1")
    figures = json.loads(operator.types("ownership", "scorecard", "--workspace", "T1", "--json"))

    assert operator.status == 0
    assert [line.split() for line in table.splitlines()[1:3]] == [
        ["1.", "Champions", "30", "10", "0", "(0%)", "0", "0", "-"],
        ["90", "10", "0", "(0%)", "0", "0", "-"],
    ]
    assert "Acted on less than half: “Champions”. Try a narrower condition." in table
    assert [rule["key"] for rule in figures["rules"]] == ["Champions", ""]
    assert figures["rules"][0]["acted_on_less_than_half"]
    assert figures["rules"][0]["last_30_days"] == {
        "sent": 10,
        "acted_on": 0,
        "not_mine": 0,
        "wrong_data": 0,
        "median_ms": None,
    }


def send_champions(connection, most):
    add_routed(connection, *["U1"] * most, rule="Champions", now=IN_2100)
    settle(connection, [Sent(each, IN_2100, "D1", "1.1") for each in claim(connection, IN_2100)])


def test_invalid_rules_are_refused_with_all_errors(operator, file):
    """The current rules stay in force."""
    operator.types("ownership", "import", file(RULES), "--workspace", "T1")
    operator.types("ownership", "import", file(INVALID), "--workspace", "T1")
    assert operator.status == 1
    assert operator.out.splitlines() == ["pools.P.members: needs at least one member", "y: is not a known key"]
    assert "Fix 2 errors first." in operator.err
    assert operator.do(rule_sets.version_in_force, "T1") == 1

    operator.types("ownership", "import", file("{"), "--workspace", "T1")
    assert operator.status == 1
    assert operator.out.startswith("the rules are not valid JSON (line 1, column 2: ")


def test_check_reports_problems_and_changes_nothing(operator, file):
    """It also finds unreachable rules, in a file or in the current rules."""
    twice = {"rules": [*RULES["rules"], RULES["rules"][0] | {"name": "Again"}]}
    operator.types("ownership", "check", file(twice), "--workspace", "T1")
    assert operator.status == 0
    assert "warning rules.1: “Again” is unreachable" in operator.out
    assert operator.do(rule_sets.version_in_force, "T1") == 0
    operator.types("ownership", "check", "--workspace", "T1")
    assert (operator.status, operator.out, operator.err) == (0, "", "0 rules, no problems found.\n")
    operator.types("ownership", "check", file(INVALID), "--workspace", "T1")
    assert operator.status == 1


def test_simulate_shows_who_would_be_notified_and_why(operator, file, tmp_path):
    """It uses the current rules or other ones, and notifies nobody."""
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps(RULES))
    out = operator.types("simulate", file(CHANGES), "--workspace", "T1", "--rules", str(rules))
    assert operator.status == 0
    assert "  Notifies C0SALES (because of a rule): " in out
    assert "  Rule “Champions”: When a champion changes jobs, " in out
    assert "  Notifies the default channel (because no DRI was found): No DRI found" in out
    assert "    the source: did not name a DRI" in out
    assert "No one was notified." in operator.err

    results = json.loads(operator.types("simulate", file(CHANGES), "--workspace", "T1", "--json"))
    assert [result["notifies"][0]["destination"] for result in results] == ["default_channel", "default_channel"]


def test_unreadable_rows_are_reported(operator, file):
    """The other rows are still simulated."""
    out = operator.types("simulate", file([CHANGES[0], {"signal": "x"}]), "--workspace", "T1")
    assert operator.status == 1
    assert "Ada Smith joined Globex" in out
    assert "Row 2:" in operator.err


@pytest.mark.parametrize(
    ("argv", "status", "error"),
    [
        (["ownership", "export", "--workspace", "T9"], 1, "The app is not installed in workspace T9."),
        (["ownership", "import", "--workspace", "T1"], 2, "Specify the FILE to import."),
        (["ownership", "import", "nowhere.json", "--workspace", "T1"], 1, "nowhere.json cannot be used"),
        (["simulate", "nowhere.json", "--workspace", "T1"], 1, "nowhere.json cannot be used"),
    ],
)
def test_errors_are_reported_in_one_line(operator, argv, status, error):
    """There is no traceback."""
    operator.types(*argv)
    assert (operator.status, operator.out) == (status, "")
    assert error in operator.err

"""Ownership rules at the terminal: export, import and check them, and simulate job changes."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

from domain.audit import OPERATOR
from domain.day_counts import counted
from domain.decision.sentences import for_reader
from domain.errors import PermanentError, TransientError
from listeners.cli.explain import candidate_line, destination_name
from listeners.cli.running.preparing import run_with_app
from listeners.cli.terminal import App, RefusedError, Terminal, add_workspace_argument
from listeners.intake.api_view import Decision
from services.messages.labels import ROLES, SCORE_STATES, advice
from services.messages.wording import headline, time_span
from services.ownership.rulebook import parse
from services.ownership.rules.issues import InvalidRulesError, RuleIssue
from services.ownership.rules.rule_set import CATCH_ALL, RuleSet
from services.ownership.rules.scorecard import Scorecard
from services.ownership.simulation_report import SimulatedJobChange
from services.slack.mrkdwn import escape
from store.slack import workspaces


def add_rules_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("export", "import", "check", "scorecard"), help="what to do with the rules")
    parser.add_argument(
        "file",
        metavar="FILE",
        type=Path,
        nargs="?",
        help="a JSON file; `check` without a file checks the current rules",
    )
    add_workspace_argument(parser)
    parser.add_argument("--json", action="store_true", help="the scorecard as JSON, times in milliseconds")


def add_simulation_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="a JSON, JSON Lines or CSV file of job changes")
    add_workspace_argument(parser)
    parser.add_argument("--rules", metavar="FILE", type=Path, help="the rules to simulate (default: the current rules)")
    parser.add_argument("--source", metavar="NAME", help="the source of the rows, as in `import`")
    parser.add_argument("--json", action="store_true", help="as JSON, with the full trace of each job change")


def ownership(options: Namespace, terminal: Terminal) -> int:
    if options.action == "import" and options.file is None:
        raise RefusedError("Specify the FILE to import.", status=2)
    action = {"export": _export, "import": _import, "check": _check, "scorecard": _scorecard}[options.action]
    return _run(options, terminal, action)


def simulate(options: Namespace, terminal: Terminal) -> int:
    return _run(options, terminal, _simulate)


def _run(
    options: Namespace, terminal: Terminal, action: Callable[[Namespace, Terminal, App], Coroutine[Any, Any, int]]
) -> int:
    with terminal.database() as database:
        if database.run_sync(workspaces.find, options.workspace) is None:
            raise RefusedError(f"The app is not installed in workspace {options.workspace}.")
    try:
        return run_with_app(terminal, partial(action, options, terminal))
    except (PermanentError, TransientError) as error:
        raise RefusedError(f"{error}.") from None
    except OSError as error:
        raise RefusedError(f"{error.filename or options.file} cannot be used: {error.strerror}.") from None


async def _export(options: Namespace, terminal: Terminal, app: App) -> int:
    rules = await app.rulebook.export_json(options.workspace)
    if options.file is None:
        terminal.write(rules)
    else:
        options.file.write_text(f"{rules}\n", encoding="utf-8")
        terminal.note(f"Written to {options.file}.")
    return 0


async def _import(options: Namespace, terminal: Terminal, app: App) -> int:
    result = await app.rulebook.import_json(options.workspace, OPERATOR, _text(options.file))
    _print_issues(result.issues, terminal)
    terminal.note(result.text)
    return 0 if result.stored else 1


async def _check(options: Namespace, terminal: Terminal, app: App) -> int:
    rules = _rules(options.file, terminal) if options.file else (await app.rulebook.read(options.workspace)).rules
    if rules is None:
        return 1
    issues = await app.rulebook.check(options.workspace, rules)
    _print_issues(issues, terminal)
    if not issues:
        terminal.note(f"{counted(len(rules.rules), 'rule')}, no problems found.")
    return 1 if any(not issue.is_warning for issue in issues) else 0


async def _scorecard(options: Namespace, terminal: Terminal, app: App) -> int:
    scorecard = await app.rulebook.scorecard(options.workspace)
    if options.json:
        terminal.write(json.dumps(scorecard.as_dict(), indent=2))
    else:
        terminal.write("\n".join(_scorecard_lines(scorecard)))
    return 0


async def _simulate(options: Namespace, terminal: Terminal, app: App) -> int:
    rules = _rules(options.rules, terminal) if options.rules else None
    if options.rules and rules is None:
        return 1
    changes, errors = await app.simulation.read(options.workspace, options.file, options.source)
    simulated = await app.simulation.simulate(options.workspace, changes, rules)
    if options.json:
        terminal.write(json.dumps([_as_json(result) for result in simulated], indent=2))
    else:
        lines = [line for result in simulated for line in _lines(result)]
        for line in await app.simulation.with_display_names(options.workspace, lines):
            terminal.write(line)
    for error in errors:
        terminal.note(f"Row {error}")
    terminal.note("This was a simulation. No one was notified.")
    return 1 if errors else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError(f"{path} is not a UTF-8 text file.") from None


def _rules(path: Path, terminal: Terminal) -> RuleSet | None:
    rules = parse(_text(path))
    if isinstance(rules, InvalidRulesError):
        _print_issues(rules.issues, terminal)
        return None
    return rules


def _print_issues(issues: Sequence[RuleIssue], terminal: Terminal) -> None:
    for issue in issues:
        terminal.write(f"{'warning ' if issue.is_warning else ''}{issue}")


def _lines(simulated: SimulatedJobChange) -> list[str]:
    lines = [unescape(headline(simulated.change, escape))]
    if simulated.waits:
        return [*lines, "  Result unknown: Slack is not responding"]
    for delivery in simulated.deliveries:
        label = ROLES[delivery.role]
        lines.append(f"  Notifies {destination_name(delivery.destination)} ({label}): {for_reader(delivery.reasons)}")
    if not simulated.deliveries:
        lines.append(f"  No one is notified: {for_reader(simulated.reasons)}")
    if simulated.decision:
        lines += [
            f"  No rule matched: “{CATCH_ALL.name}” applies"
            if side.rule == CATCH_ALL.name
            else f"  Rule “{side.rule}”: {side.sentence}"
            for side in simulated.decision.sides
        ]
        lines += [f"    {candidate_line(candidate)}" for candidate in simulated.decision.considered]
    return lines


_WIDEST = 44
_COLUMNS = "{:<44} {:>4} {:>7} {:>13} {:>9} {:>11}  {}"


def _scorecard_lines(scorecard: Scorecard) -> Iterator[str]:
    """A table with a line for each rule and window."""
    yield _COLUMNS.format("Rule", "Days", "Sent", "Acted on", "Not mine", "Wrong data", "Median time to act")
    for score in scorecard.scores:
        number = f"{score.number}. " if score.number else ""
        state = SCORE_STATES[score.state]
        name = f"{number}{score.name}"[: _WIDEST - len(state)] + state
        for days, figures in score.figures.items():
            acted_on = f"{figures.acted_on:,} ({figures.acted_on / figures.sent:.0%})" if figures.sent else "0"
            median = "-" if figures.median_ms is None else time_span(figures.median_ms)
            counts = (f"{count:,}" for count in (figures.not_mine, figures.wrong_data))
            yield _COLUMNS.format(name, days, f"{figures.sent:,}", acted_on, *counts, median)
            name = ""
    if ignored := scorecard.ignored:
        yield ""
        yield from (f"Acted on less than half: “{score.name}”. {advice(score)}" for score in ignored)


def _as_json(simulated: SimulatedJobChange) -> dict[str, object]:
    return {
        "person": simulated.change.person.name,
        "waits": simulated.waits,
        "notifies": [
            {
                "destination": delivery.destination,
                "role": delivery.role,
                "side": delivery.side,
                "reason": for_reader(delivery.reasons),
            }
            for delivery in simulated.deliveries
        ],
        "reason": for_reader(simulated.reasons) or None,
        "trace": Decision.of(simulated.decision).model_dump() if simulated.decision else None,
    }

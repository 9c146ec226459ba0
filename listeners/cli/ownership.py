"""Ownership rules at the terminal: as JSON, checked, and tried on job changes."""

from __future__ import annotations

import asyncio
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Sequence
from html import unescape
from pathlib import Path

from domain.audit import OPERATOR
from domain.errors import PermanentError, TransientError
from domain.states import DEFAULT_CHANNEL
from listeners.cli.running.preparing import cipher_of
from listeners.cli.terminal import App, RefusedError, Terminal
from services.messages.wording import headline
from services.ownership.rulebook import parse
from services.ownership.rules.faults import InvalidRulesError, RuleFault
from services.ownership.rules.rule_set import RuleSet
from services.ownership.rules.words import outcome
from services.ownership.simulated import SimulatedJobChange
from services.slack.mrkdwn import escape
from store.slack import workspaces


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("export", "import", "check"), help="what to do with the rules")
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="JSON; check without one: those in force")
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")


def simulating(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", type=Path, help="job changes: JSON, JSON Lines or CSV")
    parser.add_argument("--workspace", required=True, metavar="ID", help="the workspace, such as T0123456789")
    parser.add_argument("--rules", metavar="FILE", type=Path, help="rules to try (default: those in force)")
    parser.add_argument("--source", metavar="NAME", help="who made the rows, as in import")
    parser.add_argument("--json", action="store_true", help="as JSON, with the whole trace of each")


def ownership(asked: Namespace, terminal: Terminal) -> int:
    if asked.action == "import" and asked.file is None:
        raise RefusedError("Name the FILE to import.", status=2)
    work = {"export": _export, "import": _import, "check": _check}[asked.action]
    return _run(asked, terminal, work)


def simulate(asked: Namespace, terminal: Terminal) -> int:
    return _run(asked, terminal, _simulate)


def _run(asked: Namespace, terminal: Terminal, work: Callable[[Namespace, Terminal, App], Awaitable[int]]) -> int:
    with terminal.database() as database:
        if database.run_sync(workspaces.find, asked.workspace) is None:
            raise RefusedError(f"No workspace {asked.workspace} has installed the app.")

    async def working() -> int:
        settings = terminal.settings()
        async with terminal.build(settings, cipher_of(settings)) as app:
            return await work(asked, terminal, app)

    try:
        return asyncio.run(working())
    except (PermanentError, TransientError) as error:
        raise RefusedError(f"{error}.") from None
    except OSError as error:
        raise RefusedError(f"{error.filename or asked.file} cannot be used: {error.strerror}.") from None


async def _export(asked: Namespace, terminal: Terminal, app: App) -> int:
    rules = await app.rulebook.hand_out(asked.workspace)
    if asked.file is None:
        terminal.write(rules)
    else:
        asked.file.write_text(f"{rules}\n", encoding="utf-8")
        terminal.note(f"Written to {asked.file}.")
    return 0


async def _import(asked: Namespace, terminal: Terminal, app: App) -> int:
    kept = await app.rulebook.bring_in(asked.workspace, OPERATOR, _text(asked.file))
    _tell(kept.faults, terminal)
    terminal.note(kept.text)
    return 0 if kept.stored else 1


async def _check(asked: Namespace, terminal: Terminal, app: App) -> int:
    rules = _rules(asked.file, terminal) if asked.file else (await app.rulebook.read(asked.workspace)).rules
    if rules is None:
        return 1
    faults = await app.rulebook.check(asked.workspace, rules)
    _tell(faults, terminal)
    if not faults:
        terminal.note(f"{len(rules.rules)} rules, nothing wrong.")
    return 1 if any(not fault.is_warning for fault in faults) else 0


async def _simulate(asked: Namespace, terminal: Terminal, app: App) -> int:
    rules = _rules(asked.rules, terminal) if asked.rules else None
    if asked.rules and rules is None:
        return 1
    changes, refused = await app.simulation.read(asked.workspace, asked.file, asked.source)
    simulated = await app.simulation.simulate(asked.workspace, changes, rules)
    if asked.json:
        terminal.write(json.dumps([_as_json(each) for each in simulated], indent=2))
    else:
        for line in await app.simulation.named(asked.workspace, [line for each in simulated for line in _lines(each)]):
            terminal.write(line)
    for fault in refused:
        terminal.note(f"cannot be read, row {fault}")
    terminal.note("Nobody was told.")
    return 1 if refused else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise RefusedError(f"{path} is not text in UTF-8.") from None


def _rules(path: Path, terminal: Terminal) -> RuleSet | None:
    rules = parse(_text(path))
    if isinstance(rules, InvalidRulesError):
        _tell(rules.faults, terminal)
        return None
    return rules


def _tell(faults: Sequence[RuleFault], terminal: Terminal) -> None:
    for fault in faults:
        terminal.write(f"{'warning ' if fault.is_warning else ''}{fault}")


def _lines(simulated: SimulatedJobChange) -> list[str]:
    lines = [unescape(headline(simulated.change, escape))]
    if simulated.waits:
        return [*lines, "  cannot be said now: Slack does not answer"]
    for delivery in simulated.deliveries:
        where = "the default channel" if delivery.destination == DEFAULT_CHANNEL else delivery.destination
        lines.append(f"  tells {where} ({delivery.role}): {delivery.reason}")
    if not simulated.deliveries:
        lines.append(f"  tells nobody: {simulated.reason}")
    trace = simulated.trace or {}
    lines += [f"  by {side['rule']}: {side['sentence']}" for side in trace.get("sides", ())]
    for each in trace.get("considered", ()):
        who = " ".join(filter(None, [each["name"], f"<{each['email']}>" if each["email"] else ""]))
        lines.append(f"    {each['source']}{f', {who}' if who else ''}: {outcome(each)}")
    return lines


def _as_json(simulated: SimulatedJobChange) -> dict[str, object]:
    return {
        "person": simulated.change.person.name,
        "waits": simulated.waits,
        "tells": [
            {"destination": each.destination, "role": each.role, "side": each.side, "reason": each.reason}
            for each in simulated.deliveries
        ],
        "reason": simulated.reason,
        "trace": simulated.trace,
    }

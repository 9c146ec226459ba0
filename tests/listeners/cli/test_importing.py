"""Importing a file at the terminal."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import signal
import subprocess
import sys
import time
from argparse import Namespace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import func, select

from app import build
from domain.job_change.model import JobChange
from listeners.cli import importing
from listeners.cli.importing import ProgressLines
from listeners.cli.terminal import Terminal
from services.intake.files.importer import FileImporter, ImportRun
from services.intake.files.reading import AT_ONCE, LARGE_BYTES
from services.intake.intake import Intake
from store.database import Database
from store.intake import mappings
from store.intake.imports import Progress
from store.schema import imports, job_changes
from store.slack import workspaces
from tests.conftest import SOMEDAY
from tests.listeners.cli.test_table import Operator
from tests.services.messages.sample_job_changes import job_change
from tests.store.sample_rows import add_workspace

ROOT = Path(__file__).parents[3]
HEADER = ["Event ID", "Full Name", "Work Email", "New Company", "New Title", "Phone"]


@pytest.fixture
def operator(database_url, capsys):
    operator = Operator(database_url, capsys)
    operator.do(add_workspace)
    yield operator
    operator.database.engine.dispose()


def rows(count: int, first: int = 0):
    return [
        [f"evt-{n}", f"Sample {n}", f"sample-{n}@globex.example", "Globex", "CRO", "+1 555 0100"]
        for n in range(first, first + count)
    ]


def written(path: Path, cells) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *cells])
    return path


def counts(out: str) -> list[int]:
    """The counts in the output: accepted, duplicate, refused."""
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == ["Accepted", "Duplicate", "Refused"]
    return [int(line[1].replace(",", "")) for line in lines]


def stored(operator: Operator) -> list[str]:
    """The source event ids of all accepted job changes."""
    return operator.do(
        lambda connection: [
            JobChange.from_stored(payload).source_event_id
            for payload in connection.execute(select(job_changes.c.payload).order_by(job_changes.c.id)).scalars()
        ]
    )


def how_many(operator: Operator) -> int:
    return operator.do(
        lambda connection: connection.execute(select(func.count()).select_from(job_changes)).scalar_one()
    )


def test_rows_are_accepted_in_order(operator, tmp_path):
    """The column mapping is printed to stderr; stdout contains the counts only."""
    path = written(tmp_path / "people.csv", rows(1_200))

    out = operator.types("import", str(path), "--workspace", "T1", "--source", "clay")

    assert (operator.status, counts(out)) == (0, [1_200, 0, 0])
    assert stored(operator) == [f"evt-{n}" for n in range(1_200)]
    assert "people.csv: CSV, utf-8, separated by commas" in operator.err
    assert "Work Email   person.emails" in operator.err
    assert "Phone        kept under custom" in operator.err
    assert list(tmp_path.glob("*.refused.csv")) == []


def test_importing_a_file_again_notifies_nobody_twice(operator, tmp_path):
    """All of its rows are duplicates."""
    path = written(tmp_path / "people.csv", rows(30))
    operator.types("import", str(path), "--workspace", "T1")

    out = operator.types("import", str(path), "--workspace", "T1")

    assert (operator.status, counts(out)) == (0, [0, 30, 0])
    assert operator.do(lambda connection: connection.execute(select(func.count()).select_from(imports)).scalar()) == 0


def test_refused_rows_are_written_to_a_file_with_their_reasons(operator, tmp_path):
    """They can be corrected there and imported again. The reasons name the columns of the file."""
    wrong = [
        ["evt-7", "", "no address", "Globex", "CRO", ""],
        ["evt-8", "Bob", "bob@globex.example", "", "", "", "more"],
    ]
    path = written(tmp_path / "people.csv", [*rows(3), *wrong])

    out = operator.types("import", str(path), "--workspace", "T1")

    assert (operator.status, counts(out)) == (1, [3, 0, 2])
    refused = tmp_path / "people.csv.refused.csv"
    assert str(refused) in operator.err
    with refused.open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["refused_line"], first["Event ID"], first["Work Email"]) == ("5", "evt-7", "no address")
    assert "; Work Email is not an email address" in first["refused_because"]
    assert "Full Name is required" in first["refused_because"]
    assert "has 7 cells, but the header has 6" in second["refused_because"]


def test_corrected_rows_can_be_imported(operator, tmp_path):
    """The columns with the reasons are ignored."""
    path = written(tmp_path / "people.csv", [["evt-7", "Ada", "no address", "Globex", "CRO", "+1 555 0100"]])
    operator.types("import", str(path), "--workspace", "T1", "--source", "clay")
    refused = tmp_path / "people.csv.refused.csv"
    refused.write_text(refused.read_text(encoding="utf-8-sig").replace("no address", "ada@globex.example"))

    out = operator.types("import", str(refused), "--workspace", "T1", "--source", "clay")

    assert (operator.status, counts(out)) == (0, [1, 0, 0])
    payload = operator.do(lambda connection: connection.execute(select(job_changes.c.payload)).scalar_one())
    assert JobChange.from_stored(payload).custom == {"Phone": "+1 555 0100"}


@pytest.mark.parametrize("cell", ["=1+1", "+1 555", "-2", "@SUM(A1)", "\t=1"])
def test_a_refused_cell_cannot_run_in_a_spreadsheet(operator, tmp_path, cell):
    """https://owasp.org/www-community/attacks/CSV_Injection"""
    path = written(tmp_path / "people.csv", [["evt-1", cell, "no address", "Globex", "", ""]])

    operator.types("import", str(path), "--workspace", "T1")

    with (tmp_path / "people.csv.refused.csv").open(encoding="utf-8-sig", newline="") as file:
        assert next(csv.DictReader(file))["Full Name"] == f"'{cell}"


@pytest.mark.both_databases
def test_a_dry_run_prints_the_same_counts_and_stores_nothing(operator, tmp_path):
    """It also counts duplicates of stored rows and of earlier rows."""
    file = written(tmp_path / "known.csv", rows(5))
    operator.types("import", str(file), "--workspace", "T1")
    path = written(tmp_path / "people.csv", [*rows(20), *rows(5, first=15), ["", "", "", "", "", "x"]])

    rehearsed = operator.types("import", str(path), "--workspace", "T1", "--dry-run")

    assert (operator.status, counts(rehearsed)) == (1, [15, 10, 1])
    assert "Nothing was imported" in operator.err
    assert re.search(r"(?m)^  Line 27: .*New Company is required", operator.err)
    assert len(stored(operator)) == 5
    assert not (tmp_path / "people.csv.refused.csv").exists()
    assert operator.types("import", str(path), "--workspace", "T1") == rehearsed


@pytest.mark.parametrize("write", [json.dumps, lambda items: "\n".join(map(json.dumps, items))], ids=["array", "lines"])
def test_json_is_imported_in_the_documented_format(operator, tmp_path, write):
    """The format is that of the HTTP API. Errors name the path, and the row is kept unchanged."""
    good = job_change().to_stored()
    path = tmp_path / "people.json"
    path.write_text(write([json.loads(good), {"person": {"full_name": "Bob"}}, "nonsense"]))

    out = operator.types("import", str(path), "--workspace", "T1")

    assert (operator.status, counts(out)) == (1, [1, 0, 2])
    with (tmp_path / "people.json.refused.csv").open(encoding="utf-8-sig", newline="") as file:
        first, second = csv.DictReader(file)
    assert json.loads(first["row"]) == {"person": {"full_name": "Bob"}}
    assert "change_type is required" in first["refused_because"]
    assert second["refused_because"] == "the job change must be an object"


def test_a_truncated_file_is_imported_up_to_its_end(operator, tmp_path):
    """The status is 1."""
    path = tmp_path / "people.json"
    path.write_text(f"[{job_change().to_stored()}, {{")

    out = operator.types("import", str(path), "--workspace", "T1")

    assert (operator.status, counts(out)) == (1, [1, 0, 1])


def test_the_field_mapping_of_a_source_applies_to_its_rows(operator, tmp_path):
    """It is the same mapping that applies to requests of this sender."""
    definition = {"map": {"Wer": "person.full_name", "Firma": "current.company.name", "Post": "person.emails"}}
    operator.do(mappings.save, "T1", "kartei", definition, "U1", SOMEDAY)
    path = tmp_path / "leute.csv"
    path.write_bytes("Wer;Firma;Post\r\nZoë Müller;Globex;zoe@globex.example\r\n".encode("cp1252"))

    out = operator.types("import", str(path), "--workspace", "T1", "--source", "kartei")

    assert (operator.status, counts(out)) == (0, [1, 0, 0])
    payload = operator.do(lambda connection: connection.execute(select(job_changes.c.payload)).scalar_one())
    assert JobChange.from_stored(payload).person.name == "Zoë Müller"


def test_an_unusable_file_or_workspace_is_reported_before_importing(operator, tmp_path):
    """
    Examples are a missing file, an unknown workspace, one that removed the app, unknown columns and an empty file.
    """
    path, odd, empty = written(tmp_path / "people.csv", rows(1)), tmp_path / "odd.csv", tmp_path / "empty.csv"
    odd.write_text("a,b\n1,2\n")
    empty.write_text("")
    operator.do(add_workspace, "T2")
    operator.do(workspaces.mark_gone, "T2", SOMEDAY)

    for argv, error in {
        (str(tmp_path / "none.csv"), "--workspace", "T1"): "There is no file",
        (str(path), "--workspace", "T9"): "The app is not installed in workspace T9",
        (str(path), "--workspace", "T2"): "The app is not installed in workspace T2",
        (str(odd), "--workspace", "T1"): "odd.csv has no column that the import knows (a, b)",
        (str(empty), "--workspace", "T1"): "is empty",
    }.items():
        out = operator.types("import", *argv)
        assert operator.status > 0
        assert out == ""
        assert error in operator.err


def test_a_missing_required_column_is_reported_before_importing(operator, tmp_path):
    """All rows will be refused because of it."""
    path = tmp_path / "people.csv"
    path.write_text("name,email\nAda,ada@globex.example\n")

    operator.types("import", str(path), "--workspace", "T1", "--dry-run")

    assert "No column contains a company" in operator.err


def test_a_dry_run_leaves_an_interrupted_import_as_it_is(operator, tmp_path):
    """Its progress and refused rows are needed to continue it. A dry run prints only some of many refused rows."""
    path = written(tmp_path / "people.csv", [["", "Nobody", "", "", "", ""]] * (AT_ONCE + 1))
    asyncio.run(stopped_early(operator, path))
    before = refused_size(path)

    operator.types("import", str(path), "--workspace", "T1", "--dry-run")

    assert refused_size(path) == before > 0
    assert len(re.findall(r"(?m)^  Line ", operator.err)) == 20
    assert "  and more; without --dry-run" in operator.err
    assert counts(operator.types("import", str(path), "--workspace", "T1")) == [0, 0, AT_ONCE + 1]
    assert "Continuing after" in operator.err


def test_an_interrupted_import_continues_where_it_stopped(operator, tmp_path):
    """The counts and the refused rows are those of the whole file."""
    wrong = ["", "Nobody", "", "", "", ""]
    path = written(tmp_path / "people.csv", [wrong, *rows(2 * AT_ONCE), wrong])
    assert asyncio.run(stopped_early(operator, path)) == Progress(AT_ONCE, AT_ONCE - 1, 0, 1, refused_size(path))

    out = operator.types("import", str(path), "--workspace", "T1")

    assert f"Continuing after {AT_ONCE:,} rows" in operator.err
    assert counts(out) == [2 * AT_ONCE, 0, 2]
    assert stored(operator) == [f"evt-{n}" for n in range(2 * AT_ONCE)]
    with (tmp_path / "people.csv.refused.csv").open(encoding="utf-8-sig", newline="") as file:
        assert [row["refused_line"] for row in csv.DictReader(file)] == ["2", str(2 * AT_ONCE + 3)]


async def stopped_early(operator: Operator, path: Path) -> Progress:
    """Import until Ctrl-C is pressed during the first batch."""
    database = Database(operator.environ["DATABASE_URL"])
    importing = FileImporter(Intake(database, lambda: SOMEDAY, lambda: None), database, lambda: SOMEDAY)
    run = ImportRun()
    run.stop.set()
    assert not await importing.run(await importing.plan(path, "T1", None), run)
    await database.close()
    return run.progress


def refused_size(path: Path) -> int:
    return path.with_name(f"{path.name}.refused.csv").stat().st_size


def test_without_its_refused_rows_an_import_starts_over(operator, tmp_path):
    """Otherwise some refused rows would be missing. Rows that were accepted before are duplicates."""
    path = written(tmp_path / "people.csv", [["", "Nobody", "", "", "", ""], *rows(AT_ONCE)])
    asyncio.run(stopped_early(operator, path))
    (tmp_path / "people.csv.refused.csv").unlink()

    out = operator.types("import", str(path), "--workspace", "T1")

    assert counts(out) == [1, AT_ONCE - 1, 1]


def test_a_different_file_with_the_same_name_starts_at_the_beginning(operator, tmp_path):
    """A file is recognized by its content."""
    path = written(tmp_path / "people.csv", rows(2 * AT_ONCE))
    asyncio.run(stopped_early(operator, path))
    written(path, rows(AT_ONCE, first=5_000))

    out = operator.types("import", str(path), "--workspace", "T1")

    assert counts(out) == [AT_ONCE, 0, 0]


@pytest.mark.process
@pytest.mark.both_databases
def test_neither_a_crash_nor_ctrl_c_loses_or_repeats_a_row(operator, tmp_path):
    """The import of a file that another process reads is killed, interrupted, and then runs to the end."""
    path = written(tmp_path / "people.csv", [[*row[:-1], "+1 555 0100 " * 20] for row in rows(16 * AT_ONCE)])
    assert path.stat().st_size > LARGE_BYTES
    command = [sys.executable, "app.py", "import", str(path), "--workspace", "T1"]
    environ = {"PATH": os.environ["PATH"], **operator.environ}

    for how, status in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        before = how_many(operator)
        process = subprocess.Popen(
            command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        deadline = time.monotonic() + 60
        while how_many(operator) <= before and process.poll() is None and time.monotonic() < deadline:
            pass
        process.send_signal(how)
        errors = process.communicate(timeout=60)[1]
        assert process.returncode == status, errors
        assert "Traceback" not in errors

    out = operator.types("import", str(path), "--workspace", "T1")

    assert "Continuing after" in operator.err
    assert counts(out) == [16 * AT_ONCE, 0, 0]
    assert sorted(stored(operator)) == sorted(f"evt-{n}" for n in range(16 * AT_ONCE))


def test_an_invalid_first_row_is_reported_before_importing(operator, tmp_path):
    """The other rows often have the same problem. They are imported nevertheless."""
    path = tmp_path / "people.jsonl"
    path.write_text(f'{{"person": \n{job_change().to_stored()}\n')

    out = operator.types("import", str(path), "--workspace", "T1")

    assert "The first row will be refused: the job change is not valid JSON" in operator.err
    assert counts(out) == [1, 0, 1]


def test_flat_json_objects_are_read_like_csv_columns(operator, tmp_path):
    """Tools export them like this. The mapping of their names is printed too."""
    path = tmp_path / "people.json"
    path.write_text(json.dumps([{"name": "Ada Smith", "email": "ada@globex.example", "company": "Globex"}]))

    out = operator.types("import", str(path), "--workspace", "T1")

    assert counts(out) == [1, 0, 0]
    assert "company  current.company.name" in operator.err


def test_at_a_terminal_a_bar_shows_rows_rate_and_time_left(operator, tmp_path):
    """Piped output contains the counts only, without colors."""
    path = written(tmp_path / "people.csv", rows(AT_ONCE))
    seen, piped = StringIO(), StringIO()
    bar = Console(file=seen, force_terminal=True, width=120)

    options = Namespace(file=path, workspace="T1", source=None, dry_run=False)
    status = importing.import_file(options, Terminal(operator.environ, build, Console(file=piped), bar))

    assert status == 0
    assert re.search(rf"100%.*{AT_ONCE:,} rows, [\d,]+ a second, .*\d:\d\d:\d\d", seen.getvalue())
    assert piped.getvalue() == f"Accepted   {AT_ONCE:,}\nDuplicate  0\nRefused    0\n"


def test_without_a_terminal_progress_is_printed_every_ten_seconds(clock):
    """The log of a long import shows that it goes on, and how fast."""
    log, run = StringIO(), ImportRun()
    lines = ProgressLines(Terminal({}, build, Console(file=StringIO()), Console(file=log)), 4_000_000, clock)
    for second in range(26):
        run.progress, run.bytes_read = Progress(read=1_500 * second), 100_000 * second
        lines.update(run)
        clock.advance(seconds=1)

    assert log.getvalue().splitlines() == [
        "15,000 rows, 25% of the file, 1,500 rows a second",
        "30,000 rows, 50% of the file, 1,500 rows a second",
    ]

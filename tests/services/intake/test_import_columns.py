"""How columns of a file are interpreted."""

from __future__ import annotations

from dataclasses import replace

import psutil
import pytest

from domain.errors import PermanentError
from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.files.columns import RowReader, missing
from services.intake.files.formats import detect_format
from services.intake.files.reading import AT_ONCE, LARGE_BYTES, FileReader, reading
from services.intake.mapping.row_mapping import RowMapping

NOW = 1_795_000_000_000
ROW = {"Full Name": "Ada Smith", "Work Email": "ada@globex.example", "New Company": "Globex", "Segment": "Enterprise"}


def test_columns_are_recognized_by_their_names():
    """Case and punctuation make no difference, and unknown columns are kept under custom."""
    names = ("Full Name", "work_email", "NEW COMPANY", "Job Title", "Linkedin URL", "Segment", "Source")

    fields = RowReader(None, {}, names).interpret_columns(names)

    assert list(fields.values()) == [
        "person.full_name",
        "person.emails",
        "current.company.name",
        "current.title",
        "person.linkedin_url",
        None,
        "source",
    ]


def test_missing_required_columns_are_listed():
    """Every row would be refused."""
    assert missing(["person.emails", "current.title"]) == ["a name", "a company"]
    assert missing(["person.last_name", "salesforce.contact_id", "previous.company.domain"]) == []


def test_a_csv_row_becomes_a_job_change():
    """Unknown columns go to custom."""
    change = JobChange.parse(*RowReader("clay", {}, tuple(ROW)).read(ROW))

    assert (change.source, change.person.name, change.person.emails) == ("clay", "Ada Smith", ["ada@globex.example"])
    assert change.custom == {"Segment": "Enterprise"}


@pytest.mark.parametrize(
    ("given", "cell", "source"),
    [("clay", "usergems", "clay"), (None, "usergems", "usergems"), (None, " ", "import"), (None, None, "import")],
)
def test_the_source_is_given_by_the_operator_or_by_the_row(given, cell, source):
    """It is part of the identity of a job change."""
    row = ROW if cell is None else ROW | {"SOURCE": cell}

    assert RowReader(given, {}, tuple(row)).read(row)[0]["source"] == source


def test_a_field_mapping_is_used_for_its_source():
    """It replaces the common column names."""
    own = RowMapping.parse({"map": {"Who": "person.full_name", "Where": "current.company.name", "At": "person.emails"}})
    row = {"Who": "Ada Smith", "Where": "Globex", "At": "ada@globex.example"}

    assert JobChange.parse(*RowReader("sheet", {"sheet": own}, tuple(row)).read(row)).person.name == "Ada Smith"
    assert JobChange.parse(*RowReader("sheet", {"sheet": own}).read(row)).person.name == "Ada Smith"


def test_json_in_our_own_format_is_unchanged():
    """Flat rows of JSON are read like columns."""
    ours = {"source": "usergems", "person": {"full_name": "Ada Smith"}}

    assert RowReader(None).read(ours) == (ours,)
    assert RowReader(None).read(ROW)[0]["person"]["full_name"] == "Ada Smith"


@pytest.mark.parametrize("value", [None, 7, "text", ["list"]])
def test_a_row_must_be_an_object(value):
    """JSON Lines may contain any value."""
    with pytest.raises(InvalidJobChangeError, match="must be an object"):
        RowReader(None).read(value)


def test_a_large_file_is_read_in_a_process_of_its_own_with_the_same_results(tmp_path):
    """Rows that are refused have the same reasons."""
    path = tmp_path / "people.csv"
    rows = [f"Sample {number},sample-{number}@acme.example,Globex" for number in range(AT_ONCE)]
    wrong = ["Bob,nowhere,Globex", f"Eve,eve@acme.example,{'x' * 70_000}", "Ada,ada@acme.example,Globex,more"]
    path.write_text("\n".join(["Full Name,Email,New Company", *wrong, *rows]))
    file = detect_format(path)
    small = FileReader(file, RowReader("clay", {}, file.header), "T1", 64 * 1024)
    large = replace(small, file=replace(file, size=LARGE_BYTES))

    def read(reader: FileReader, skipped: int):
        with reading(reader, skipped, lambda: NOW) as batches:
            return [
                (
                    batch.count,
                    batch.bytes_read,
                    batch.refused,
                    [replace(row, accepted_at=NOW) for row in batch.job_changes],
                )
                for batch in batches
            ]

    assert read(large, 0) == read(small, 0)
    assert read(large, 2) == read(small, 2)
    assert [row.line for row, _ in read(small, 0)[0][2]] == [2, 3, 4]


def test_an_import_fails_when_the_process_that_reads_its_rows_is_killed(tmp_path):
    """Otherwise the rest of the file would seem to be imported."""
    path = tmp_path / "people.csv"
    rows = [f"Sample {number},sample-{number}@acme.example,Globex" for number in range(3 * AT_ONCE)]
    path.write_text("\n".join(["Full Name,Email,New Company", *rows]))
    file = replace(detect_format(path), size=LARGE_BYTES)
    reader = FileReader(file, RowReader("clay", {}, file.header), "T1", 64 * 1024)

    with reading(reader, 0, lambda: NOW) as batches:
        next(batches)
        for child in psutil.Process().children():
            if "services.intake.files.reading" in child.cmdline():
                child.kill()

        with pytest.raises(PermanentError, match="The process that reads the rows has ended"):
            list(batches)

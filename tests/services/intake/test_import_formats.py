"""Detecting file formats, and reading rows from files of all kinds."""

from __future__ import annotations

import codecs
import json

import pytest

from services.intake.files.formats import CSV, JSON, JSON_LINES, UnreadableFileError, detect_format
from services.intake.files.rows import LONGEST_ROW, open_rows


@pytest.fixture
def file(tmp_path):
    """Return a function that writes a file and returns its detected format and its rows."""

    def write(content: str | bytes, encoding: str = "utf-8"):
        path = tmp_path / "rows"
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        rows_file = detect_format(path)
        with open_rows(rows_file) as (rows, _):
            return rows_file, list(rows)

    return write


@pytest.mark.parametrize(
    ("encoding", "before", "detected"),
    [
        ("utf-8", b"", "utf-8"),
        ("utf-8", codecs.BOM_UTF8, "utf-8-sig"),
        ("utf-16-le", codecs.BOM_UTF16_LE, "utf-16"),
        ("utf-16-be", codecs.BOM_UTF16_BE, "utf-16"),
        ("utf-16-le", b"", "utf-16-le"),
        ("utf-16-be", b"", "utf-16-be"),
        ("latin-1", b"", "cp1252"),
        ("cp1252", b"", "cp1252"),
    ],
)
def test_the_encoding_is_detected(file, encoding, before, detected):
    """It follows from the byte order mark, from zero bytes, or from bytes that are not UTF-8."""
    rows_file, [row] = file(before + "name,company\nZoë Müller,Globex\n".encode(encoding))

    assert rows_file.encoding == detected
    assert row.content == {"name": "Zoë Müller", "company": "Globex"}


def test_the_encoding_is_detected_from_the_whole_file(file):
    """A million rows may be ASCII up to the first name with an accent."""
    rows_file, rows = file(b"name\n" + b"Ada Smith\n" * 100_000 + "Zoë\n".encode("latin-1"))

    assert (rows_file.encoding, rows[-1].content) == ("cp1252", {"name": "Zoë"})


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_detected(file, separator):
    """Cells may contain another separator."""
    other = "," if separator != "," else ";"
    text = f"full name{separator}title{separator}company\nAda{separator}CRO{other} EMEA{separator}Globex\n"

    rows_file, [row] = file(text)

    assert rows_file.separator == separator
    assert row.content == {"full name": "Ada", "title": f"CRO{other} EMEA", "company": "Globex"}


def test_a_first_line_may_name_the_separator(file):
    """Excel reads a first line such as `sep=;`, and other tools write rows_file."""
    rows_file, [row] = file("sep=;\r\nname;company\r\nAda;Globex\r\n")

    assert (rows_file.separator, row.line, row.content) == (";", 3, {"name": "Ada", "company": "Globex"})


def test_row_numbers_are_line_numbers(file):
    """Blank lines and lines inside quotes count too."""
    _, rows = file('name,note\nAda,"two\nlines"\n\n,\nBob,none\n')

    assert [(row.line, row.content["name"]) for row in rows] == [(2, "Ada"), (6, "Bob")]


def test_repeated_column_names_get_a_number(file):
    """No cell of a row is lost."""
    rows_file, _ = file("email,email,,email\na,b,c,d\n")

    assert rows_file.header == ("email", "email 2", "column 3", "email 3")


def test_a_row_with_more_cells_than_the_header_is_invalid(file):
    """A quote or separator is wrong, so cells may be in the wrong columns."""
    _, [long, short] = file("name,company\nAda,Globex,CRO\nBob\n")

    assert long.fault == "has 3 cells, but the header has 2"
    assert (short.fault, short.content) == (None, {"name": "Bob"})


def test_an_unclosed_quote_makes_only_its_own_text_invalid(file):
    """Rows after it are read."""
    _, rows = file('name,company\n"Ada,Globex\n' + "x,y\n" * 60_000 + 'Bob,"Initech"\n')

    assert "a quote is not closed" in rows[0].fault
    assert rows[-1].content == {"name": "Bob", "company": "Initech"}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('[{"a": 1}, {"a": 2}]', JSON),
        ('\n [\n{"a": 1},\n{"a": 2}\n]\n', JSON),
        ('{"job_changes": [{"a": 1}, {"a": 2}]}', JSON),
        ('{\n  "records": [\n    {"a": 1}, {"a": 2}]}', JSON),
        ('{\n"a": 1}\n{\n"a": 2\n}', JSON),
        ('{"a": 1}\n{"a": 2}\n', JSON_LINES),
        ('\n{"a": 1}\r\n\r\n{"a": 2}', JSON_LINES),
        ('{"a": 1, "b": {\n"c": 1}}{"a": 2}', JSON),
        ("a\n1\n2\n", CSV),
    ],
)
def test_the_format_is_detected_from_the_content(file, text, kind):
    """File names are not reliable."""
    rows_file, rows = file(text)

    assert rows_file.kind == kind
    assert [int(row.content["a"]) for row in rows] == [1, 2]


def test_an_array_is_read_in_chunks(file):
    """Items may end anywhere in a chunk, and one may be larger than a chunk."""
    items = [{"n": number, "filler": "é" * (number % 997)} for number in range(4_000)]
    items.insert(7, {"n": -1, "filler": "x" * 600_000})

    _, rows = file(json.dumps(items, ensure_ascii=False))

    assert [row.content for row in rows] == items
    assert [row.line for row in rows[:3]] == [1, 2, 3]


@pytest.mark.parametrize("broken", ['[{"a": 1}, {"a": 2', '[{"a": 1}, {"a": 2}', '[{"a": 1}, oops, {"a": 3}]'])
def test_a_truncated_array_is_read_up_to_the_error(file, broken):
    """The last row has a fault, so that nobody takes the file for complete."""
    _, rows = file(broken)

    assert rows[0].content == {"a": 1}
    assert "everything from here on was skipped" in rows[-1].fault


def test_a_malformed_line_does_not_affect_the_next_one(file):
    """JSON Lines are read line by line."""
    _, rows = file('{"a": 1}\n{"a": \n[1]\n{"a": 2}x\n{"a": 3}\n')

    assert [row.fault for row in rows] == [None, "is not valid JSON", None, "is not valid JSON", None]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]


def test_rows_without_a_value_are_skipped(file):
    """Spreadsheets leave them behind. Their lines are counted all the same."""
    _, rows = file("name,email\nAda,ada@x.example\n\n,\nBob,bob@x.example\n")

    assert [(row.line, row.content["name"]) for row in rows] == [(2, "Ada"), (5, "Bob")]


def test_an_overlong_line_is_one_invalid_row(file):
    """It is not kept in memory, and the rows after it are read."""
    _, rows = file('{"a": 1}\n{"a": "' + "x" * (2 * LONGEST_ROW) + '"}\n{"a": 2}\n')

    assert [(row.line, row.fault) for row in rows] == [(1, None), (2, "is not valid JSON"), (3, None)]


@pytest.mark.parametrize("hostile", ['{"a": ' + "[" * 200_000, '{"a": ' + "9" * 5_000 + "}"])
def test_hostile_json_is_one_invalid_row(file, hostile):
    """Very deep nesting and very long numbers do not raise."""
    _, rows = file('{"a": 1}\n' + hostile + "\n")

    assert [row.fault for row in rows] == [None, "is not valid JSON"]


@pytest.mark.parametrize("empty", ["", "\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_an_error(file, empty):
    """There is nothing to import."""
    with pytest.raises(UnreadableFileError, match="is empty"):
        file(empty)


def test_any_bytes_can_be_read(file):
    """A binary file becomes rows or faults."""
    rows_file, rows = file(bytes(range(256)) * 20_000)

    assert rows_file.kind == CSV
    assert all(row.fault or isinstance(row.content, dict) for row in rows)

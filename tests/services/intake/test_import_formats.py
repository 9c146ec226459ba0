"""Files as people have them, and what is made of them."""

from __future__ import annotations

import codecs
import json

import pytest

from services.intake.files.formats import CSV, JSON, JSON_LINES, UnreadableFileError, detect_format
from services.intake.files.rows import LONGEST_ROW, open_rows


@pytest.fixture
def file(tmp_path):
    """Writes a file and answers what it is, and its rows."""

    def write(content: str | bytes, encoding: str = "utf-8"):
        path = tmp_path / "rows"
        path.write_bytes(content.encode(encoding) if isinstance(content, str) else content)
        found = detect_format(path)
        with open_rows(found) as (rows, _):
            return found, list(rows)

    return write


@pytest.mark.parametrize(
    ("encoding", "before", "found"),
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
def test_the_encoding_is_found(file, encoding, before, found):
    """From the mark at its beginning, from its zero bytes, or because it is no UTF-8."""
    it, [row] = file(before + "name,company\nZoë Müller,Globex\n".encode(encoding))

    assert it.encoding == found
    assert row.content == {"name": "Zoë Müller", "company": "Globex"}


def test_what_is_no_utf_8_somewhere_far_down_is_not_read_as_such(file):
    """A million rows may be ASCII up to the first name with an accent."""
    it, rows = file(b"name\n" + b"Ada Smith\n" * 100_000 + "Zoë\n".encode("latin-1"))

    assert (it.encoding, rows[-1].content) == ("cp1252", {"name": "Zoë"})


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_found(file, separator):
    """Although another one stands in the cells."""
    other = "," if separator != "," else ";"
    text = f"full name{separator}title{separator}company\nAda{separator}CRO{other} EMEA{separator}Globex\n"

    it, [row] = file(text)

    assert it.separator == separator
    assert row.content == {"full name": "Ada", "title": f"CRO{other} EMEA", "company": "Globex"}


def test_a_spreadsheet_may_name_its_separator_itself(file):
    """Excel reads a first line sep=; and so others write it."""
    it, [row] = file("sep=;\r\nname;company\r\nAda;Globex\r\n")

    assert (it.separator, row.line, row.content) == (";", 3, {"name": "Ada", "company": "Globex"})


def test_rows_are_counted_as_an_editor_counts_lines(file):
    """Blank ones too, and those inside quotes."""
    _, rows = file('name,note\nAda,"two\nlines"\n\n,\nBob,none\n')

    assert [(row.line, row.content["name"]) for row in rows] == [(2, "Ada"), (6, "Bob")]


def test_names_that_stand_twice_are_told_apart(file):
    """Nothing of a row is lost."""
    it, _ = file("email,email,,email\na,b,c,d\n")

    assert it.header == ("email", "email 2", "column 3", "email 3")


def test_a_row_with_more_cells_than_the_first_line_is_at_fault(file):
    """A quote or a separator went wrong, and its cells may stand under the wrong names."""
    _, [long, short] = file("name,company\nAda,Globex,CRO\nBob\n")

    assert long.fault == "has 3 cells, and the first line has 2"
    assert (short.fault, short.content) == (None, {"name": "Bob"})


def test_a_quote_that_is_never_closed_costs_no_more_than_what_it_swallows(file):
    """It is at fault, and reading goes on behind it."""
    _, rows = file('name,company\n"Ada,Globex\n' + "x,y\n" * 60_000 + 'Bob,"Initech"\n')

    assert "a quote may not be closed" in rows[0].fault
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
def test_the_kind_is_told_from_the_content(file, text, kind):
    """Names of files promise nothing."""
    it, rows = file(text)

    assert it.kind == kind
    assert [int(row.content["a"]) for row in rows] == [1, 2]


def test_an_array_is_read_across_the_pieces_it_comes_in(file):
    """Items end anywhere in a piece, and one may be larger than a piece."""
    items = [{"n": number, "filler": "é" * (number % 997)} for number in range(4_000)]
    items.insert(7, {"n": -1, "filler": "x" * 600_000})

    _, rows = file(json.dumps(items, ensure_ascii=False))

    assert [row.content for row in rows] == items
    assert [row.line for row in rows[:3]] == [1, 2, 3]


@pytest.mark.parametrize("broken", ['[{"a": 1}, {"a": 2', '[{"a": 1}, {"a": 2}', '[{"a": 1}, oops, {"a": 3}]'])
def test_an_array_that_breaks_off_is_read_so_far(file, broken):
    """The last row says that there is no more, so that nobody takes the file for whole."""
    _, rows = file(broken)

    assert rows[0].content == {"a": 1}
    assert "all from here on is left" in rows[-1].fault


def test_a_broken_line_is_at_fault_alone(file):
    """JSON Lines go on with the next line."""
    _, rows = file('{"a": 1}\n{"a": \n[1]\n{"a": 2}x\n{"a": 3}\n')

    assert [row.fault for row in rows] == [None, "is not JSON", None, "is not JSON", None]
    assert [row.line for row in rows] == [1, 2, 3, 4, 5]


def test_a_line_without_end_is_one_row_at_fault(file):
    """It is not kept in memory, and the rows after it are read."""
    _, rows = file('{"a": 1}\n{"a": "' + "x" * (2 * LONGEST_ROW) + '"}\n{"a": 2}\n')

    assert [(row.line, row.fault) for row in rows] == [(1, None), (2, "is not JSON"), (3, None)]


@pytest.mark.parametrize("hostile", ['{"a": ' + "[" * 200_000, '{"a": ' + "9" * 5_000 + "}"])
def test_hostile_json_is_at_fault_and_nothing_else(file, hostile):
    """Depth without end and numbers without end."""
    _, rows = file('{"a": 1}\n' + hostile + "\n")

    assert [row.fault for row in rows] == [None, "is not JSON"]


@pytest.mark.parametrize("empty", ["", "\n \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_told(file, empty):
    """There is nothing to import."""
    with pytest.raises(UnreadableFileError, match="is empty"):
        file(empty)


def test_garbage_is_read_as_something_and_ends(file):
    """Whatever bytes there are."""
    it, rows = file(bytes(range(256)) * 20_000)

    assert it.kind == CSV
    assert all(row.fault or isinstance(row.content, dict) for row in rows)

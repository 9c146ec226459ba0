"""What the names of columns are taken for."""

from __future__ import annotations

import pytest

from domain.job_change.model import JobChange
from domain.job_change.validation import InvalidJobChangeError
from services.intake.files.columns import RowReader, missing
from services.intake.senders.row_mapping import RowMapping

ROW = {"Full Name": "Ada Smith", "Work Email": "ada@globex.example", "New Company": "Globex", "Segment": "Enterprise"}


def test_columns_are_understood_by_their_names():
    """However they are written; what is not understood is kept."""
    names = ("Full Name", "work_email", "NEW COMPANY", "Job Title", "Linkedin URL", "Segment", "Source")

    understood = RowReader(None, {}, names).interpret_columns(names)

    assert list(understood.values()) == [
        "person.full_name",
        "person.emails",
        "current.company.name",
        "current.title",
        "person.linkedin_url",
        None,
        "source",
    ]


def test_what_no_column_tells_is_told_before():
    """Every row would be refused for it."""
    assert missing(["person.emails", "current.title"]) == ["a name", "a company"]
    assert missing(["person.last_name", "salesforce.contact_id", "previous.company.domain"]) == []


def test_a_row_of_columns_is_a_job_change():
    """With what is not understood under custom."""
    change = JobChange.parse(RowReader("clay", {}, tuple(ROW)).read(ROW))

    assert (change.source, change.person.name, change.person.emails) == ("clay", "Ada Smith", ["ada@globex.example"])
    assert change.custom == {"Segment": "Enterprise"}


@pytest.mark.parametrize(
    ("asked", "cell", "source"),
    [("clay", "usergems", "clay"), (None, "usergems", "usergems"), (None, " ", "import"), (None, None, "import")],
)
def test_the_operator_says_whose_rows_they_are_else_the_rows_do(asked, cell, source):
    """The source is part of what makes a job change the same one."""
    row = ROW if cell is None else ROW | {"SOURCE": cell}

    assert RowReader(asked, {}, tuple(row)).read(row)["source"] == source


def test_a_workspace_s_own_mapping_is_used_for_its_source():
    """It knows its columns better than we do."""
    own = RowMapping.parse({"map": {"Who": "person.full_name", "Where": "current.company.name", "At": "person.emails"}})
    row = {"Who": "Ada Smith", "Where": "Globex", "At": "ada@globex.example"}

    assert JobChange.parse(RowReader("sheet", {"sheet": own}, tuple(row)).read(row)).person.name == "Ada Smith"
    assert JobChange.parse(RowReader("sheet", {"sheet": own}).read(row)).person.name == "Ada Smith"


def test_json_in_our_own_form_stays_as_it_is():
    """The documented form needs no mapping, and flat rows of JSON are read like columns."""
    ours = {"source": "usergems", "person": {"full_name": "Ada Smith"}}

    assert RowReader(None).read(ours) == ours
    assert RowReader(None).read(ROW)["person"]["full_name"] == "Ada Smith"


@pytest.mark.parametrize("value", [None, 7, "text", ["list"]])
def test_what_is_no_object_is_refused(value):
    """JSON may say anything."""
    with pytest.raises(InvalidJobChangeError, match="must be an object"):
        RowReader(None).read(value)

"""Which version of Salesforce's API is spoken."""

import pytest

from services.salesforce.queries.client import API_VERSION, nearest_version


@pytest.mark.parametrize(
    ("listed", "spoken"),
    [
        (["31.0", "66.0", "68.0"], "66.0"),
        (["58.0", "65.0", "64.0"], "65.0"),
        (["100.0", "9.0", "8.0"], "9.0"),
        (["70.0", "100.0"], "70.0"),
        (["../evil", "", "66"], API_VERSION),
        ([], API_VERSION),
    ],
)
def test_the_newest_that_is_not_newer_than_ours_is_spoken(listed: list[str], spoken: str) -> None:
    """Else the oldest there is, and ours where nothing is listed."""
    assert nearest_version([{"label": "x", "url": "/y", "version": one} for one in listed]) == spoken


@pytest.mark.parametrize("told", [None, 7, "66.0", {}, {"version": "58.0"}, [7, None, {}, {"version": 58}]])
def test_an_answer_that_lists_no_versions_changes_nothing(told: object) -> None:
    """Whatever somebody in between answers."""
    assert nearest_version(told) == API_VERSION

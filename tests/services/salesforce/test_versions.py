"""The version of Salesforce's API that is used."""

import pytest

from services.salesforce.queries.client import API_VERSION, nearest_version


@pytest.mark.parametrize(
    ("listed", "used"),
    [
        (["31.0", "66.0", "68.0"], "66.0"),
        (["58.0", "65.0", "64.0"], "65.0"),
        (["100.0", "9.0", "8.0"], "9.0"),
        (["70.0", "100.0"], "70.0"),
        (["../evil", "", "66"], API_VERSION),
        ([], API_VERSION),
    ],
)
def test_the_newest_version_up_to_ours_is_used(listed: list[str], used: str) -> None:
    """Otherwise the oldest is used, and ours if none is listed."""
    assert nearest_version([{"label": "x", "url": "/y", "version": version} for version in listed]) == used


@pytest.mark.parametrize("answer", [None, 7, "66.0", {}, {"version": "58.0"}, [7, None, {}, {"version": 58}]])
def test_an_answer_without_versions_changes_nothing(answer: object) -> None:
    """A gateway may answer anything."""
    assert nearest_version(answer) == API_VERSION

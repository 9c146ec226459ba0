"""Reasons: every code has a sentence for every audience, and survives being stored."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.decision.reasons import Reason, ReasonCode, Reasons, combined, from_stored, to_stored
from domain.decision.sentences import SharedReason, for_others, for_reader, shared_by

texts = st.text(max_size=30)
leaves = st.sampled_from([code for code in ReasonCode if not {"because", "problem", "problems"} & {*code.names}])


def reason_of(code: ReasonCode, text: str, inner: Reasons) -> Reason:
    values: dict[str, object] = dict.fromkeys(("because", "problem", "problems"), inner) | {"limit": 3}
    return code.of(**{name: values.get(name, text) for name in code.names})  # type: ignore[arg-type]  # by name


inner_reasons = st.lists(st.builds(reason_of, leaves, texts, st.just(())), max_size=3).map(tuple)
reasons = st.builds(reason_of, st.sampled_from(ReasonCode), texts, inner_reasons)


@pytest.mark.parametrize("code", ReasonCode)
def test_every_code_has_a_sentence_for_every_audience(code: ReasonCode) -> None:
    """The sentence has every parameter. Only the reader is addressed as "you"."""
    inner = (ReasonCode.OWNS_ACCOUNT.of(record="Globex"),)
    reason = reason_of(code, "Initech", inner)

    for sentence in (for_reader([reason]), for_others([reason])):
        assert sentence == sentence.strip()
        assert sentence
        assert not re.search(r"[{}]", sentence)
        assert ("Initech" in sentence) is any(name not in {"problems", "because", "limit"} for name in code.names)
    assert not re.search(r"\b[Yy]ou(r)?\b", for_others([reason]))


@given(st.lists(reasons, max_size=3).map(tuple))
def test_reasons_survive_being_stored(some: Reasons) -> None:
    """Whatever their parameters are."""
    assert from_stored(to_stored(some), "an older sentence") == some
    for_reader(some)
    for_others(some)


def test_reasons_of_other_versions_are_read() -> None:
    """A row of an earlier version has only a sentence, and one of a later version may have an unknown code."""
    assert for_reader(from_stored(None, "You own Globex.")) == "You own Globex."
    assert for_others(from_stored(None, "You own Globex.")) == "You own Globex."
    assert from_stored(None, "") == from_stored(None, None) == ()
    assert for_reader(from_stored('[{"code": "of_tomorrow"}]', "")) == "of_tomorrow"
    assert for_reader(from_stored('[{"code": "owns_account"}]', "")) == "You own  in Salesforce."


def test_a_missing_dri_is_explained_once() -> None:
    """The problems of both sides are in one sentence, which comes first."""
    away, full = ReasonCode.OUT_OF_OFFICE.of(), ReasonCode.DAILY_LIMIT.of(limit=1)
    sides = [
        ReasonCode.DRI_IS.of(person="Kim"),
        ReasonCode.NO_DRI_FOUND.of(problems=(away,)),
        ReasonCode.NO_DRI_FOUND.of(problems=(away, full)),
        ReasonCode.DRI_IS.of(person="Kim"),
    ]
    text = "No DRI found: is out of office; has reached the daily limit of 1 job change. The DRI is Kim."
    assert for_reader(combined(sides)) == text
    with pytest.raises(TypeError):
        ReasonCode.QUEUE.of(person="Kim")


def test_the_common_reason_of_several_job_changes_is_a_heading() -> None:
    """For the contacts that somebody owns, and for each problem of an owner; else it is the whole reason."""
    whom, problem = "the contact's owner, Kim Lee,", (ReasonCode.INACTIVE.of(),)
    skipped = ReasonCode.SKIPPED.of(whom=whom, problem=problem)
    several = ReasonCode.NO_DRI_FOUND.of(problems=(skipped, skipped))

    assert shared_by((ReasonCode.OWNS_CONTACT.of(person="Ada"),)) == SharedReason(
        "You own these contacts in Salesforce."
    )
    assert shared_by((ReasonCode.NO_DRI_FOUND.of(problems=(skipped,)),)) == SharedReason(
        "No DRI found. Inactive in Salesforce:", "The contact's owner, Kim Lee"
    )
    assert shared_by((several,)) == SharedReason(for_reader([several]))
    assert shared_by((ReasonCode.OWNS_ACCOUNT.of(record="Globex"),)).heading == "You own Globex in Salesforce."

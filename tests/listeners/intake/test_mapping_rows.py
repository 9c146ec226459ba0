"""Field mappings as rows: whatever the JSON form accepts is shown or stays as it is."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from listeners.intake.mapping_rows import MappingForm
from listeners.intake.mappings_view import mapping_form_of, rows_view
from sandbox.slack.block_kit.blocks import check_view
from sandbox.slack.block_kit.inputs import values_of
from services.intake.mapping.fields import FIELDS
from services.intake.mapping.row_mapping import MOST_PATHS, RowMapping

texts = st.text(max_size=8) | st.sampled_from(["a.b.0", "two  spaces", " padded", "x" * 151, "line\nbreak"])
fields = st.sampled_from([*FIELDS, "custom.tier", "custom.a.b", f"custom.{'x' * 150}"])
definitions = st.fixed_dictionaries(
    {"map": st.dictionaries(texts, fields | st.lists(fields, min_size=1, max_size=3, unique=True), min_size=1)},
    optional={
        "set": st.dictionaries(fields, texts),
        "words": st.dictionaries(fields, st.dictionaries(texts, texts, max_size=2), max_size=2),
    },
)


@given(definition=definitions)
def test_saving_any_mapping_without_changes_keeps_it(definition):
    """Also its order: of several paths to one field, the first one with a value counts."""
    form = MappingForm.of("ours", definition)
    view = rows_view(form, {"a": {"b": ["Ada"]}})
    assert check_view(view, "modal") == []
    states = values_of(view["blocks"], {})
    typed = form.typed(mapping_form_of(states).read({"state": {"values": states}}), states, 0)

    before, after = RowMapping.parse(definition), RowMapping.parse(typed.definition)
    assert list(after.paths.items()) == [(path, list(names)) for path, names in before.paths.items()]
    assert (after.always, after.words) == (before.always, before.words)


def test_the_largest_mapping_fits():
    """It has two hundred paths, of which those that are not shown are counted."""
    definition = {"map": {f"{number:03}{'x' * 147}": "persona" for number in range(MOST_PATHS)}}
    view = rows_view(MappingForm.of("ours", definition), {f"{number:03}": "x" * 99 for number in range(300)})

    assert check_view(view, "modal") == []
    assert len(json.dumps(view)) < 250_000
    assert "unchanged here: 160 rows" in str(view)

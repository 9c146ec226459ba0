"""A list of owner sources in the rule dialog: the chain of candidates, or who is informed as well. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from listeners.dialogs.form import Entered
from listeners.ownership.rule_form.choices import (
    A_CHANNEL_FIELD,
    A_FIELD,
    EMPTY,
    LEFT_EMPTY,
    NOBODY,
    Slot,
    field_named,
    fields_like,
    raw_source,
)
from listeners.ownership.rule_form.fields import ChainFields, States
from services.ownership.rules.check import OrgSchema
from services.ownership.rules.owner_sources import Informed, Source


@dataclass(frozen=True)
class Chain:
    """A list of owner sources in the dialog. `original` has those that it was opened with."""

    fields: ChainFields
    original: Sequence[Source | Informed]
    slots: tuple[Slot, ...]

    def typed(self, entered: Entered, states: States) -> Chain:
        slots = []
        for number in self.fields.numbers(states):
            chosen = entered.values.get(self.fields.slot_id(number))
            slot = EMPTY if chosen == NOBODY else Slot(chosen or None)
            more = entered.values.get(self.fields.more_id(number, slot.needs)) if slot.needs else None
            slots.append(replace(slot, more=more or None))
        return replace(self, slots=tuple(slots))

    def with_slot(self) -> Chain:
        """The chain with one more, empty slot."""
        return replace(self, slots=(*self.slots, EMPTY))

    def resolved(self, org: OrgSchema) -> Chain:
        """The chain with API names of fields instead of labels."""
        slots = []
        for slot in self.slots:
            name = None
            if slot.more and slot.needs in {A_FIELD, A_CHANNEL_FIELD}:
                name = field_named(org, slot.more, _possible(slot.needs, org))
            slots.append(replace(slot, more=name) if name else slot)
        return replace(self, slots=tuple(slots))

    def raw(self) -> tuple[list[object], list[int]]:
        """The sources as JSON, and the slot of each."""
        places = [number for number, slot in enumerate(self.slots) if slot.value]
        return [raw_source(self.slots[number], self.original) for number in places], places

    @property
    def complete(self) -> Chain:
        """The chain without sources whose other field is still empty."""
        return replace(self, slots=tuple(slot for slot in self.slots if slot.more or not slot.needs))

    @property
    def more_ids(self) -> set[str]:
        """The other fields that the sources need."""
        return {self.fields.more_id(number, slot.needs) for number, slot in enumerate(self.slots) if slot.needs}

    def suggestions(self, errors: Mapping[str, str], org: OrgSchema | None) -> dict[str, str]:
        """The errors at other fields, in plain words for what was left empty, and with the names of similar fields."""
        better = dict[str, str]()
        for number, slot in enumerate(self.slots):
            block = self.fields.more_id(number, slot.needs or "")
            if block not in errors or not slot.needs:
                continue
            if not slot.more:
                better[block] = LEFT_EMPTY[slot.needs]
            elif org and slot.needs in {A_FIELD, A_CHANNEL_FIELD}:
                similar = fields_like(org, slot.more, _possible(slot.needs, org))
                better[block] = errors[block] + (f" Similar fields: {', '.join(similar)}." if similar else "")
        return better


def _possible(needs: str, org: OrgSchema) -> list[str]:
    """The fields that a source can name."""
    if needs == A_FIELD:
        return org.user_fields
    return [key for key, field in org.fields.items() if key.startswith("account.") and not field.refers_to]

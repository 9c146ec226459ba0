"""The fields of a job change's records that the admins want to see on its card. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from domain.decision.record import ContextValue
from services.ownership.choice.case import Case
from services.ownership.rules.labels import field_label
from services.ownership.rules.owner_sources import Side
from services.salesforce.queries.objects import FieldInfo
from services.salesforce.records import Fields

CURRENCY = "CurrencyIsoCode"
"""The currency of a record, in orgs with several:
https://developer.salesforce.com/docs/platform/soql-and-sosl/guide/sforce-api-calls-soql-querying-currency-fields"""


def context_values(
    case: Case, side: Side | None, fields: Sequence[str], described: Mapping[str, FieldInfo]
) -> tuple[ContextValue, ...]:
    """
    The values of the fields on this side, in order. What is empty, or could not be read, is left out.

    `described` is keyed by object and field in lower case, such as `account.arr__c`.
    """
    labels = {name: info.label for name, info in described.items()}
    values = []
    for field in fields:
        sobject, _, name = field.partition(".")
        record = _fields_of(case, side, sobject)
        value, info = record.get(name.lower()), described.get(field.lower())
        if value is None or value == "":
            continue
        kind = info.type if info else ""
        currency = record.get(CURRENCY.lower()) if kind == "currency" else None
        label = field_label(field, labels)
        values.append(ContextValue(label=label, value=value, kind=kind, currency=str(currency) if currency else None))
    return tuple(values)


def _fields_of(case: Case, side: Side | None, sobject: str) -> Fields:
    """The fields of the record on this side. The opportunity is the contact's open one, else the account's."""
    view = case.view(side)
    if sobject == "Contact":
        return view.contact.fields if view.contact else {}
    if sobject == "Account":
        return view.account.fields if view.account else {}
    deal = (view.contact.open if view.contact else None) or (view.account.open if view.account else None)
    return deal.fields if deal else {}

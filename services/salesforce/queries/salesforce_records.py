"""One row of Salesforce's answers as the record that it tells of. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.salesforce.records import Account, Contact, Fields, Lead, Opportunity, SalesforceUser

Row = Mapping[str, object]

_QUEUE_PREFIX = "00G"
_EXPECTED = frozenset({"attributes", "owner", "account", "parent"})


def contact_of(row: Row) -> Contact:
    """Fields that Salesforce hides are None, as are those it leaves out."""
    account = part_of(row, "Account")
    return Contact(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        email=text_of(row, "Email"),
        account=account_of({"Id": row.get("AccountId"), **account}) if account else None,
        owner=_user(row),
        fields=_fields(row),
    )


def lead_of(row: Row) -> Lead:
    return Lead(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        email=text_of(row, "Email"),
        company=text_of(row, "Company"),
        owner=_user(row),
        fields=_fields(row),
    )


def opportunity_of(row: Row) -> Opportunity:
    return Opportunity(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        owner=_user(row),
        fields=_fields(row),
        closed_on=text_of(row, "CloseDate"),
    )


def account_of(row: Row) -> Account:
    """With its parent, if the row has one."""
    parent = part_of(row, "Parent")
    return Account(
        id=text_of(row, "Id") or "",
        name=text_of(row, "Name") or "",
        domain=_domain(text_of(row, "Website")),
        owner=_user(row),
        fields=_fields(row),
        parent=account_of(parent) if parent else None,
    )


def _fields(row: Row) -> Fields:
    """The record's own values, by name in lower case."""
    return {
        name.lower(): value
        for name, value in row.items()
        if value is None or (isinstance(value, str | float | int) and name.lower() not in _EXPECTED)
    }


def _user(row: Row) -> SalesforceUser | None:
    """The owner of a record; None when its user is not shown to us."""
    owner_id, owner = text_of(row, "OwnerId"), part_of(row, "Owner")
    return None if owner_id is None or owner is None else person_of(owner_id, owner, None)


def person_of(user_id: str, row: Row, email_field: str | None) -> SalesforceUser:
    """*row*: of the user, or what stands in its place where a queue owns; *email_field*: another address of theirs."""
    return SalesforceUser(
        id=user_id,
        name=text_of(row, "Name") or user_id,
        email=text_of(row, "Email"),
        is_active=row.get("IsActive") is not False,
        kind="queue" if user_id.startswith(_QUEUE_PREFIX) else "user",
        alternate=text_of(row, email_field) if email_field else None,
    )


def manager_of(row: Row, email_field: str | None) -> SalesforceUser | None:
    """None: the row has no manager, or hides them. *email_field*: looked at besides Email."""
    manager = part_of(row, "Manager")
    manager_id = text_of(manager, "Id") if manager else None
    return person_of(manager_id, manager, email_field) if manager and manager_id else None


def _domain(website: str | None) -> str | None:
    if website is None:
        return None
    try:
        host = urlsplit(website if "//" in website else f"//{website}").hostname
    except ValueError:  # people type anything into that field
        return None
    return host.removeprefix("www.") if host else None


def text_of(row: Row, name: str) -> str | None:
    """None also for what is no text, or empty."""
    value = row.get(name)
    return value if isinstance(value, str) and value else None


def part_of(row: Row, name: str) -> Row | None:
    """A record that came with another."""
    value = row.get(name)
    return value if isinstance(value, dict) else None

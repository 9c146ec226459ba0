"""Org: objects and records of the sandbox org, and what the integration user can see."""

import itertools
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime

from sandbox.salesforce.errors import SalesforceError, no_such_field, no_such_type, not_found
from sandbox.salesforce.ids import new_id, to_18
from sandbox.salesforce.profile import PermissionSet
from sandbox.salesforce.schema import STANDARD, Field, SObject, Value

Record = dict[str, Value]
_AUTOMATIC = {"Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted"}


class Org:
    """`now` returns seconds since the epoch.

    `large_tables` have so many records that a scan of the table takes too long. `running_user` is the integration user.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.id = new_id("00D", 1)
        self._sobjects = {sobject.name.lower(): sobject for sobject in STANDARD}
        self._records: dict[str, dict[str, Record]] = {sobject.name: {} for sobject in STANDARD}
        self._deleted: dict[str, dict[str, Record]] = {}
        self._numbers = itertools.count(1)
        self._hidden_fields: set[tuple[str, str]] = set()
        self._hidden_records: set[str] = set()
        self._hidden_types: set[str] = set()
        self._permissions: PermissionSet | None = None
        self.large_tables: set[str] = set()
        self.running_user: str | None = None

    def define(self, sobject: SObject) -> None:
        """Add a custom object."""
        self._sobjects[sobject.name.lower()] = sobject
        self._records.setdefault(sobject.name, {})

    def add_field(self, sobject: str, field: Field) -> None:
        """Add a custom field, which is empty in existing records."""
        definition = self._sobjects[sobject.lower()]
        self.define(replace(definition, fields=(*definition.fields, field)))
        for record in self._records[definition.name].values():
            record.setdefault(field.name, None)

    def hide_field(self, sobject: str, name: str) -> None:
        """Field-level security: the field does not exist for the integration user.

        https://developer.salesforce.com/docs/platform/rest-api/guide/intro-rest-compatible-editions.html
        """
        self._hidden_fields.add((sobject.lower(), name.lower()))

    def hide_type(self, sobject: str) -> None:
        """Object permissions: the integration user cannot read this object."""
        self._hidden_types.add(sobject.lower())

    def hide_record(self, record_id: str) -> None:
        """Sharing: hidden records are missing from results, without an error."""
        self._hidden_records.add(to_18(record_id) or record_id)

    def show_field(self, sobject: str, name: str) -> None:
        """Give back the access that `hide_field` took."""
        self._hidden_fields.discard((sobject.lower(), name.lower()))

    def remove_field(self, sobject: str, name: str) -> None:
        """Delete a custom field, or rename it by adding another one."""
        definition = self._sobjects[sobject.lower()]
        self.define(replace(definition, fields=tuple(field for field in definition.fields if field.name != name)))

    def encrypt_field(self, sobject: str, name: str) -> None:
        """Encrypt a field with Shield, so that it cannot be filtered any more."""
        definition = self._sobjects[sobject.lower()]
        fields = (field.encrypted() if field.name == name else field for field in definition.fields)
        self.define(replace(definition, fields=tuple(fields)))

    def restrict_to(self, permission_set: str) -> None:
        """Give the integration user the profile with the least privileges, and deploy and assign this permission set.

        Then only what its XML grants can be seen, of everything that permissions can hide. Raises DeployError.
        """
        self._permissions = PermissionSet.deploy(permission_set, lambda name: self._sobjects.get(name.lower()))

    def become_sandbox(self) -> None:
        """Refresh the org as a sandbox: Salesforce appends `.invalid` to the email address of every user.

        https://help.salesforce.com/s/articleView?id=platform.data_sandbox_create.htm
        """
        for record in self._records["Organization"].values():
            record["IsSandbox"] = True
        for user in self._records["User"].values():
            if user["Email"]:
                user["Email"] = f"{user['Email']}.invalid"

    def enable_person_accounts(self) -> None:
        """https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-account.html"""
        fields = [Field("IsPersonAccount", "boolean", is_permissionable=False), Field("FirstName"), Field("LastName")]
        person = [Field("PersonContactId", "reference", ("Contact",), "PersonContact", is_permissionable=False)]
        for field in (*fields, *person, Field("PersonEmail", "email", is_permissionable=True)):
            self.add_field("Account", field)
        self.add_field("Contact", fields[0])

    def add_person_account(self, **fields: Value) -> str:
        """Create a person account, and return its id. Its contact, which Salesforce creates, has the same person."""
        name = " ".join(str(fields[part]) for part in ("FirstName", "LastName") if fields.get(part))
        account = self.add("Account", Name=name, IsPersonAccount=True, **fields)
        contact = self.add(
            "Contact",
            FirstName=fields.get("FirstName"),
            LastName=fields.get("LastName"),
            Email=fields.get("PersonEmail"),
            OwnerId=fields.get("OwnerId"),
            AccountId=account,
            IsPersonAccount=True,
        )
        self.update(account, PersonContactId=contact)
        return account

    def sobjects(self) -> list[SObject]:
        return [sobject for sobject in self._sobjects.values() if self.is_readable(sobject)]

    def is_readable(self, sobject: SObject) -> bool:
        is_granted = self._permissions is None or self._permissions.can_read(sobject)
        return is_granted and sobject.name.lower() not in self._hidden_types

    def sobject(self, name: str) -> SObject:
        """Raises SalesforceError INVALID_TYPE."""
        sobject = self._sobjects.get(name.lower())
        if sobject is None or not self.is_readable(sobject):
            raise no_such_type(name)
        return sobject

    def sobject_of(self, record_id: str) -> SObject | None:
        """The object with the key prefix of this id."""
        return next((sobject for sobject in self._sobjects.values() if sobject.prefix == record_id[:3]), None)

    def is_visible_field(self, sobject: SObject, field: Field) -> bool:
        if (sobject.name.lower(), field.name.lower()) in self._hidden_fields:
            return False
        return self._permissions is None or self._permissions.can_see(sobject, field)

    def readable_fields(self, sobject: SObject) -> list[Field]:
        return [field for field in sobject.fields if self.is_visible_field(sobject, field)]

    def rows(self, sobject: SObject, *, with_deleted: bool = False) -> Iterator[Record]:
        """The visible records in order of creation, then those in the recycle bin."""
        deleted = self._deleted.get(sobject.name, {}) if with_deleted else {}
        for record_id, record in [*self._records[sobject.name].items(), *deleted.items()]:
            if self._is_shared(sobject, record_id, record):
                yield record

    def _is_shared(self, sobject: SObject, record_id: str, record: Record) -> bool:
        if record_id in self._hidden_records:
            return False
        if self._permissions is None or self._permissions.sees_all_records(sobject):
            return True
        return self.running_user in {record_id, record.get("OwnerId")}

    def all_users(self) -> list[Record]:
        """Every user, whatever the permissions of the session."""
        return list(self._records["User"].values())

    def find(self, record_id: str) -> Record | None:
        """The visible record with this id (15 or 18 characters); None if there is none."""
        record, sobject = self.stored(record_id), self.sobject_of(record_id)
        if record is None or sobject is None or not self._is_shared(sobject, str(record["Id"]), record):
            return None
        return record

    def stored(self, record_id: str) -> Record | None:
        """The record with this id, whatever the permissions of the session."""
        id18, sobject = to_18(record_id), self.sobject_of(record_id)
        return self._records[sobject.name].get(id18) if id18 and sobject else None

    def add(self, sobject: str, **fields: Value) -> str:
        """Create a record and return its 18-character id. Raises SalesforceError."""
        definition = self._sobjects.get(sobject.lower())
        if definition is None:
            raise no_such_type(sobject)
        checked = self._checked(definition, fields)
        missing = [name for name in definition.required if not checked.get(name)]
        if missing:
            raise SalesforceError(
                400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(missing)}]", tuple(missing)
            )
        record_id, now = new_id(definition.prefix, next(self._numbers)), self.timestamp()
        empty: Record = {field.name: (False if field.type == "boolean" else None) for field in definition.fields}
        stamps: Record = {
            "Id": record_id,
            "CreatedDate": now,
            "LastModifiedDate": now,
            "SystemModstamp": now,
        }
        defaults: Record = {"IsActive": True} if definition.name == "User" else {}
        if definition.name == "Group":
            defaults["Type"] = "Queue"
        record = {**empty, **defaults, **checked, **stamps}
        self._records[definition.name][record_id] = _with_name(definition, record)
        return record_id

    def update(self, record_id: str, **fields: Value) -> None:
        record, definition = self.stored(record_id), self.sobject_of(record_id)
        if record is None or definition is None:
            raise not_found()
        timestamp = self.timestamp()
        record.update(self._checked(definition, fields), LastModifiedDate=timestamp, SystemModstamp=timestamp)
        _with_name(definition, record)

    def delete(self, record_id: str) -> None:
        record, definition = self.stored(record_id), self.sobject_of(record_id)
        if record is None or definition is None:
            raise not_found()
        removed = self._records[definition.name].pop(str(record["Id"]))
        removed["IsDeleted"] = True
        self._deleted.setdefault(definition.name, {})[str(record["Id"])] = removed

    def merge(self, main_id: str, victim_id: str) -> None:
        """Merge a record into another of its object: it is deleted, and refers to the one that is left.

        https://developer.salesforce.com/docs/platform/api/guide/sforce-api-calls-merge.html
        """
        main, victim = self.stored(main_id), self.stored(victim_id)
        if main is None or victim is None:
            raise not_found()
        self.delete(victim_id)
        victim["MasterRecordId"] = main["Id"]

    def convert(self, lead_id: str, contact_id: str) -> None:
        """Convert a lead into a contact.

        https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-lead.html
        """
        self.update(lead_id, IsConverted=True, ConvertedContactId=contact_id)

    def timestamp(self) -> str:
        """The current time in Salesforce's format: `2026-11-20T09:30:00.000+0000`."""
        now = datetime.fromtimestamp(self.now(), UTC)
        return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03}+0000"

    def snapshot(self) -> dict[str, dict[str, Record]]:
        return deepcopy(self._records)

    def restore(self, snapshot: dict[str, dict[str, Record]]) -> None:
        self._records = snapshot

    def _checked(self, sobject: SObject, fields: dict[str, Value]) -> Record:
        """The fields under their exact names, with valid references as 18-character ids. Raises SalesforceError."""
        checked: Record = {}
        for name, value in fields.items():
            field = sobject.field(name)
            if field is None:
                raise no_such_field(name, sobject.name)
            if field.name in _AUTOMATIC:
                raise SalesforceError(
                    400,
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    f"Unable to create/update fields: {field.name}. Please check the security settings of this field "
                    "and verify that it is read/write for your profile or permission set.",
                    (field.name,),
                )
            checked[field.name] = self._reference(field, value) if field.type == "reference" else value
        return checked

    def _reference(self, field: Field, value: Value) -> Value:
        if value is None:
            return None
        target, id18 = self.sobject_of(str(value)), to_18(str(value))
        if target is None or id18 is None or target.name not in field.refers_to:
            raise SalesforceError(
                400, "MALFORMED_ID", f"{field.name}: id value of incorrect type: {value}", (field.name,)
            )
        return id18


def _with_name(sobject: SObject, record: Record) -> Record:
    if sobject.is_person:
        record["Name"] = " ".join(str(record[part]) for part in ("FirstName", "LastName") if record[part])
    return record

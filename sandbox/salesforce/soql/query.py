"""Select: runs a parsed SOQL query on the records of the org."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sandbox.salesforce.errors import SalesforceError, malformed_query, no_such_field, not_usable, query_timeout
from sandbox.salesforce.org import Org, Record
from sandbox.salesforce.schema import NAME, Field, SObject, Value
from sandbox.salesforce.soql.comparison import key, like, literal, ordered, sort_key
from sandbox.salesforce.soql.parser import AllOf, AnyOf, Compare, Condition, Not, Order, Query

Row = dict[str, object]
_MAX_STEPS = 5  # up to five levels from a child to its parents


@dataclass(frozen=True)
class Select:
    """Runs queries; `version` is the API version of the request, for URLs in the rows."""

    org: Org
    version: str
    with_deleted: bool = False

    def count(self, query: Query) -> int:
        return len(self._matching(query))

    def rows(self, query: Query) -> list[Row]:
        return self.rows_of(self.org.sobject(query.source), self._matching(query), query)

    def rows_of(self, sobject: SObject, records: list[Record], query: Query) -> list[Row]:
        """The given records as rows with the selected fields. Raises SalesforceError."""
        self._check(sobject, query)
        return [self._row(sobject, record, query) for record in records]

    def attributes(self, sobject: SObject, record: Record) -> Row:
        return {"type": sobject.name, "url": f"/services/data/v{self.version}/sobjects/{sobject.name}/{record['Id']}"}

    def _matching(self, query: Query) -> list[Record]:
        sobject = self.org.sobject(query.source)
        matches = self._condition(sobject, query.where) if query.where else lambda _: True
        records = [record for record in self.org.rows(sobject, with_deleted=self.with_deleted) if matches(record)]
        for order in reversed(query.order):
            records = self._sorted(sobject, records, order)
        end = None if query.limit is None else query.offset + query.limit
        return records[query.offset : end]

    def _check(self, sobject: SObject, query: Query) -> None:
        """Raise INVALID_FIELD or INVALID_TYPE for unknown fields, even if there are no rows."""
        for selected in query.fields:
            if isinstance(selected, Query):
                _, child = self._children(sobject, selected.source)
                self._check(child, selected)
            else:
                self._resolve(sobject, selected)

    def _row(self, sobject: SObject, record: Record, query: Query) -> Row:
        row: Row = {"attributes": self.attributes(sobject, record)}
        for selected in query.fields:
            if isinstance(selected, Query):
                field, child = self._children(sobject, selected.source)
                row[field.children or ""] = self._nested(field, child, record, selected)
            else:
                self._put(row, sobject, record, selected.split("."))
        return row

    def _put(self, row: Row, sobject: SObject, record: Record, path: list[str]) -> None:
        """Add a selected path to the row; a relationship becomes a nested object or null."""
        if len(path) == 1:
            field = self._field(sobject, path[0])
            row[field.name] = self._value(sobject, record, field)
            return
        field = self._relationship(sobject, path[0])
        parent, name = self._parent(record, field), field.relationship or ""
        if parent is None:
            row.setdefault(name, None)
            return
        real, record = parent
        attributes = self.attributes(real, record)
        nested = row.setdefault(
            name, {"attributes": {**attributes, "type": "Name"} if field.is_polymorphic else attributes}
        )
        if isinstance(nested, dict):
            self._put(nested, NAME if field.is_polymorphic else real, record, path[1:])

    def _nested(self, field: Field, child: SObject, parent: Record, query: Query) -> object:
        """The result of a nested SELECT on child records; None if there are none."""
        child_query = Query(child.name, query.fields, query.where, query.order, None, 0)
        records = [record for record in self._matching(child_query) if record[field.name] == parent["Id"]]
        records = records[query.offset : None if query.limit is None else query.offset + query.limit]
        if not records:
            return None
        return {
            "totalSize": len(records),
            "done": True,
            "records": [self._row(child, record, child_query) for record in records],
        }

    def _children(self, sobject: SObject, name: str) -> tuple[Field, SObject]:
        for child in self.org.sobjects():
            for field in child.fields:
                if (field.children or "").lower() == name.lower() and sobject.name in field.refers_to:
                    if not self.org.is_visible_field(child, field):
                        continue
                    return field, child
        raise SalesforceError(
            400,
            "INVALID_TYPE",
            f"\nERROR at Row:1:Column:1\nDidn't understand relationship '{name}' in FROM part of query call. If you "
            "are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship "
            "name. Please reference your WSDL or the describe call for the appropriate names.",
        )

    def _field(self, sobject: SObject, name: str) -> Field:
        field = sobject.field(name)
        if field is None or not self.org.is_visible_field(sobject, field):
            raise no_such_field(name, sobject.name)
        return field

    def _relationship(self, sobject: SObject, name: str) -> Field:
        field, readable = sobject.relationship(name), {sobject.name for sobject in self.org.sobjects()}
        if (
            field is None
            or not self.org.is_visible_field(sobject, field)
            or not (field.is_polymorphic or field.refers_to[0] in readable)
        ):
            raise SalesforceError(
                400,
                "INVALID_FIELD",
                f"\nERROR at Row:1:Column:1\nDidn't understand relationship '{name}' in field path. If you are "
                "attempting to use a custom relationship, be sure to append the '__r' after the custom relationship "
                "name. Please reference your WSDL or the describe call for the appropriate names.",
            )
        return field

    def _resolve(self, sobject: SObject, path: str) -> tuple[list[Field], SObject, Field]:
        """The relationship fields on the path, the last object and its field. Raises INVALID_FIELD."""
        *names, last = path.split(".")
        if len(names) > _MAX_STEPS:
            raise malformed_query("only up to 5 levels of parent relationships may be queried")
        steps = []
        for name in names:
            field = self._relationship(sobject, name)
            steps.append(field)
            sobject = NAME if field.is_polymorphic else self.org.sobject(field.refers_to[0])
        return steps, sobject, self._field(sobject, last)

    def _parent(self, record: Record, field: Field) -> tuple[SObject, Record] | None:
        reference = record[field.name]
        parent = self.org.find(str(reference)) if reference else None
        sobject = self.org.sobject_of(str(reference)) if reference else None
        return (sobject, parent) if parent is not None and sobject is not None else None

    def _value(self, sobject: SObject, record: Record, field: Field) -> Value:
        """The value of a field. On `Name`, `Type` is the object type, and fields of users are null for queues.

        https://developer.salesforce.com/docs/platform/object-reference/guide/sforce-api-objects-name.html
        """
        if sobject is not NAME:
            return record[field.name]
        real = self.org.sobject_of(str(record["Id"]))
        if field.name == "Type":
            return {"Group": "Queue"}.get(real.name, real.name) if real else None
        if field.name in {"Id", "Name"} or (real and real.name == "User"):
            return record.get(field.name)
        return None

    def _read(self, sobject: SObject, path: str) -> tuple[Callable[[Record], Value], Field]:
        steps, owner, field = self._resolve(sobject, path)

        def read(record: Record) -> Value:
            for step in steps:
                parent = self._parent(record, step)
                if parent is None:
                    return None
                record = parent[1]
            return self._value(owner, record, field)

        return read, field

    def _condition(self, sobject: SObject, condition: Condition) -> Callable[[Record], bool]:
        match condition:
            case Not(inner):
                negated = self._condition(sobject, inner)
                return lambda record: not negated(record)
            case AllOf(conditions):
                all_of = [self._condition(sobject, part) for part in conditions]
                return lambda record: all(matches(record) for matches in all_of)
            case AnyOf(conditions):
                any_of = [self._condition(sobject, part) for part in conditions]
                return lambda record: any(matches(record) for matches in any_of)
            case Compare():
                return self._comparison(sobject, condition)

    def _comparison(self, sobject: SObject, compare: Compare) -> Callable[[Record], bool]:
        read, field = self._read(sobject, compare.path)
        if not field.is_filterable:
            raise not_usable(field.name, "filtered")
        if isinstance(compare.value, Query):
            wanted = {key(field, value) for value in self._semi_join(compare.value)}
        else:
            values = compare.value if isinstance(compare.value, tuple) else (compare.value,)
            wanted = {literal(field, value) for value in values}
        if compare.operator == "like":
            pattern = like(field, compare.value)
            if str(compare.value).startswith("%") and sobject.name in self.org.large_tables:
                raise query_timeout()  # an index cannot be used, so every record is read
            return lambda record: bool(pattern.fullmatch(str(read(record) or "")))
        if compare.operator in {"=", "in"}:
            return lambda record: key(field, read(record)) in wanted
        if compare.operator in {"!=", "not in"}:
            return lambda record: key(field, read(record)) not in wanted
        (limit,) = wanted
        return lambda record: ordered(key(field, read(record)), compare.operator, limit)

    def _semi_join(self, query: Query) -> Iterable[Value]:
        if len(query.fields) != 1 or not isinstance(query.fields[0], str):
            raise malformed_query("Semi join sub-selects can only query one field")
        read, _ = self._read(self.org.sobject(query.source), query.fields[0])
        return [value for record in self._matching(query) if (value := read(record)) is not None]

    def _sorted(self, sobject: SObject, records: list[Record], order: Order) -> list[Record]:
        read, field = self._read(sobject, order.path)
        if not field.is_sortable:
            raise not_usable(field.name, "sorted")
        keys = {str(record["Id"]): key(field, read(record)) for record in records}
        empty = [record for record in records if keys[str(record["Id"])] is None]
        filled = [record for record in records if keys[str(record["Id"])] is not None]
        filled.sort(key=lambda record: sort_key(keys[str(record["Id"])]), reverse=order.descending)
        return filled + empty if order.nulls_last else empty + filled

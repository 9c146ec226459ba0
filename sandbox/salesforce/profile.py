"""What the integration user may see: a deployed permission set on the least-privileged profile."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from sandbox.salesforce.schema import Field, SObject

_NAMESPACE = "{http://soap.sforce.com/2006/04/metadata}"
# Read access to these comes with read access to others.
_ACCESS_FROM = {
    "AccountTeamMember": ("Account",),
    "OpportunityTeamMember": ("Opportunity",),
    "OpportunityContactRole": ("Opportunity", "Contact"),
}
_NEEDS_ACCESS = {"Account", "Contact", "Lead", "Opportunity"}
# https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_permissionset.htm
_DEPENDS_ON = {"Contact": "Account", "Opportunity": "Account"}


class DeployError(Exception):
    """Salesforce refuses to deploy the metadata. `problems` has every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class PermissionSet:
    """`objects` are readable; of those in `view_all` every record is. All names are in lower case."""

    objects: frozenset[str]
    view_all: frozenset[str]
    fields: frozenset[tuple[str, str]]
    user_permissions: frozenset[str]

    @classmethod
    def deploy(cls, xml: str, find: Callable[[str], SObject | None]) -> "PermissionSet":
        """Read the metadata of a permission set. `find` is how the org finds an object. Raises DeployError.

        https://developer.salesforce.com/docs/atlas.en-us.api_meta.meta/api_meta/meta_permissionset.htm
        """
        root = ET.fromstring(xml)
        objects = {_text(node, "object"): node for node in root.iter(f"{_NAMESPACE}objectPermissions")}
        readable = frozenset(name.lower() for name, node in objects.items() if _is_true(node, "allowRead"))
        fields = [_text(node, "field") for node in root.iter(f"{_NAMESPACE}fieldPermissions")]
        names = [_text(node, "name") for node in root.iter(f"{_NAMESPACE}userPermissions")]
        problems = [*_object_problems(objects, readable, find), *_field_problems(fields, readable, find)]
        if problems:
            raise DeployError(problems)
        return cls(
            readable,
            frozenset(name.lower() for name, node in objects.items() if _is_true(node, "viewAllRecords")),
            frozenset((path.partition(".")[0].lower(), path.partition(".")[2].lower()) for path in fields),
            frozenset(names),
        )

    def can_read(self, sobject: SObject) -> bool:
        sources = _ACCESS_FROM.get(sobject.name, (sobject.name,))
        needed = [name for name in sources if name in _NEEDS_ACCESS or name.endswith("__c")]
        return all(name.lower() in self.objects for name in needed)

    def can_see(self, sobject: SObject, field: Field) -> bool:
        return not field.can_be_hidden or (sobject.name.lower(), field.name.lower()) in self.fields

    def sees_all_records(self, sobject: SObject) -> bool:
        """Whether sharing does not matter. The org-wide default of every object is private, as is that of users."""
        if sobject.name == "User":
            return "ViewAllUsers" in self.user_permissions
        return sobject.name not in _NEEDS_ACCESS or sobject.name.lower() in self.view_all


def _object_problems(
    objects: dict[str, ET.Element], readable: frozenset[str], find: Callable[[str], SObject | None]
) -> Iterator[str]:
    for name in objects:
        if find(name) is None:
            yield f"In field: field - no CustomObject named {name} found"
        needed = _DEPENDS_ON.get(name)
        if needed and needed.lower() not in readable:
            yield f"Permission Read {name} depends on permission(s): Read {needed}"


def _field_problems(
    fields: list[str], readable: frozenset[str], find: Callable[[str], SObject | None]
) -> Iterator[str]:
    for path in fields:
        sobject_name, _, name = path.partition(".")
        sobject = find(sobject_name)
        field = sobject.field(name) if sobject else None
        if field is None:
            yield f"In field: field - no CustomField named {path} found"
        elif not field.can_be_hidden:
            yield f"You cannot deploy to a required field: {path}"
        elif sobject_name.lower() not in readable and (sobject_name in _NEEDS_ACCESS or sobject_name.endswith("__c")):
            yield f"Field {path} needs read access to {sobject_name}"
    yield from (f"Duplicate field permission: {path}" for path in set(fields) if fields.count(path) > 1)


def _text(node: ET.Element, name: str) -> str:
    return (node.findtext(f"{_NAMESPACE}{name}") or "").strip()


def _is_true(node: ET.Element, name: str) -> bool:
    return _text(node, name) == "true"

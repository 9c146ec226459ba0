"""Checks for pieces of JSON, which report errors and their JSON pointers in Slack's wording. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Errors = list[str]
Check = Callable[[object, str, Errors], None]


def add_error(errors: Errors, pointer: str, problem: str) -> None:
    errors.append(f"{problem} [json-pointer:{pointer}]")


def string(maximum: int, minimum: int = 0) -> Check:
    def check(value: object, pointer: str, errors: Errors) -> None:
        if not isinstance(value, str):
            add_error(errors, pointer, "must provide a string")
        elif len(value) < minimum:
            add_error(errors, pointer, f"must be more than {minimum - 1} characters")
        elif len(value) > maximum:
            add_error(errors, pointer, f"must be less than {maximum + 1} characters")

    return check


def choice(*allowed: str) -> Check:
    def check(value: object, pointer: str, errors: Errors) -> None:
        if value not in allowed:
            add_error(errors, pointer, f"must be one of: {', '.join(allowed)}")

    return check


def boolean(value: object, pointer: str, errors: Errors) -> None:
    if not isinstance(value, bool):
        add_error(errors, pointer, "must provide a boolean")


def integer(value: object, pointer: str, errors: Errors) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        add_error(errors, pointer, "must provide an integer")


def anything(_value: object, _pointer: str, _errors: Errors) -> None:
    """Accepts every value; for fields whose rules Slack does not publish."""


def url(maximum: int = 3000) -> Check:
    bounded = string(maximum, 1)

    def check(value: object, pointer: str, errors: Errors) -> None:
        bounded(value, pointer, errors)
        if isinstance(value, str) and value and not value.startswith(("http://", "https://", "slack://", "mailto:")):
            add_error(errors, pointer, "must be a valid url")

    return check


def items(item_check: Check, maximum: int, minimum: int = 1) -> Check:
    def check(value: object, pointer: str, errors: Errors) -> None:
        if not isinstance(value, list):
            add_error(errors, pointer, "must provide an array")
            return
        if len(value) > maximum:
            add_error(errors, pointer, f"no more than {maximum} items allowed")
        if len(value) < minimum:
            add_error(errors, pointer, f"no fewer than {minimum} items allowed")
        for position, item in enumerate(value[:maximum]):
            item_check(item, f"{pointer}/{position}", errors)

    return check


@dataclass(frozen=True)
class Shape:
    """An object with these required and optional fields and no others. At least one of `one_of` must be set."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()

    def __call__(self, value: object, pointer: str, errors: Errors) -> None:
        if not isinstance(value, dict):
            add_error(errors, pointer, "must provide an object")
            return
        for name in self.required:
            if value.get(name) is None:
                add_error(errors, pointer, f"missing required field: {name}")
        if self.one_of and not any(value.get(name) for name in self.one_of):
            either = "` or `".join(self.one_of)
            add_error(errors, pointer, f"must define either `{either}`")
        for name, item in value.items():
            check = self.required.get(name) or self.optional.get(name)
            if check is None:
                add_error(errors, pointer, f"invalid additional property: {name}")
            elif item is not None:
                check(item, f"{pointer}/{name}", errors)


@dataclass(frozen=True)
class Typed:
    """An object whose `type` selects its shape."""

    shapes: Mapping[str, Check]

    def __call__(self, value: object, pointer: str, errors: Errors) -> None:
        if not isinstance(value, dict):
            add_error(errors, pointer, "must provide an object")
            return
        kind = value.get("type")
        if not isinstance(kind, str):
            add_error(errors, pointer, "missing required field: type")
        elif kind not in self.shapes:
            add_error(errors, f"{pointer}/type", f"unsupported type: {kind}")
        else:
            self.shapes[kind](value, pointer, errors)


def text(maximum: int, *kinds: str, minimum: int = 1) -> Check:
    """A text object. https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""
    allowed = kinds or ("plain_text", "mrkdwn")
    bounded = string(maximum, minimum)
    plain = Shape({"type": anything, "text": bounded}, {"emoji": boolean})
    markdown = Shape({"type": anything, "text": bounded}, {"verbatim": boolean})
    return Typed({kind: plain if kind == "plain_text" else markdown for kind in allowed})

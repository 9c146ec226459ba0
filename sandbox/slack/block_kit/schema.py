"""Small checkers that say what is wrong with a piece of JSON, and where, in Slack's words. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

Faults = list[str]
Check = Callable[[object, str, Faults], None]


def fault(faults: Faults, pointer: str, problem: str) -> None:
    faults.append(f"{problem} [json-pointer:{pointer}]")


def string(most: int, least: int = 0) -> Check:
    def check(value: object, pointer: str, faults: Faults) -> None:
        if not isinstance(value, str):
            fault(faults, pointer, "must provide a string")
        elif len(value) < least:
            fault(faults, pointer, f"must be more than {least - 1} characters")
        elif len(value) > most:
            fault(faults, pointer, f"must be less than {most + 1} characters")

    return check


def choice(*allowed: str) -> Check:
    def check(value: object, pointer: str, faults: Faults) -> None:
        if value not in allowed:
            fault(faults, pointer, f"must be one of: {', '.join(allowed)}")

    return check


def boolean(value: object, pointer: str, faults: Faults) -> None:
    if not isinstance(value, bool):
        fault(faults, pointer, "must provide a boolean")


def integer(value: object, pointer: str, faults: Faults) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        fault(faults, pointer, "must provide an integer")


def anything(_value: object, _pointer: str, _faults: Faults) -> None:
    """For what Slack checks and we have no published figure for."""


def url(most: int = 3000) -> Check:
    bounded = string(most, 1)

    def check(value: object, pointer: str, faults: Faults) -> None:
        bounded(value, pointer, faults)
        if isinstance(value, str) and value and not value.startswith(("http://", "https://", "slack://", "mailto:")):
            fault(faults, pointer, "must be a valid url")

    return check


def items(of: Check, most: int, least: int = 1) -> Check:
    def check(value: object, pointer: str, faults: Faults) -> None:
        if not isinstance(value, list):
            fault(faults, pointer, "must provide an array")
            return
        if len(value) > most:
            fault(faults, pointer, f"no more than {most} items allowed")
        if len(value) < least:
            fault(faults, pointer, f"no fewer than {least} items allowed")
        for position, item in enumerate(value[:most]):
            of(item, f"{pointer}/{position}", faults)

    return check


@dataclass(frozen=True)
class Shape:
    """An object: the fields it must have, those it may have, and no other; of `one_of` at least one is needed."""

    required: Mapping[str, Check] = field(default_factory=dict)
    optional: Mapping[str, Check] = field(default_factory=dict)
    one_of: tuple[str, ...] = ()

    def __call__(self, value: object, pointer: str, faults: Faults) -> None:
        if not isinstance(value, dict):
            fault(faults, pointer, "must provide an object")
            return
        for name in self.required:
            if value.get(name) is None:
                fault(faults, pointer, f"missing required field: {name}")
        if self.one_of and not any(value.get(name) for name in self.one_of):
            either = "` or `".join(self.one_of)
            fault(faults, pointer, f"must define either `{either}`")
        for name, item in value.items():
            check = self.required.get(name) or self.optional.get(name)
            if check is None:
                fault(faults, pointer, f"invalid additional property: {name}")
            elif item is not None:
                check(item, f"{pointer}/{name}", faults)


@dataclass(frozen=True)
class Typed:
    """An object whose `type` says which shape it has."""

    shapes: Mapping[str, Shape]

    def __call__(self, value: object, pointer: str, faults: Faults) -> None:
        if not isinstance(value, dict):
            fault(faults, pointer, "must provide an object")
            return
        kind = value.get("type")
        if not isinstance(kind, str):
            fault(faults, pointer, "missing required field: type")
        elif kind not in self.shapes:
            fault(faults, f"{pointer}/type", f"unsupported type: {kind}")
        else:
            self.shapes[kind](value, pointer, faults)


def text(most: int, *kinds: str, least: int = 1) -> Check:
    """A text object. https://docs.slack.dev/reference/block-kit/composition-objects/text-object"""
    allowed = kinds or ("plain_text", "mrkdwn")
    bounded = string(most, least)
    plain = Shape({"type": anything, "text": bounded}, {"emoji": boolean})
    markdown = Shape({"type": anything, "text": bounded}, {"verbatim": boolean})
    return Typed({kind: plain if kind == "plain_text" else markdown for kind in allowed})

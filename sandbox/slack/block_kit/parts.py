"""The elements inside blocks, and the ids that Slack adds where they are missing."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Blocks = list[dict[str, Any]]


def elements_of(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The interactive elements of a block and of its nested blocks."""
    if block.get("accessory"):
        yield block["accessory"]
    if block["type"] == "input":
        yield block["element"]
    if block["type"] == "actions":
        yield from block["elements"]
    yield from block.get("actions") or ()
    nested: Iterable[dict[str, Any]] = block.get("child_blocks") or (
        block["elements"] if block["type"] == "carousel" else ()
    )
    for inner in nested:
        yield from elements_of(inner)


def _random_id() -> str:
    return secrets.token_urlsafe(4)


def with_ids(blocks: Blocks, new_id: Callable[[], str] = _random_id) -> Blocks:
    """The blocks as Slack stores them, with a generated `block_id` or `action_id` where there is none."""
    return [_block_with_ids(block, new_id) for block in blocks]


def _block_with_ids(block: dict[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    stored = {**block, "block_id": block.get("block_id") or new_id()}
    for name in ("accessory", "element"):
        if stored.get(name):
            stored[name] = _element_with_id(stored[name], new_id)
    if stored["type"] == "actions":
        stored["elements"] = [_element_with_id(element, new_id) for element in stored["elements"]]
    if stored.get("actions"):
        stored["actions"] = [_element_with_id(element, new_id) for element in stored["actions"]]
    nested = {"container": "child_blocks", "carousel": "elements"}.get(stored["type"])
    if nested:
        stored[nested] = [_block_with_ids(inner, new_id) for inner in stored[nested]]
    return stored


def _element_with_id(element: dict[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    if element["type"] == "image":
        return element
    return {**element, "action_id": element.get("action_id") or new_id()}

"""The elements inside blocks, and the ids that Slack gives to what came without."""

import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Blocks = list[dict[str, Any]]


def elements_of(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every element of a block that someone can use, those of nested blocks too."""
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
    """The blocks as Slack keeps them: what came without a `block_id` or `action_id` has been given one."""
    return [_keep_block(block, new_id) for block in blocks]


def _keep_block(block: dict[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    kept = {**block, "block_id": block.get("block_id") or new_id()}
    for name in ("accessory", "element"):
        if kept.get(name):
            kept[name] = _keep_element(kept[name], new_id)
    if kept["type"] == "actions":
        kept["elements"] = [_keep_element(element, new_id) for element in kept["elements"]]
    if kept.get("actions"):
        kept["actions"] = [_keep_element(element, new_id) for element in kept["actions"]]
    for name in ("child_blocks",) if kept["type"] == "container" else ("elements",) * (kept["type"] == "carousel"):
        kept[name] = [_keep_block(inner, new_id) for inner in kept[name]]
    return kept


def _keep_element(element: dict[str, Any], new_id: Callable[[], str]) -> dict[str, Any]:
    if element["type"] == "image":
        return element
    return {**element, "action_id": element.get("action_id") or new_id()}

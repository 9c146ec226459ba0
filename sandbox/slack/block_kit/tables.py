"""The rich text and table blocks, and the rules for all tables of a message together. Pure.

https://docs.slack.dev/reference/block-kit/blocks/table-block, /data-table-block and /rich-text-block
"""

from collections.abc import Iterator
from typing import Any

from sandbox.slack.block_kit.schema import (
    Check,
    Errors,
    Shape,
    Typed,
    add_error,
    anything,
    boolean,
    choice,
    integer,
    items,
    string,
    url,
)

MAX_CELL_TEXT = 10_000
"""Characters in all cells of a message."""

TABLES = {"table", "data_table"}

_type: dict[str, Check] = {"type": anything}
_id: dict[str, Check] = {"block_id": string(255)}
_style: dict[str, Check] = {
    "style": Shape({}, {"bold": boolean, "italic": boolean, "strike": boolean, "code": boolean, "underline": boolean})
}
_rich_text_leaf = Typed(
    {
        "text": Shape({**_type, "text": string(MAX_CELL_TEXT, 1)}, _style),
        "link": Shape({**_type, "url": url()}, {**_style, "text": string(MAX_CELL_TEXT, 1), "unsafe": boolean}),
        "user": Shape({**_type, "user_id": string(255, 1)}, _style),
        "channel": Shape({**_type, "channel_id": string(255, 1)}, _style),
        "usergroup": Shape({**_type, "usergroup_id": string(255, 1)}, _style),
        "emoji": Shape({**_type, "name": string(255, 1)}, {**_style, "unicode": string(255)}),
        "broadcast": Shape({**_type, "range": choice("here", "channel", "everyone")}, _style),
        "color": Shape({**_type, "value": string(255, 1)}, _style),
        "date": Shape(
            {**_type, "timestamp": integer, "format": string(255, 1)},
            {**_style, "url": url(), "fallback": string(255, 1)},
        ),
    }
)
_leaves = items(_rich_text_leaf, 1000, 0)
rich_text = Shape(
    {
        **_type,
        "elements": items(
            Typed(
                {
                    "rich_text_section": Shape({**_type, "elements": _leaves}),
                    "rich_text_quote": Shape({**_type, "elements": _leaves}, {"border": integer}),
                    "rich_text_preformatted": Shape(
                        {**_type, "elements": _leaves}, {"border": integer, "language": string(255)}
                    ),
                    "rich_text_list": Shape(
                        {**_type, "style": choice("bullet", "ordered"), "elements": items(anything, 1000)},
                        {"indent": integer, "offset": integer, "border": integer},
                    ),
                }
            ),
            1000,
            0,
        ),
    },
    _id,
)
_raw_text = Shape({**_type, "text": string(MAX_CELL_TEXT, 1)})
_raw_number = Shape({**_type, "value": anything}, {"text": string(MAX_CELL_TEXT, 1)})
_cell = Typed({"raw_text": _raw_text, "raw_number": _raw_number, "rich_text": rich_text})
_rows = items(_cell, 20)
_column = Shape({}, {"align": choice("left", "center", "right"), "is_wrapped": boolean})

table = Shape({**_type, "rows": items(_rows, 100)}, {**_id, "column_settings": items(_column, 20)})


def data_table(value: object, pointer: str, errors: Errors) -> None:
    """The first row is the header, which has no rich text. All rows have the same number of cells."""
    _data_table(value, pointer, errors)
    if errors or not isinstance(value, dict):
        return
    header, *rows = value["rows"]
    for position, cell in enumerate(header):
        if cell["type"] == "rich_text":
            add_error(errors, f"{pointer}/rows/0/{position}/type", "unsupported type: rich_text")
    for position, row in enumerate(rows, 1):
        if len(row) != len(header):
            add_error(errors, f"{pointer}/rows/{position}", f"must have {len(header)} items")


_data_table = Shape(
    {**_type, "caption": string(2000, 1), "rows": items(_rows, 201, 2)},
    {**_id, "page_size": integer, "row_header_column_index": integer},
)


def check_tables(blocks: Any) -> Errors:
    """The errors of the tables of valid blocks."""
    cells = [cell for block in blocks if block["type"] in TABLES for row in block["rows"] for cell in row]
    if sum(map(len, _texts(cells))) > MAX_CELL_TEXT:
        return [f"no more than {MAX_CELL_TEXT} characters allowed [json-pointer:/blocks]"]
    return []


def _texts(part: object) -> Iterator[str]:
    if isinstance(part, list):
        for item in part:
            yield from _texts(item)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name in {"text", "fallback"} and isinstance(value, str):
                yield value
            else:
                yield from _texts(value)

"""Detects the format of a file: CSV, JSON or JSON Lines, its encoding, separator and columns."""

from __future__ import annotations

import codecs
import csv
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from domain.errors import PermanentError

CSV, JSON, JSON_LINES = "CSV", "JSON", "JSON Lines"

OPENING = re.compile(r'\s*(?:\{\s*"(?:job_changes|data|records|results|rows|items)"\s*:\s*)?\[')
"""The start of a JSON array, by itself or inside the object in which tools wrap it."""

CHUNK = 256 * 1024
"""How much of a file is read at once, and used to detect its format."""

_SAMPLE_LINES = 20
_SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_SEPARATOR_LINE = re.compile(r"sep=(.)\s*", re.IGNORECASE)


class UnreadableFileError(PermanentError):
    """The file has no rows that can be read."""


@dataclass(frozen=True)
class RowsFile:
    """
    A file and its format. `digest` is that of its content; `size` is in bytes.

    For CSV, `header` has unique column names and `lines_before` is the number of lines up to the header. `separator`
    is empty for other formats.
    """

    path: Path
    size: int
    digest: str
    kind: str
    encoding: str
    separator: str = ""
    header: tuple[str, ...] = ()
    lines_before: int = 0


def detect_format(path: Path) -> RowsFile:
    """Detect the format of a file, reading it once. Raises UnreadableFileError, OSError."""
    digest, utf8 = hashlib.sha256(), codecs.getincrementaldecoder("utf-8")()
    head, is_utf8 = b"", True
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            head = head or chunk
            digest.update(chunk)
            try:
                utf8.decode(chunk)
            except UnicodeDecodeError:
                is_utf8 = False
    encoding = _encoding(head, is_utf8=is_utf8)
    text = head.decode(encoding, "replace")
    if not text.strip("\x00 \t\r\n"):
        raise UnreadableFileError(f"{path} is empty")
    size, kind = path.stat().st_size, _kind(text)
    if kind != CSV:
        return RowsFile(path, size, digest.hexdigest(), kind, encoding)
    separator, header, before = _columns(text)
    return RowsFile(path, size, digest.hexdigest(), kind, encoding, separator, header, before)


def _encoding(head: bytes, *, is_utf8: bool) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    # Text has hardly any zero bytes, except in UTF-16, where every second byte of ASCII is zero.
    zeros = Counter(index % 2 for index, byte in enumerate(head[:4_000]) if byte == 0)
    if sum(zeros.values()) > len(head[:4_000]) / 4:
        return "utf-16-le" if zeros[1] > zeros[0] else "utf-16-be"
    # Files that are not UTF-8 nearly always come from a spreadsheet on Windows. Latin-1 is almost the same.
    return "utf-8" if is_utf8 else "cp1252"


def _kind(text: str) -> str:
    text = text.lstrip()
    if not text.startswith(("[", "{")):
        return CSV
    if OPENING.match(text):
        return JSON
    # The first line may be malformed. An object over several lines continues with a name.
    first, second = [*(line.strip() for line in text.splitlines()[:100] if line.strip()), ""][:2]
    return JSON_LINES if first.endswith("}") or second.startswith("{") else JSON


def _columns(text: str) -> tuple[str, tuple[str, ...], int]:
    """Return the separator, the names, and the number of lines before the first row."""
    lines = StringIO(text, newline="").readlines()
    if stated := _SEPARATOR_LINE.fullmatch(lines[0]):
        return stated[1], *_header(lines[1:], stated[1], 1)
    separator = max(_SEPARATORS, key=lambda candidate: _likelihood(lines, candidate))
    return separator, *_header(lines, separator, 0)


def _likelihood(lines: Sequence[str], separator: str) -> float:
    """Return the number of columns in the first line, reduced if the next lines have another number."""
    try:
        rows = [row for row in csv.reader(lines[:_SAMPLE_LINES], delimiter=separator) if row]
    except csv.Error:
        return 0.0
    same = sum(len(row) == len(rows[0]) for row in rows) / len(rows) if rows else 0.0
    return (len(rows[0]) - 1) * (0.5 + same) if rows else 0.0


def _header(lines: Sequence[str], separator: str, before: int) -> tuple[tuple[str, ...], int]:
    """Return the unique names, and the number of lines before the first row."""
    reader = csv.reader(lines, delimiter=separator)
    try:
        cells = next((row for row in reader if any(cell.strip() for cell in row)), [])
    except csv.Error:
        cells = []
    names: list[str] = []
    for number, cell in enumerate(cells, 1):
        name = free = cell.strip() or f"column {number}"
        suffix = 2
        while free in names:
            free, suffix = f"{name} {suffix}", suffix + 1
        names.append(free)
    return tuple(names), before + reader.line_num

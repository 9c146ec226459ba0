"""Refused rows with their reasons, as a CSV file that can be corrected and imported again."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from services.intake.files.formats import RowsFile
from services.intake.files.rows import REFUSED_BECAUSE, REFUSED_LINE, FileRow

MOST_LISTED = 20
"""How many refused rows a dry run lists."""

_WHOLE_ROW = "row"
"""The column for rows that have no columns, those of JSON."""

REFUSED_ROWS = ".refused.csv"
"""The end of the name of a file with refused rows."""


@dataclass
class RefusedRowsFile:
    """The file is created with the first refused row. `kept` is its size in bytes after an interrupted import."""

    path: Path
    columns: Sequence[str]
    kept: int = 0
    _file: TextIO | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, file: RowsFile, kept: int) -> RefusedRowsFile:
        """Return the file of refused rows for `file`. One of an earlier import is replaced unless `kept` is set."""
        path = refused_rows_path(file.path)
        if not kept:
            path.unlink(missing_ok=True)
        added = (REFUSED_LINE, REFUSED_BECAUSE)
        return cls(path, [name for name in file.header if name not in added] or [_WHOLE_ROW], kept)

    def write(self, row: FileRow, reason: str) -> None:
        """Add a refused row. Raises OSError."""
        cells = [_cell(row.content.get(name)) for name in self.columns] if isinstance(row.content, dict) else []
        if self.columns == [_WHOLE_ROW]:
            cells = [row.content if isinstance(row.content, str) else json.dumps(row.content, ensure_ascii=False)]
        csv.writer(self._open(), quoting=csv.QUOTE_ALL).writerow(map(escape_formula, [str(row.line), reason, *cells]))

    def flush(self) -> int:
        """Flush the file, and return its size in bytes."""
        if self._file is None:
            return self.kept
        self._file.flush()
        return self.path.stat().st_size

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _open(self) -> TextIO:
        if self._file is None:
            # With a byte order mark, so that spreadsheets recognize UTF-8.
            is_new = not self.kept
            self._file = self.path.open(
                "w" if is_new else "r+", encoding="utf-8-sig" if is_new else "utf-8", newline=""
            )
            if is_new:
                csv.writer(self._file, quoting=csv.QUOTE_ALL).writerow(
                    map(escape_formula, [REFUSED_LINE, REFUSED_BECAUSE, *self.columns])
                )
            else:
                self._file.seek(self.kept)
                self._file.truncate()
        return self._file


@dataclass
class RefusalList:
    """The first refused rows of a dry run, which writes no file."""

    lines: list[str]

    def write(self, row: FileRow, reason: str) -> None:
        if len(self.lines) < MOST_LISTED:
            self.lines.append(f"Line {row.line:,}: {reason}")

    def flush(self) -> int:
        return 0

    def close(self) -> None:
        pass


def refused_rows_path(path: Path) -> Path:
    """Return the path for the refused rows of this file."""
    return path.with_name(f"{path.name}{REFUSED_ROWS}")


_FORMULA = re.compile("(^|[;,|\t])([=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20])")
"""
The start of a formula, also in full width, as in East Asian spreadsheets.

In some countries spreadsheets separate cells at semicolons, so a formula may start inside of our cell.
"""


def escape_formula(cell: str) -> str:
    """Quote a cell that a spreadsheet would run as a formula. https://owasp.org/www-community/attacks/CSV_Injection"""
    return _FORMULA.sub(r"\1'\2", cell)


def _cell(value: object) -> str:
    return "" if value is None else str(value)

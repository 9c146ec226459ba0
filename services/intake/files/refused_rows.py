"""The rows that were refused, with the reasons, as a CSV that can be mended and imported again."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from services.intake.files.formats import RowsFile
from services.intake.files.rows import REFUSED_BECAUSE, REFUSED_LINE, FileRow

MOST_TOLD = 20
"""Refused rows that are told where none are written."""

_AS_IT_IS = "row"
"""The column of rows that have none of their own: those of JSON."""


@dataclass
class RefusedRowsFile:
    """Made when the first row is refused. *kept* bytes stand there from an import that was interrupted."""

    path: Path
    columns: Sequence[str]
    kept: int = 0
    _file: TextIO | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, file: RowsFile, kept: int) -> RefusedRowsFile:
        """Beside the file; what an earlier import left there is replaced unless it is *kept*."""
        path = refused_rows_path(file.path)
        if not kept:
            path.unlink(missing_ok=True)
        ours = (REFUSED_LINE, REFUSED_BECAUSE)
        return cls(path, [name for name in file.header if name not in ours] or [_AS_IT_IS], kept)

    def write(self, row: FileRow, reason: str) -> None:
        """Raises OSError."""
        cells = [_cell(row.content.get(name)) for name in self.columns] if isinstance(row.content, dict) else []
        if self.columns == [_AS_IT_IS]:
            cells = [row.content if isinstance(row.content, str) else json.dumps(row.content, ensure_ascii=False)]
        csv.writer(self._opened()).writerow(map(harmless, [str(row.line), reason, *cells]))

    def flush(self) -> int:
        """How many bytes stand in the file now."""
        if self._file is None:
            return self.kept
        self._file.flush()
        return self.path.stat().st_size

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def _opened(self) -> TextIO:
        if self._file is None:
            # With a byte order mark, by which spreadsheets tell UTF-8.
            is_new = not self.kept
            self._file = self.path.open(
                "w" if is_new else "r+", encoding="utf-8-sig" if is_new else "utf-8", newline=""
            )
            if is_new:
                csv.writer(self._file).writerow(map(harmless, [REFUSED_LINE, REFUSED_BECAUSE, *self.columns]))
            else:
                self._file.seek(self.kept)
                self._file.truncate()
        return self._file


@dataclass
class RefusalList:
    """The same of a rehearsal, which writes nothing: the first of them, to be told."""

    told: list[str]

    def write(self, row: FileRow, reason: str) -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append(f"line {row.line:,}: {reason}")

    def flush(self) -> int:
        return 0

    def close(self) -> None:
        pass


def refused_rows_path(path: Path) -> Path:
    """Where the refused rows of this file go."""
    return path.with_name(f"{path.name}.refused.csv")


_FORMULAS = (*"=+-@\t\r\n", *"\uff1d\uff0b\uff0d\uff20")
"""How formulas begin, also in the full width of East Asian spreadsheets."""


def harmless(cell: str) -> str:
    """A spreadsheet would run what begins like a formula. https://owasp.org/www-community/attacks/CSV_Injection"""
    return f"'{cell}" if cell.startswith(_FORMULAS) else cell


def _cell(value: object) -> str:
    return "" if value is None else str(value)

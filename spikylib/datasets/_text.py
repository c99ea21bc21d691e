"""Delimited text as people write it: its encoding, its separator, and whether it names its columns.

The first lines decide, and what they decide is noted; where they leave a choice, the error names the
option that makes it. A file that is not what its name says is described, not called damaged.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from spikylib.datasets._guard import suffix_of, unpacked

HEAD = 1 << 16  # bytes by which a file is judged
_ROWS = 1 << 18  # rows of text parsed at a time
_SEPARATORS = ["\t", "::", ";", ",", "|", " "]
_USUAL = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".inter": "\t", ".dat": "::"}
_ONE = "\x1f"  # stands for "::", for parsers want one character
_COLONS = ["user", "item", "rating", "time"]  # the columns of files with "::", which have no header
_AS_TEXT: dict[str, Any] = {"header": None, "index_col": False, "skip_blank_lines": False}
_AS_TEXT |= {"dtype": str, "keep_default_na": False, "na_values": [""]}
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?\s*", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


class _OneCharacter(io.TextIOWrapper):
    """Text in which "::" has become one character."""

    def read(self, size=-1):
        # to the end of a line, so that no pair of colons is cut
        return (super().read(size) + super().readline()).replace("::", _ONE)

    def __next__(self):
        return super().__next__().replace("::", _ONE)


@dataclass
class Layout:
    """How a text file is written, and its first rows."""

    path: Path
    encoding: str
    separator: str = ","
    skipped: int = 0  # lines above the first row
    names: list = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    lists: bool = False  # each line is a list of items, as long as it may be
    notes: list[str] = field(default_factory=list)

    @property
    def quoting(self) -> int:
        """Quotes enclose fields between commas and the like; between tabs they belong to a title."""
        return csv.QUOTE_MINIMAL if self.separator in (",", ";", "|") else csv.QUOTE_NONE

    @contextmanager
    def opened(self) -> Iterator[io.TextIOWrapper]:
        """The text, unpacked on the way. Bytes that are not in its encoding are shown in the error."""
        kind = _OneCharacter if self.separator == _ONE else io.TextIOWrapper
        try:
            with unpacked(self.path) as file, kind(file, self.encoding, newline="") as text:
                yield text
        except LookupError as error:
            raise ValueError(f"{self.path}: {error}") from None  # unknown encoding
        except UnicodeDecodeError as error:
            line = re.split(rb"[\r\n]", error.object[: error.end])[-1][-40:]
            raise ValueError(
                f"{self.path} is not {error.encoding} at the bytes {line!r}, which in windows-1252 are "
                f"{line.decode('cp1252', 'replace')!r}: save it as UTF-8, or in Python give encoding='windows-1252' "
                "if that is right, else the encoding in which it was saved"
            ) from None

    def split(self, lines) -> Iterator[tuple[int, list[str]]]:
        """Fields of each row, none of an empty one, and the number of its last line."""
        reader = csv.reader(lines, delimiter=self.separator, quoting=self.quoting)
        for row in reader:
            yield reader.line_num, [word for word in row if word] if self.separator == " " else row

    def place(self, row: int) -> str:
        """The line on which a row ends, for an error about it: a quoted field may spread over several."""
        with self.opened() as file:
            return f"line {max(line for line, _ in islice(self.split(file), self.skipped + row + 1))}"


def layout(
    path: Path, *, encoding=None, separator=None, header="guess", names=None, lists=None, positions=False
) -> Layout:
    """Judge a file by its first lines, as far as the options leave it open.

    `lists` is whether each line is a list, `positions` whether columns were asked for by position.
    """
    usual = _USUAL.get(suffix_of(path))
    found = Layout(path, encoding or _encoding(path))
    with found.opened() as file:
        head = file.read(HEAD)
        lines = re.split(r"\r\n|\r|\n", head if len(head) < HEAD else head + file.readline())
    if not any(line.strip() for line in lines):
        raise ValueError(f"{path} is empty")
    found.separator = separator or _separator(lines, usual)
    found.notes = [f"read as {found.encoding}"] * (found.encoding not in ("utf-8", "utf-8-sig"))
    if found.separator != (usual or found.separator):
        found.notes.append(f"fields are separated by {found.separator!r}")
    if declared := re.fullmatch(r"sep=(.)", lines[0]):  # a line that spreadsheets write
        found.separator, found.skipped, lines = separator or declared[1], 1, lines[1:]
    if found.separator == "::":
        found.separator, lines = _ONE, [line.replace("::", _ONE) for line in lines]
    if len(found.separator) != 1:
        raise ValueError(f"{path}: separator must be one character or '::', got {separator!r}")
    found.rows = [row for _, row in found.split(lines)]
    if names is None and header == "guess":
        first = found.rows[0]
        # a table has as many fields in most lines as in the first, but for empty ones at the end
        rows = [row for row in found.rows if row]
        alike = [row for row in rows if len(row) >= len(first) and not any(row[len(first) :])]
        found.lists = len(alike) < len(rows) / 2 if lists is None else lists
        if found.lists:
            return found
        if found.separator == _ONE and NUMBER.fullmatch(first[-1]):
            names = [*_COLONS, *range(4, len(first))][: len(first)]
            found.notes.append("columns taken to be user::item::rating::time")
        elif (odd := _data_in(found.rows)) and positions:
            header = None
        elif odd:
            raise ValueError(
                f"{path}: the first line looks like data ({odd}), not like names of columns: write such a line above it, "
                "or count columns from 0, as with item=1 and context=0. Where each line is a list of items, say "
                "context='line'; where it is names after all, in Python header=0"
            )
        elif positions:
            raise ValueError(f"{path} names its columns: say which of {', '.join(first)}, or header=None")
    if names is None and header is not None:
        # RecBole writes a type after each name
        names = [re.sub(r":\w+$", "", name) for name in found.rows.pop(0)]
        found.skipped += 1
    found.names = [*range(max(map(len, found.rows)))] if names is None else [*names]
    if len(set(found.names)) < len(found.names):
        raise ValueError(
            f"{path} has two columns of one name among {', '.join(map(str, names))}: rename one, or in Python give names="
        )
    return found


def parsed(found: Layout, columns: Sequence) -> pd.DataFrame:
    """The named columns as text, a row for each row of the file; an empty field is missing.

    "NA", "None" and "null" are titles like any other. A line with more fields than names is refused.
    """
    width = max([len(found.names), *map(len, found.rows)]) + 1  # trailing separators make empty fields
    sep = r"\s+" if found.separator == " " else found.separator
    layout = {"sep": sep, "quoting": found.quoting, "names": range(width), "skiprows": found.skipped}
    parts = []
    try:
        with found.opened() as file:
            for part in pd.read_csv(file, chunksize=_ROWS, **layout, **_AS_TEXT):
                filled = part.notna()
                if filled.loc[:, len(found.names) :].any(axis=None):
                    raise pd.errors.ParserError
                part = part[filled.any(axis=1)]  # without empty lines
                parts.append(part[[found.names.index(c) for c in columns]].set_axis(columns, axis=1))
    except pd.errors.EmptyDataError:
        return pd.DataFrame(columns=columns, dtype=str)  # a header alone
    except pd.errors.ParserError:
        raise ValueError(f"{found.path}{_fault(found)}") from None
    return pd.concat(parts)


def _fault(found):
    """Why a file cannot be parsed: the first line with too many fields, else a quote that is never closed."""
    names, start, end = found.names, 0, 0
    with found.opened() as file:
        for line, row in found.split(file):
            start, end = end + 1, line
            if any(row[len(names) :]):
                known = f"the {len(names)} columns {', '.join(map(str, names))}"
                return f", line {line}: more fields than {known}"
    return f": a quote opened at line {start} is never closed: close it, double it, or save with tabs"


def _encoding(path):
    """That of a mark at the start, else UTF-8; zero bytes are in neither, and what they may be is said."""
    with unpacked(path) as file:
        start = file.read(HEAD)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" not in start:
        return "utf-8-sig"  # with or without its mark
    remedy = "save it in one of the formats of the page on data"
    for encoding, zeros in (("utf-16-le", start[1::2]), ("utf-16-be", start[::2])):
        if zeros.count(0) > len(zeros) / 2:
            remedy = f"it looks like {encoding}: save it as UTF-8, or in Python give encoding={encoding!r}"
    if start.startswith(b"PK"):
        remedy = "it is a workbook or a zip archive: save its table as CSV"
    raise ValueError(f"{path} contains zero bytes, so it is not text in UTF-8; {remedy}")


def _separator(lines, usual):
    """That of the suffix where the first line has it, else what cuts the most lines alike."""
    if usual and usual in lines[0]:
        return usual
    lines = [line.strip() for line in lines[:100] if line.strip()]
    alike = {s: sum(line.count(s) == lines[0].count(s) for line in lines[:-1] or lines) for s in _SEPARATORS}
    present = [s for s in _SEPARATORS if s in lines[0]]
    return max(present, key=alike.get) if present else usual or ","


def _data_in(rows):
    """Fields of the first row that are not names: numbers, dates, or of the pattern of all rows below."""
    first, below = rows[0], [row for row in rows[1:] if len(row) >= len(rows[0])]
    numbers = [name for name in first if name.isdecimal()]
    if len(numbers) > 2 and numbers[-1] == str(len(numbers) - 1) and len(first) > len(numbers):
        return ""  # a table saved with an index and without names has their numbers
    pattern = [re.sub(r"\d+", "0", name) for name in first]
    same = [
        below != [] and shape != name and all(re.sub(r"\d+", "0", row[k]) == shape for row in below)
        for k, (name, shape) in enumerate(zip(first, pattern))
    ]
    odd = [n for n, alike in zip(first, same) if alike or NUMBER.fullmatch(n) or _DATE.match(n)]
    return ", ".join(odd[:3])

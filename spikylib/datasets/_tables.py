"""Tables in the formats that people bring, opened alike: text, Parquet, JSON, lists of items, folders of these."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from spikylib.datasets import _text
from spikylib.datasets._guard import PARQUET, check_density, reading_own, suffix_of, unpacked

_SAMPLE = 1000  # rows from which columns are guessed
_MAX_WHOLE = 1 << 30  # bytes of a file that is read whole
LIST = "list"  # the column that numbers the lists of items in a file


@dataclass
class Table:
    """A table that is read when its columns are chosen."""

    names: list
    sample: pd.DataFrame  # first rows
    read: Callable[[list], pd.DataFrame]  # columns by name; the index is what `place` takes
    place: Callable = "row {}".format  # where a row is, for an error about it
    notes: list[str] = field(default_factory=list)


def open_table(path: Path, item=None, context=None, **how: Any) -> Table:
    """The table of a file or a folder. `item` and `context` as asked for, `how` options of `_text.layout`."""
    suffix = suffix_of(path)
    if path.is_dir():
        return _folder(path, item, context, how)
    with reading_own(path):
        if suffix in PARQUET:
            return _parquet(path)
        if suffix in (".json", ".jsonl", ".ndjson"):
            return _json(path, item)
        lists = context == "line" or (context == 0 and item is None) or None
        positions = isinstance(item, int)
        found = _text.layout(path, lists=lists if item is None else False, positions=positions, **how)
        if found.lists:
            return _items_by_line(found, context)
        rows = [row[: len(found.names)] for row in found.rows[:_SAMPLE] if len(row) >= len(found.names)]
        sample = pd.DataFrame(rows, columns=found.names, dtype=str).replace("", None)
        return Table(found.names, sample, partial(_text.parsed, found), found.place, found.notes)


def is_list(type_: pa.DataType) -> bool:
    """Whether a column of Parquet has a list in each row."""
    return pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)


def _items_by_line(found, context):
    """One list of items a line, the first field of which may name it."""
    with found.opened() as file:
        rows = [row for _, row in found.split(file) if row]
    first, items = [row[0] for row in rows], {item for row in rows for item in row[1:]}
    if all(word.isdecimal() and int(word) == len(row) - 1 for word, row in zip(first, rows)):
        rows, context = [row[1:] for row in rows], "line"
        found.notes.append("the first field of each line counts its items")
    running = first[0].isdecimal() and first == [str(int(first[0]) + k) for k in range(len(rows))]
    if context is None and len(set(first)) == len(first) > 1:
        if items & set(first) and not running:
            raise ValueError(
                f"{found.path}: the first field of a line, such as {first[0]!r}, may name the list or be one of "
                "its items; say context=0 or context='line'"
            )
        context = 0
    names = [row.pop(0) for row in rows] if context == 0 else range(len(rows))
    found.notes.append(f"each line is a list of items{', after the name of the context' * (context == 0)}")
    named = np.repeat(np.array(names, dtype=object if context == 0 else None), [len(row) for row in rows])
    table = pd.DataFrame({LIST: named, "item": [item for row in rows for item in row]})
    return Table([LIST, "item"], table[:_SAMPLE], table.__getitem__, notes=found.notes)


def _parquet(path):
    schema = pyarrow.parquet.read_schema(path)
    check_density(path)
    lists = [f.name for f in schema if is_list(f.type)]
    vectors = [f.name for f in schema if f.name in lists and pa.types.is_floating(f.type.value_type)]

    def read(columns):
        # without what pandas notes of an index; and a whole number beside a missing one stays whole
        stored = pyarrow.parquet.read_table(path, columns=[c for c in columns if c in schema.names])
        table = stored.to_pandas(ignore_metadata=True, integer_object_nulls=True)
        if LIST not in table:
            table[LIST] = range(len(table))
        for column in set(columns) & set(lists):
            table = table.explode(column)
        return table[columns]

    names = [name for name in schema.names if name not in vectors]
    names += [LIST] * (len(lists) > len(vectors) and LIST not in names)
    first = next(pyarrow.parquet.ParquetFile(path).iter_batches(_SAMPLE), schema.empty_table())
    sample = first.to_pandas(ignore_metadata=True, integer_object_nulls=True)
    return Table(names, sample if LIST in sample else sample.assign(**{LIST: 0}), read)


def _json(path, item):
    """Records, one per line or in an array; the entries of a list in each of them are the rows."""
    with unpacked(path, _MAX_WHOLE) as file:
        text = file.read().decode("utf-8-sig")
    try:
        data = json.loads(text if suffix_of(path) == ".json" else "")
    except json.JSONDecodeError:  # one record a line
        data = [json.loads(line) for line in text.split("\n") if line.strip()]
    if isinstance(data, dict):  # an envelope, such as {"playlists": [...]}
        inside = {k: v for k, v in data.items() if isinstance(v, list)}
        data = [{k: record} for k, v in inside.items() for record in v] if len(inside) == 1 else [data]
    records = [record if isinstance(record, dict) else {"item": record} for record in data]
    table = pd.DataFrame([dict(_leaves(record)) for record in records], dtype=object)
    lists = _columns_of_lists(table)
    # lists deeper in a record describe its one event
    depth = min([name.count(".") for name in lists], default=0)
    listed = [item] if item in lists else [name for name in lists if name.count(".") == depth <= 1]
    if len(listed) > 1:  # of records, among those of anything
        listed = [n for n in listed if any(isinstance(c, list) and dict in map(type, c) for c in table[n])]
    if len(listed) == 1:
        table = table.assign(**{LIST: range(len(table))})
        table = table[table[listed[0]].map(lambda cell: cell != [])].explode(listed)
        cells = [cell if isinstance(cell, dict) else {"": cell} for cell in table.pop(listed[0])]
        inside = pd.DataFrame([dict(_leaves(cell, listed[0])) for cell in cells], table.index, dtype=object)
        table = pd.concat([table, inside], axis=1)
    table = table.drop(columns=_columns_of_lists(table))
    return Table([*table.columns], table[:_SAMPLE], table.__getitem__, place="record {}".format)


def _leaves(value, name=""):
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from _leaves(inside, f"{name}.{key}".strip("."))
    else:
        yield name, value


def _columns_of_lists(table):
    return [name for name in table if table[name].map(lambda cell: isinstance(cell, list)).any()]


def _folder(path, item, context, how):
    """Files of one format; folders named key=value give a column."""
    files = [f for f in sorted(path.rglob("*")) if f.is_file()]
    files = [f for f in files if not any(part[0] in "._" for part in f.relative_to(path).parts)]
    if not files:
        raise ValueError(f"{path} contains no files: name a file, or a folder of files of one format")
    if (suffixes := {suffix_of(f) for f in files}) & {".npy", ".npz"}:
        raise ValueError(f"{path} contains arrays without dates in their names: name one, or date all")
    if len(suffixes) > 1:
        raise ValueError(f"{path} mixes formats: {', '.join(sorted(suffixes))}")
    tables = [open_table(f, item, context, **how) for f in files]
    keys = [dict(p.split("=", 1) for p in f.relative_to(path).parts[:-1] if "=" in p) for f in files]

    def read(columns):
        parts, lists = [], 0
        for table, key in zip(tables, keys):
            part = table.read([c for c in columns if c not in key]).assign(**key)[columns]
            if LIST in part and part[LIST].dtype.kind == "i":  # a number within the file
                part[LIST] += lists
                lists = part[LIST].max() + 1
            parts.append(part)
        return pd.concat(parts, keys=range(len(parts)))

    def place(row):
        return f"{tables[row[0]].place(row[1])} of {files[row[0]].relative_to(path)}"

    notes = [f"{len(files)} files", *tables[0].notes]
    return Table([*tables[0].names, *keys[0]], tables[0].sample.assign(**keys[0]), read, place, notes)

"""Embeddings in the formats that people bring: arrays, tables with one column per dimension or of lists, word vectors."""

import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from spikylib._arrays import checked_rows, largest_entry, one_direction
from spikylib._interactions import Embeddings
from spikylib.datasets import _text
from spikylib.datasets._guard import PARQUET, check_density, pick, reading_own, suffix_of, unpacked
from spikylib.datasets._guess import id_rank, whole
from spikylib.datasets._tables import is_list, open_table

_SPARSE = {"indices", "indptr", "shape", "data"}  # what scipy.sparse.save_npz writes


def read_vectors(path: Path, id_column=None, vector_column=None, *, sure: bool = False, **how):
    """Embeddings of any file but a folder; None, unless it is `sure` that they are, of what looks like interactions.

    `how` are options of `_text.layout`.
    """
    suffix = suffix_of(path)
    with reading_own(path):
        if suffix in (".npy", ".npz"):
            return _arrays(path, id_column, vector_column)
        if suffix in PARQUET:
            lists = [field for field in pyarrow.parquet.read_schema(path) if is_list(field.type)]
            if any(sure or pa.types.is_floating(field.type.value_type) for field in lists):
                return _lists_of_numbers(path, id_column, vector_column)
        elif (found := _binary_words(path)) or (found := _text_words(path, **how)):
            return found
        table = open_table(path, **how)
        if dimensions := _dimensions(table, path, vector_column):
            return _wide(table, path, dimensions, id_column)
    if sure or suffix in (".vec", ".bin"):
        raise ValueError(
            f"{path} has no columns of numbers that are embeddings among {', '.join(map(str, table.names))}; for "
            "interactions name their columns: item= and context= (a chapter's item_column and context_column)"
        )
    return None


def _checked(path, vectors, ids=None, notes=()):
    """Embeddings, once the vectors are finite numbers and the ids distinct."""
    vectors = checked_rows(str(path), vectors)
    if vectors.dtype not in (np.float32, np.float64):
        vectors = vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)
    largest_entry(str(path), vectors)  # refuses NaN and infinity
    notes = [f"vectors: {len(vectors)} of dimension {vectors.shape[1]}", *notes]
    if ids is None:
        ids = np.arange(len(vectors))
        notes.append(f"no ids: the rows are numbered 0 to {len(ids) - 1}")
    if len(ids) != len(vectors):
        raise ValueError(f"{path}: {len(ids)} ids for {len(vectors)} vectors")
    if (repeated := pd.Index(ids).duplicated()).any():
        raise ValueError(f"{path} has the id {ids[repeated][0]} twice; ids must be distinct")
    if one_direction(vectors):
        notes.append("nearly all vectors point the same way: a mean or a zero point was not removed")
    return Embeddings(np.asarray(ids), vectors, path.name, "; ".join(notes))


def _lists_of_numbers(path, id_column, vector_column):
    """A Parquet file with a column of lists of numbers."""
    schema = pyarrow.parquet.read_schema(path)
    check_density(path)
    lists = [field.name for field in schema if is_list(field.type)]
    vector_column = pick(path, "column of vectors", lists, vector_column, "vector_column")
    others = [field.name for field in schema if not (is_list(field.type) or pa.types.is_floating(field.type))]
    id_column = _id_name(path, others, id_column)
    table = pyarrow.parquet.read_table(path, columns=[vector_column, *[id_column] * (id_column is not None)])
    column = table[vector_column].combine_chunks()
    if len(column) == 0:
        raise ValueError(f"{path} contains no vectors")
    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py()
        missing = f"{column.null_count} of {len(column)} rows"
        raise ValueError(f"{path}: row {row} has no vector in {vector_column!r} ({missing}); remove it")
    if pc.count_distinct(pc.list_value_length(column)).as_py() != 1:
        raise ValueError(f"{path}: the vectors of column {vector_column!r} are not all of one length")
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    beside = table.drop_columns([vector_column]).to_pandas(ignore_metadata=True)
    return _checked(path, vectors, *_ids(path, beside, id_column))


def _arrays(path, id_key, vector_key):
    """A matrix, or that of an archive and the ids beside it. Nothing is ever unpickled."""
    what, arrays = str(path), {}
    try:
        found = np.load(path, allow_pickle=False)
        for key in getattr(found, "files", []):
            what = f"{path}: {key!r}"
            arrays[key] = found[key]
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise ValueError(
            f"{what} is not a plain array of numbers or text, and nothing is unpickled: save it after "
            ".astype(float) or .astype(str)"
        ) from None
    if isinstance(found, np.ndarray):
        return _checked(path, found)
    if set(arrays) >= _SPARSE:
        raise ValueError(
            f"{path} is a sparse matrix of scipy, and embeddings are dense: save its .toarray(); of interactions "
            "save the pairs of item and context as a table"
        )
    matrices = [key for key, array in arrays.items() if array.ndim == 2 or key == "vectors"]
    vector_key = vector_key or ("vectors" if "vectors" in arrays else None)
    vectors = arrays[pick(path, "matrix", matrices, vector_key, "vector_column")]
    whole_or_text = [key for key, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "iuUS"]
    beside = [key for key in whole_or_text if key == "ids" or len(arrays[key]) == len(vectors)]
    return _checked(path, vectors, *_ids(path, arrays, _id_name(path, beside, id_key)))


def _wide(table, path, dimensions, id_column):
    """A table with one column per dimension, and one of ids."""
    others = [name for name in table.names if name not in dimensions and table.sample[name].dtype.kind != "f"]
    id_column = _id_name(path, others, id_column)
    frame = table.read([*dimensions, *[id_column] * (id_column is not None)])
    ids, notes = _ids(path, frame, id_column)
    return _checked(path, frame[dimensions].to_numpy(dtype=np.float64), ids, [*notes, *table.notes])


def _dimensions(table, path, prefix=None):
    """Columns numbered from 0 or 1 after one prefix; else the fractions, where at most one column is left."""
    numbers = table.sample.apply(pd.to_numeric, errors="coerce")
    # a cell that is not a number is an error in a column, not another kind of column
    numeric = [name for name in table.names if len(numbers) and numbers[name].notna().mean() >= 0.5]
    fractional = [name for name in numeric if (numbers[name].dropna() % 1 != 0).any()]
    if fractional and numeric[0] == 0 and 0 not in fractional and not numbers[0].duplicated().any():
        numeric = numeric[1:]  # ids at the head of a table without names
    groups = defaultdict(dict)
    for name in numeric:
        if numbered := re.fullmatch(r"(.*?)(\d+)", str(name)):
            groups[numbered[1]][int(numbered[2])] = name
    runs = {stem: g for stem, g in groups.items() if len(g) > 1 and max(g) - min(g) < len(g)}
    if runs:
        run = runs[pick(path, "prefix of columns", [*runs], prefix, "vector_column")]
        return [run[number] for number in sorted(run)]
    return fractional if len(fractional) > 1 and len(fractional) >= len(table.names) - 1 else []


def _id_name(path, candidates, chosen):
    """The column of ids: the one asked for, or the only one that is named so most plainly, if there is any."""
    if chosen is None:
        ranks = {name: rank for name in candidates if (rank := id_rank(name)) is not None}
        candidates = [name for name in ranks if ranks[name] == min(ranks.values())]
        if not candidates:
            return None
    return pick(path, "column of ids", candidates, chosen, "id_column")


def _ids(path, columns, name):
    """Ids, and a note of their column."""
    if name is None:
        return None, []
    ids = pd.Series(columns[name])
    if ids.isna().any():
        raise ValueError(f"{path}: row {int(ids.isna().to_numpy().argmax())} has no id in {name!r}")
    if isinstance(ids.iloc[0], bytes):
        ids = ids.str.decode("utf-8")
    return whole(ids, f"{path}: {name!r}").to_numpy(), [f"ids from {name!r}"]


def _binary_words(path):
    """Vectors in word2vec's binary format, if it is that: a header of text, then words and float32."""
    with unpacked(path) as file:
        content = file.read(_text.HEAD)
        header = re.match(rb"(\d{1,12}) (\d{1,6})\r?\n", content)
        if not header or not re.search(rb"[\0-\x08]", content[header.end() :]):
            return None
        content += file.read()
    n, dim, at = int(header[1]), int(header[2]), header.end()
    if n * (4 * dim + 1) > len(content) - at:
        raise ValueError(
            f"{path} is cut short: {n} vectors of {dim} declared, {len(content) - at} bytes found"
        )
    words, vectors = [], []
    for _ in range(n):
        end = content.index(b" ", at)
        words.append(content[at:end].lstrip(b"\n").decode())
        vectors.append(np.frombuffer(content, "<f4", dim, end + 1))
        at = end + 1 + 4 * dim
    return _of_words(path, words, vectors)


def _text_words(path, *, encoding=None, header="guess", names=None, **_):
    """Vectors of word2vec, GloVe or fastText, if it is that: a word, which may hold spaces, and as many numbers a line."""
    if header != "guess" or names or suffix_of(path) == ".json":
        return None
    found = _text.layout(path, encoding=encoding, header=None)
    rows = [row for row in found.rows if row]
    n, dim = None, min(map(len, rows)) - 1
    words = not all(_text.NUMBER.fullmatch(row[0]) for row in rows)
    if len(rows) > 1 and len(rows[0]) == 2 < len(rows[1]) and all(word.isdecimal() for word in rows[0]):
        # what else begins with two whole numbers is a list of items
        n, dim = map(int, rows[0])
        fits = words or n == len(rows) - 1
    else:
        fits = words and all(_text.NUMBER.fullmatch(word) for row in rows for word in row[len(row) - dim :])
    if found.separator not in (" ", "\t") or dim < 2 or not fits:
        return None
    words, vectors = [], []
    with found.opened() as file:
        for line, row in enumerate(file, start=1):
            word, *numbers = row.rsplit(None, dim) or [""]
            if (line == 1 and n is not None) or not numbers:
                continue  # the header, or an empty line
            try:
                vectors.append(np.array(numbers, np.float32))
            except ValueError as error:
                raise ValueError(f"{path}, line {line}: {error}") from None
            words.append(word)
            if len(numbers) != dim:
                raise ValueError(f"{path}, line {line}: {len(numbers)} numbers, not {dim}")
    if n not in (None, len(words)):
        raise ValueError(f"{path} is cut short: it declares {n} vectors but contains {len(words)}")
    return _of_words(path, words, vectors, found.notes)


def _of_words(path, words, vectors, notes=()):
    """Of words that repeat, as some published files have them, the first is kept."""
    ids = np.array(words, dtype=object)
    first = ~pd.Index(ids).duplicated()
    dropped = [f"{(~first).sum()} words that repeat dropped"] * (not first.all())
    return _checked(path, np.array(vectors)[first], ids[first], [*notes, *dropped])

"""Embeddings in the formats that people bring: arrays, tables with a column a dimension or of lists, word vectors."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from spikylib._arrays import checked_rows, largest_entry, one_direction
from spikylib._interactions import Embeddings
from spikylib.datasets import _text
from spikylib.datasets._guard import check_density, pick, reading, suffix_of, unpacked
from spikylib.datasets._guess import id_rank, whole
from spikylib.datasets._tables import is_list, open_table

_SPARSE = {"indices", "indptr", "shape", "data"}  # what scipy.sparse.save_npz writes


def read_vectors(path: Path, id_column, vector_column, how: dict) -> Embeddings:
    """Embeddings of any file but a folder; `how` are options of `_text.layout`."""
    suffix = suffix_of(path)
    with reading(path, f"cannot be read as {suffix or 'text'}", "name its true suffix, or save it again"):
        if suffix in (".npy", ".npz"):
            return _arrays(path, id_column, vector_column)
        if suffix in (".parquet", ".pq"):
            if any(is_list(f.type) for f in pyarrow.parquet.read_schema(path)):
                return parquet_embeddings(path, path.name, id_column=id_column, vector_column=vector_column)
        elif header := _binary_header(path):
            return _binary_words(path, *header)
        elif words := _word_layout(path, how):
            return _text_words(*words)
        return _wide(path, id_column, vector_column, how)


def holds_vectors(path: Path, how: dict) -> bool:
    """Whether a file is embeddings rather than interactions, where nothing else says so."""
    suffix = suffix_of(path)
    if path.is_dir() or suffix in (".npy", ".npz", ".vec", ".bin"):
        return not path.is_dir()
    with reading(path, f"cannot be read as {suffix or 'text'}", "name its true suffix, or save it again"):
        if suffix in (".parquet", ".pq"):
            types = [field.type for field in pyarrow.parquet.read_schema(path)]
            if any(is_list(t) and pa.types.is_floating(t.value_type) for t in types):
                return True
        elif _binary_header(path) or _word_layout(path, how):
            return True
        return len(_dimensions(open_table(path, **how), path)) > 1


def checked(path, name, vectors, ids=None, notes=()) -> Embeddings:
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
    repeated = pd.Index(ids).duplicated()
    if repeated.any():
        raise ValueError(f"{path} has the id {ids[repeated][0]} twice; ids must be distinct")
    if one_direction(vectors):
        notes.append("nearly all vectors point the same way: a mean or a zero point was not removed")
    return Embeddings(np.asarray(ids), vectors, name, "; ".join(notes))


def parquet_embeddings(
    path: Path, name: str, *, id_column: str | None = None, vector_column: str | None = None
) -> Embeddings:
    """Embeddings of a Parquet file with a column of lists of numbers."""
    with reading(path, "cannot be read as Parquet", "save it again"):
        schema = pyarrow.parquet.read_schema(path)
        check_density(path)
        lists = [f.name for f in schema if is_list(f.type)]
        vector_column = pick(path, "column of vectors", lists, vector_column, "vector_column")
        floating = {f.name for f in schema if pa.types.is_floating(f.type)}
        others = [column for column in schema.names if column not in lists and column not in floating]
        id_column = _id_name(path, others, id_column)
        columns = [vector_column] + [id_column] * (id_column is not None)
        table = pyarrow.parquet.read_table(path, columns=columns)
        column = table[vector_column].combine_chunks()
        if len(column) == 0:
            raise ValueError(f"{path} holds no vector")
        if column.null_count:
            row = pc.index(pc.is_null(column), True).as_py()
            missing = f"{column.null_count} of {len(column)} rows"
            raise ValueError(
                f"{path}: row {row} has no vector in {vector_column!r} ({missing}); remove such rows"
            )
        if pc.count_distinct(pc.list_value_length(column)).as_py() != 1:
            raise ValueError(f"{path}: the vectors of column {vector_column!r} are not all of one length")
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        beside = table.drop_columns([vector_column]).to_pandas(ignore_metadata=True)
        return checked(path, name, vectors, *_ids(path, beside, id_column))


def _arrays(path, id_key, vector_key):
    """A matrix, or that of an archive and the ids beside it. Nothing is ever unpickled."""
    found = _unpickled(path, lambda: np.load(path, allow_pickle=False))
    if not isinstance(found, np.lib.npyio.NpzFile):
        return checked(path, path.name, found)
    with found as archive:
        if set(archive.files) >= _SPARSE:
            raise ValueError(
                f"{path} is a sparse matrix of scipy, and embeddings are dense: save its .toarray(); of interactions "
                "save the pairs of item and context as a table"
            )
        arrays = {key: _unpickled(f"{path}: {key!r}", lambda key=key: archive[key]) for key in archive.files}
    matrices = [key for key, array in arrays.items() if array.ndim == 2 or key == "vectors"]
    vector_key = vector_key or ("vectors" if "vectors" in arrays else None)
    vectors = arrays[pick(path, "matrix", matrices, vector_key, "vector_column")]
    whole_or_text = [key for key, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "iuUS"]
    beside = [key for key in whole_or_text if key == "ids" or len(arrays[key]) == len(vectors)]
    return checked(path, path.name, vectors, *_ids(path, arrays, _id_name(path, beside, id_key)))


def _unpickled(what, load):
    try:
        return load()
    except ValueError as error:
        if "pickle" not in str(error):
            raise
        raise ValueError(
            f"{what} is not a plain array of numbers or text, and nothing is unpickled: save it after "
            ".astype(float) or .astype(str)"
        ) from None


def _wide(path, id_column, prefix, how):
    """A table with a column a dimension, and one of ids."""
    table = open_table(path, **how)
    dimensions = _dimensions(table, path, prefix)
    if not dimensions:
        raise ValueError(
            f"{path} has no columns of numbers that are embeddings among {', '.join(map(str, table.names))}; for "
            "interactions name their columns: item= and context= (a chapter's item_column and context_column)"
        )
    others = [name for name in table.names if name not in dimensions and table.sample[name].dtype.kind != "f"]
    id_column = _id_name(path, others, id_column)
    frame = table.read([*dimensions, *[id_column] * (id_column is not None)])
    ids, notes = _ids(path, frame, id_column)
    vectors = frame[dimensions].to_numpy(dtype=np.float64)
    return checked(path, path.name, vectors, ids, [*notes, *table.notes])


def _dimensions(table, path, prefix=None):
    """Columns numbered from 0 or 1 after one prefix; else the fractions, where at most one column is left."""
    numbers = table.sample.apply(pd.to_numeric, errors="coerce")
    # a cell that is no number is an error in a column, not another kind of column
    numeric = [name for name in table.names if len(numbers) and numbers[name].notna().mean() >= 0.5]
    fractional = [name for name in numeric if (numbers[name].dropna() % 1 != 0).any()]
    if fractional and numeric[0] == 0 and 0 not in fractional and not numbers[0].duplicated().any():
        numeric = numeric[1:]  # ids at the head of a table without names
    groups = {}
    for name in numeric:
        if numbered := re.fullmatch(r"(.*?)(\d+)", str(name)):
            groups.setdefault(numbered[1], {})[int(numbered[2])] = name
    runs = {
        stem: found
        for stem, found in groups.items()
        if len(found) > 1 and sorted(found)[-1] - min(found) < len(found)
    }
    if runs:
        found = runs[pick(path, "prefix of columns", list(runs), prefix, "vector_column")]
        return [found[number] for number in sorted(found)]
    return fractional if len(fractional) > 1 and len(fractional) >= len(table.names) - 1 else []


def _id_name(path, candidates, chosen):
    """The column of ids: the one asked for, or the only one that is named so most plainly."""
    ranks = {name: rank for name in candidates if (rank := id_rank(name)) is not None}
    if chosen is not None:
        return pick(path, "column of ids", candidates, chosen, "id_column")
    fits = [name for name, rank in ranks.items() if rank == min(ranks.values())]
    return pick(path, "column of ids", fits, None, "id_column") if fits else None


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


def _binary_header(path):
    """Rows, columns and length of the header of word2vec's binary format, if it is that."""
    with unpacked(path) as file:
        start = file.read(_text.HEAD)
    header = re.match(rb"(\d{1,12}) (\d{1,6})\r?\n", start)
    if header and re.search(rb"[\0-\x08]", start[header.end() :]):
        return int(header[1]), int(header[2]), header.end()
    return None


def _binary_words(path, n, dim, at):
    with unpacked(path) as file:
        content = file.read()
    if n * (4 * dim + 1) > len(content) - at:
        raise ValueError(
            f"{path} is cut short: it promises {n} vectors of {dim} and has {len(content) - at} bytes"
        )
    words, vectors = [], np.empty((n, dim), np.float32)
    for k in range(n):
        end = content.index(b" ", at)
        words.append(content[at:end].lstrip(b"\n").decode())
        vectors[k] = np.frombuffer(content, "<f4", dim, end + 1)
        at = end + 1 + 4 * dim
    return _of_words(path, words, vectors)


def _word_layout(path, how):
    """Encoding, lines of header and dimensions of a text of words and numbers, if it is that."""
    if how.get("header", "guess") != "guess" or how.get("names") or suffix_of(path) == ".json":
        return None
    found = _text.layout(path, encoding=how.get("encoding"), header=None)
    rows = [row for row in found.rows if row]
    if found.separator not in (" ", "\t"):
        return None
    dim = min(map(len, rows)) - 1
    words = not all(_text.NUMBER.fullmatch(row[0]) for row in rows)
    if len(rows) > 1 and len(rows[0]) == 2 < len(rows[1]) and all(word.isdecimal() for word in rows[0]):
        # what else begins with two whole numbers is a list of items
        n, dim = map(int, rows[0])
        return (found, n, dim) if dim > 1 and (words or n == len(rows) - 1) else None
    numbers = all(_text.NUMBER.fullmatch(word) for row in rows for word in row[len(row) - dim :])
    return (found, None, dim) if dim > 1 and numbers and words else None


def _text_words(found, n, dim):
    """Vectors of word2vec, GloVe or fastText: a word, which may hold spaces, and as many numbers a line."""
    words, vectors = [], []
    with _text.opened(found.path, found.encoding) as file:
        for line, row in enumerate(file, start=1):
            word, *numbers = row.rsplit(None, dim) or [""]
            if (line == 1 and n is not None) or not numbers:
                continue  # the header, or an empty line
            try:
                vectors.append(np.array(numbers, np.float32))
                words.append(word)
            except ValueError as error:
                raise ValueError(f"{found.path}, line {line}: {error}") from None
            if len(numbers) != dim:
                raise ValueError(f"{found.path}, line {line}: {len(numbers)} numbers, not {dim}")
    if n not in (None, len(words)):
        raise ValueError(f"{found.path} is cut short: it promises {n} vectors and holds {len(words)}")
    return _of_words(found.path, words, np.array(vectors), found.notes)


def _of_words(path, words, vectors, notes=()):
    """Of words that repeat, as some published files have them, the first is kept."""
    ids = np.array(words, dtype=object)
    first = ~pd.Index(ids).duplicated()
    dropped = [f"{(~first).sum()} words that repeat dropped"] * (not first.all())
    return checked(path, path.name, vectors[first], ids[first], [*notes, *dropped])

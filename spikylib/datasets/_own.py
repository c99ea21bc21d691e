"""Read the user's own files: interactions, embeddings, and dated embeddings."""

import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from spikylib._arrays import checked_rows, largest_entry
from spikylib._interactions import Embeddings, Interactions, build
from spikylib.datasets._guard import PACKED, check_density, pick, reading, unpacked

_TEXT = {".csv": ",", ".tsv": "\t"}  # separators by suffix
_ROWS = 1 << 18  # rows of text parsed at a time


def read_interactions(
    path: str | os.PathLike,
    *,
    item: str,
    context: str,
    time: str | None = None,
    labels: Sequence[str] | Mapping[str, str] = (),
    min_context_size: int = 1,
    min_item_count: int = 1,
    start: str | datetime | None = None,
    end: str | datetime | None = None,
) -> Interactions:
    """Read the user's own interactions from a CSV, TSV or Parquet file.

    Parameters
    ----------
    path : path
        Its suffix gives the format: .csv, .tsv, .parquet, optionally .gz, .bz2, .xz or .zip
        after the first two.
    item, context : str
        Columns that identify the item and the context. Rows where either is empty are dropped.
    time : str, optional
        Column of times, anything `pandas.to_datetime` reads. Time zones are converted to UTC.
    labels : sequence of str, or dict of str to str, optional
        Columns that describe the item, copied to ``.items`` from the item's first row; a dict
        gives them other names there, as in ``{"track_name": "title"}``.
    min_context_size, min_item_count : int, default 1
        Contexts of fewer rows, then items in fewer contexts, are left out.
    start, end : date, optional
        With `time` only: keep rows of start <= time < end.

    Returns
    -------
    Interactions
        Ids are kept as text for CSV and TSV (so that "007" stays "007").

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Unknown suffix, a column that is not there (the message lists those that are), an
        empty file, or times that cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "plays.csv"
    >>> _ = file.write_text("user,track\\nann,a\\nann,b\\nbob,b\\nbob,b\\n")
    >>> read_interactions(file, item="track", context="user").matrix.toarray()
    array([[1, 0],
           [1, 1]], dtype=int32)
    """
    path = _existing(path)
    labels = labels if isinstance(labels, Mapping) else {column: column for column in labels}
    columns = list(dict.fromkeys(c for c in (item, context, time, *labels) if c is not None))
    found = _read_table(path, columns)
    table = found.dropna(subset=[item, context])
    dropped = len(found) - len(table)
    times = None
    if time is not None:
        with reading(f"{path}: column {time!r}", "is not a time", "name another, or mend it"):
            # times without a zone stay as they are; the others become UTC
            times = pd.to_datetime(table[time], utc=True).dt.tz_localize(None).to_numpy()
    described = table.drop_duplicates(item).set_index(item, drop=False)
    return build(
        table[item].to_numpy(),
        table[context].to_numpy(),
        times=times,
        items=described[list(labels)].rename(columns=labels) if labels else None,
        name=path.name,
        notes=f"{dropped} of {len(found)} rows, without an item or a context, dropped" if dropped else "",
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )


def read_embeddings(
    path: str | os.PathLike, *, id_column: str | None = None, vector_column: str | None = None
) -> Embeddings:
    """Read the user's own embeddings from a .npy, .npz or Parquet file.

    Nothing is ever unpickled: a file that would need it is refused.

    Parameters
    ----------
    path : path
        .npy: a matrix, one row per item. .npz: the same, under ``vectors`` or as its only matrix,
        and the ids, if any, under ``ids``. .parquet: a column of lists of numbers.
    id_column, vector_column : str, optional
        Columns of a Parquet file; they need be named only where there is more than one choice.

    Returns
    -------
    Embeddings
        float32 stays float32; every other type of number becomes float64 (float16: float32).

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Another suffix, a damaged file, not a matrix of finite real numbers, ids that repeat, or
        a column that is not there.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "vectors.npy"
    >>> np.save(file, np.eye(3))
    >>> read_embeddings(file).ids
    array([0, 1, 2])
    """
    path = _existing(path)
    if path.suffix == ".parquet":
        return parquet_embeddings(path, path.name, id_column=id_column, vector_column=vector_column)
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(
            f"{path}: the suffix {path.suffix!r} is not one of .npy, .npz, .parquet, which hold embeddings; "
            "for interactions name their columns: item= and context= (a chapter's item_column and context_column)"
        )
    ids = None
    with reading(path, "cannot be read as a matrix of numbers"):
        vectors = np.load(path, allow_pickle=False)
        if isinstance(vectors, np.lib.npyio.NpzFile):
            with vectors as archive:
                matrices = [key for key in archive.files if key == "vectors" or archive[key].ndim == 2]
                key = "vectors" if "vectors" in matrices else pick(path, "matrix", matrices)
                ids = archive["ids"] if "ids" in archive.files else None
                vectors = archive[key]
        return _checked_embeddings(ids, vectors, path, path.name)


def read_snapshots(
    folder: str | os.PathLike, *, id_column: str | None = None, vector_column: str | None = None
) -> dict[str, Embeddings]:
    """Read dated embeddings: a folder per date, with one Parquet file inside.

    Parameters
    ----------
    folder : path
        Holds folders named by a date, as ``20220521`` or ``2022-05-21``; others are passed over.
    id_column, vector_column : str, optional
        As for :func:`read_embeddings`.

    Returns
    -------
    dict of str to Embeddings
        By increasing ISO date ("2022-05-21"). Every snapshot has the same ids, those common to all
        dates, in the order of the first date.

    Raises
    ------
    FileNotFoundError
        No such folder, or no dated folder in it.
    ValueError
        Not exactly one Parquet file in a dated folder, the same date twice, no common id, or
        what :func:`read_embeddings` refuses.

    Examples
    --------
    >>> import pandas as pd, tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> for date, ids in (("20220625", [2, 1]), ("20220521", [1, 2, 3])):
    ...     (folder / date).mkdir()
    ...     table = pd.DataFrame({"track_id": ids, "vector": [[float(i), 0.5] for i in ids]})
    ...     table.to_parquet(folder / date / "E.parquet")
    >>> {date: E.ids.tolist() for date, E in read_snapshots(folder).items()}
    {'2022-05-21': [1, 2], '2022-06-25': [1, 2]}
    """
    folder = Path(folder)
    dated = {}
    for inside in sorted(folder.iterdir()) if folder.is_dir() else []:
        if inside.is_dir() and re.fullmatch(r"\d{4}-?\d\d-?\d\d", inside.name):
            with reading(inside, "is not named by a date", "rename it"):
                date = pd.Timestamp(inside.name.replace("-", "")).date().isoformat()
            if date in dated:
                raise ValueError(f"{folder} has two folders of the date {date}; remove one")
            dated[date] = Path(pick(inside, ".parquet file", [*map(str, inside.glob("*.parquet"))]))
    if not dated:
        raise FileNotFoundError(f"{folder} holds no folder named by a date, such as 20220521")
    common, snapshots = None, {}
    for date, path in sorted(dated.items()):
        snapshot = read_embeddings(path, id_column=id_column, vector_column=vector_column)
        ids = pd.Index(snapshot.ids)
        common = ids if common is None else common[common.isin(ids)]
        # what a date shares with those before it: one date at a time is held whole
        snapshots[date] = _rows(snapshot, common, date)
    if common.empty:
        raise ValueError(f"{folder}: no id is common to all {len(dated)} dates")
    return {date: _rows(snapshot, common, date) for date, snapshot in snapshots.items()}


def parquet_embeddings(
    path: Path, name: str, *, id_column: str | None = None, vector_column: str | None = None
) -> Embeddings:
    """Embeddings of a Parquet file with a column of lists of numbers."""
    with reading(path, "is not a Parquet file, or is cut short"):
        schema = pyarrow.parquet.read_schema(path)
        check_density(path)
        lists = [field.name for field in schema if _is_list(field.type)]
        others = [column for column in schema.names if column not in lists]
        vector_column = pick(path, "column of vectors", lists, vector_column, "vector_column")
        if id_column is not None or len(others) == 1:
            id_column = pick(path, "column of ids", others, id_column, "id_column")
        columns = [vector_column] + ([] if id_column is None else [id_column])
        table = pyarrow.parquet.read_table(path, columns=columns)
        column = table[vector_column].combine_chunks()
        if len(column) == 0:
            raise ValueError(f"{path} holds no vector")
        if column.null_count or pc.count_distinct(pc.list_value_length(column)).as_py() != 1:
            raise ValueError(f"{path}: the vectors of column {vector_column!r} are not all of one length")
        vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
        ids = None if id_column is None else table[id_column].to_numpy()
        return _checked_embeddings(ids, vectors, path, name)


def _existing(path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give the path of a .csv, .tsv, .parquet, .npy or .npz file")
    return path


def _suffix(path):
    return next((s for s in reversed(path.suffixes) if s not in PACKED), "")


def _read_table(path, columns):
    """The named columns: text of a CSV or TSV, whatever type a Parquet file gives them."""
    suffix = _suffix(path)
    if suffix not in (*_TEXT, ".parquet"):
        raise ValueError(f"{path}: the suffix {suffix!r} is not one of .csv, .tsv, .parquet")
    with reading(path, "is damaged, or not what its suffix says"):
        if suffix == ".parquet":
            schema = pyarrow.parquet.read_schema(path)
            _check_columns(path, columns, schema.names)
            for column in columns:
                if pa.types.is_nested(schema.field(column).type):
                    raise ValueError(f"{path}: column {column!r} does not hold one value a row")
            check_density(path)
            # without what pandas notes about an index: each column asked for is to be a column
            return pyarrow.parquet.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
        # an empty field is missing; "NA", "None" and "null" are titles like any other
        text = {"dtype": str, "encoding": "utf-8-sig", "keep_default_na": False, "na_values": [""]}
        parts = []
        with unpacked(path) as file:
            # whole lines, so that one with too many fields is seen, but only so many at a time
            for part in pd.read_csv(file, sep=_TEXT[suffix], chunksize=_ROWS, **text):
                _check_columns(path, columns, part.columns)
                if not isinstance(part.index, pd.RangeIndex):
                    raise ValueError("the lines have more fields than the header")
                parts.append(part[columns])
        return pd.concat(parts)


def _check_columns(path, columns, present):
    for column in columns:
        if column not in present:
            raise ValueError(
                f"{path} has no column {column!r}; its columns are: {', '.join(map(str, present))}"
            )


def _checked_embeddings(ids, vectors, path, name):
    """Embeddings, once the vectors are finite numbers and the ids distinct."""
    vectors = checked_rows(str(path), vectors)
    if vectors.dtype not in (np.float32, np.float64):
        vectors = vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)
    largest_entry(str(path), vectors)  # refuses NaN and infinity
    ids = np.arange(len(vectors)) if ids is None else ids
    if len(ids) != len(vectors):
        raise ValueError(f"{path}: {len(ids)} ids for {len(vectors)} vectors")
    repeated = pd.Index(ids).duplicated()
    if repeated.any():
        raise ValueError(f"{path} has the id {ids[repeated][0]} twice; ids must be distinct")
    return Embeddings(np.asarray(ids), vectors, name)


def _is_list(type_):
    return pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_fixed_size_list(type_)


def _rows(snapshot, ids, name):
    """The rows of a snapshot with these ids, in this order."""
    place = pd.Index(snapshot.ids).get_indexer(ids)
    return Embeddings(snapshot.ids[place], snapshot.vectors[place], name)

"""Load interactions: generated, published, or the user's own.

Everything loads into :class:`Interactions`: a binary items x contexts matrix with its labels.
Items and contexts are numbered in order of first appearance in the source. Published files
are looked for under the *data home*: see :func:`home`; `spiky data fetch` downloads them.
No data is bundled: every licence forbids it.
"""

import bz2
import contextlib
import difflib
import gzip
import inspect
import io
import lzma
import os
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import platformdirs
import pyarrow
import pyarrow.parquet

from spikylib import synthetic
from spikylib._interactions import Embeddings, Interactions, resample
from spikylib._interactions import build as _build
from spikylib.datasets import _readers
from spikylib.datasets._catalogue import DATASETS

__all__ = [
    "Embeddings",
    "Interactions",
    "catalogue",
    "describe",
    "files",
    "home",
    "load",
    "read_embeddings",
    "read_interactions",
    "read_snapshots",
    "resample",
]


def load(
    name,
    *,
    data_home=None,
    download=False,
    item_column=None,
    context_column=None,
    time_column=None,
    **options,
):
    """Load a dataset by name, or the user's own file by path.

    Parameters
    ----------
    name : str or path
        A name of :func:`catalogue` (``"synthetic"`` needs no file), or the path of a file:
        interactions where `item_column` and `context_column` are given (see
        :func:`read_interactions`), else embeddings (see :func:`read_embeddings`).
    data_home : path, optional
        Folder that holds the datasets' folders. Default: see :func:`home`.
    download : bool, default False
        Fetch the dataset from its publisher if it is not there. Shows the terms first.
    item_column, context_column, time_column : str, optional
        Columns of the user's file. A dataset loaded by name has its own and ignores them, and so
        does a ``.npy`` or ``.npz`` file.
    **options
        ``min_context_size`` (1; 5 for ``cornell-yes-*``): leave out contexts of fewer rows.
        ``min_item_count`` (1): then leave out items in fewer contexts.
        ``start``, ``end`` (dated data): first of all, leave out what is not in start <= time < end.
        ``features`` ("svd" or "mf") of ``deezer-songs``. Those of :func:`spikylib.synthetic.playlists`, or
        of :func:`read_interactions` and :func:`read_embeddings` for a path.

    Returns
    -------
    Interactions, or Embeddings for ``deezer-songs`` and files of embeddings

    Raises
    ------
    ValueError
        Unknown name (the message lists the names), a file that is not what was published, or
        nothing left by the options.
    TypeError
        Unknown option.
    FileNotFoundError
        A file is missing: the message says which, where it was looked for, and what to do.

    Examples
    --------
    >>> load("synthetic", n_items=500, n_contexts=800, n_communities=8).matrix.shape
    (500, 800)
    """
    if name in _LOADERS:
        loader = _LOADERS[name]
        _check_options(name, loader, options)
        if not DATASETS[name].files:
            return loader(**options)
        if download and not files(name, data_home):
            from spikylib.datasets._download import fetch

            fetch(name, data_home=data_home)
        return loader(name, home(data_home), **options)
    path = Path(name)
    if not path.suffix and not path.is_file():
        near = difflib.get_close_matches(str(name), _LOADERS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"unknown dataset {str(name)!r}; {hint}choose one of: {', '.join(_LOADERS)}; or give the path of a file"
        )
    if _suffix(path) not in (".npy", ".npz") and item_column and context_column:
        _check_options(path.name, read_interactions, options)
        return read_interactions(
            path, item=item_column, context=context_column, time=time_column or None, **options
        )
    if path.is_file() and _suffix(path) in _TEXT_SUFFIXES:
        raise ValueError(f"{path}: item_column and context_column are needed to read interactions")
    _check_options(path.name, read_embeddings, options)
    return read_embeddings(path, **options)


def home(data_home=None):
    """Tell the data home: the folder that holds one folder per dataset.

    Parameters
    ----------
    data_home : path, optional
        Taken as it is where given.

    Returns
    -------
    pathlib.Path
        `data_home`, else ``$SPIKYLIB_DATA``, else the user's cache folder. It need not exist.

    Examples
    --------
    >>> home("data").name
    'data'
    """
    if data_home is None:
        data_home = os.environ.get("SPIKYLIB_DATA") or None
    if data_home is None:
        data_home = platformdirs.user_cache_dir("spikylib")  # as pooch.os_cache, without its import
    return Path(data_home).expanduser()


def files(name, data_home=None):
    """List the files of a dataset that are there.

    Parameters
    ----------
    name : str or path
        A name of :func:`catalogue`, or the path of the user's own file.
    data_home : path, optional
        As for :func:`load`.

    Returns
    -------
    list of pathlib.Path
        Sorted. Empty where the dataset is absent (the file that holds its interactions is
        missing), and for ``"synthetic"``.

    Raises
    ------
    ValueError
        Neither a name nor a file.

    Examples
    --------
    >>> files("synthetic")
    []
    """
    if name not in DATASETS:
        if Path(name).is_file():
            return [Path(name)]
        raise ValueError(f"unknown dataset {str(name)!r}; choose one of: {', '.join(DATASETS)}")
    found = [sorted(home(data_home).glob(pattern)) for pattern in DATASETS[name].files]
    return sorted(path for paths in found for path in paths) if found and found[0] else []


def catalogue():
    """List the datasets of the book, with the sizes that were published.

    Returns
    -------
    pandas.DataFrame
        One row a dataset: ``name``, ``kind`` (items x contexts), ``published_items`` (Table 1's
        repository, after its filters; missing where the paper does not use the dataset),
        ``items``, ``contexts``, ``interactions`` (as counted by the publisher, missing where it
        gives no count), ``publisher``, ``terms``, ``page`` to read first, and ``files`` under
        the data home.

    Examples
    --------
    >>> catalogue().name.head(2).to_list()
    ['synthetic', 'cornell-yes-small']
    """
    columns = ["name", "kind", "published_items", "items", "contexts", "interactions"]
    columns += ["publisher", "terms", "page", "files"]
    rows = [
        (name, d.kind, d.published_items, *d.size, d.publisher, d.terms, d.page, ", ".join(d.files))
        for name, d in DATASETS.items()
    ]
    table = pd.DataFrame(rows, columns=columns)
    counts = ["published_items", "items", "contexts", "interactions"]
    table[counts] = table[counts].astype("Int64")
    return table


def describe(data):
    """Count a dataset in one row of numbers.

    Parameters
    ----------
    data : Interactions

    Returns
    -------
    dict
        ``items``, ``contexts``, ``interactions``; ``density``, the share of the matrix that is 1;
        ``gini`` of popularity, the contexts an item is in: 0 where all items are equally popular,
        near 1 where few have nearly everything; ``median_context``, the median number of
        items in a context.

    Examples
    --------
    >>> describe(load("synthetic", n_items=500, n_contexts=800, n_communities=8))["contexts"]
    800
    """
    popularity = np.sort(data.matrix.sum(axis=1).astype(np.int64))
    n, total = data.n_items, data.matrix.nnz
    rank = np.arange(1, n + 1)
    return {
        "items": n,
        "contexts": data.n_contexts,
        "interactions": total,
        "density": total / n / data.n_contexts,
        "gini": float(np.sum((2 * rank - n - 1) * popularity) / (n * total)),
        "median_context": float(np.median(data.matrix.sum(axis=0))),
    }


def read_interactions(
    path,
    *,
    item,
    context,
    time=None,
    labels=(),
    min_context_size=1,
    min_item_count=1,
    start=None,
    end=None,
):
    """Read the user's own interactions from a CSV, TSV or Parquet file.

    Parameters
    ----------
    path : path
        Its suffix tells the format: .csv, .tsv, .parquet, optionally .gz, .bz2, .xz or .zip
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
    labels = labels if isinstance(labels, dict) else {column: column for column in labels}
    wanted = list(dict.fromkeys(c for c in (item, context, time, *labels) if c is not None))
    table = _read_table(path, wanted)
    rows = len(table)
    table = table.dropna(subset=[item, context])
    dropped = rows - len(table)
    if rows == dropped:
        raise ValueError(f"{path} holds no interaction ({rows} rows, {dropped} without an item or a context)")
    data = _build(
        table[item].to_numpy(),
        table[context].to_numpy(),
        times=None if time is None else _times(table[time], path),
        name=path.name,
        notes=f"{dropped} rows without an item or a context dropped" if dropped else "",
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )
    if labels:
        described = (
            table.drop_duplicates(item).set_index(item, drop=False).loc[data.items["id"], list(labels)]
        )
        for column, new in labels.items():
            data.items[new] = described[column].to_numpy()
    return data


def read_embeddings(path, *, id_column=None, vector_column=None):
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
        return _readers.read_vectors(path, id_column=id_column, vector_column=vector_column, name=path.name)
    if path.suffix not in (".npy", ".npz"):
        raise ValueError(f"{path}: the suffix {path.suffix!r} is not one of .npy, .npz, .parquet")
    ids = None
    with _readers.reading(path, "cannot be read as a matrix of numbers"):
        vectors = np.load(path, allow_pickle=False)
        if isinstance(vectors, np.lib.npyio.NpzFile):
            with vectors as archive:
                matrices = [key for key in archive.files if key == "vectors" or archive[key].ndim == 2]
                key = "vectors" if "vectors" in matrices else _readers.only(path, matrices, "matrix")
                ids = archive["ids"] if "ids" in archive.files else None
                vectors = archive[key]
        ids = np.arange(len(vectors)) if ids is None else ids
        return _readers.checked_embeddings(ids, vectors, path, path.name)


def read_snapshots(folder, *, id_column=None, vector_column=None):
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
            date = _date(inside)
            if date in dated:
                raise ValueError(f"{folder}: the date {date} stands twice")
            parquet = sorted(inside.glob("*.parquet"))
            if len(parquet) != 1:
                raise ValueError(f"{inside}: one .parquet file was expected, {len(parquet)} found")
            dated[date] = parquet[0]
    if not dated:
        raise FileNotFoundError(f"{folder} holds no folder named by a date, such as 20220521")
    columns = {"id_column": id_column, "vector_column": vector_column}
    common, snapshots = None, {}
    for date, path in sorted(dated.items()):
        snapshot = read_embeddings(path, **columns)
        ids = pd.Index(snapshot.ids)
        common = ids if common is None else common[common.isin(ids)]
        snapshots[date] = _rows(snapshot, common, date)
    if len(common) == 0:
        raise ValueError(f"{folder}: no id is common to all {len(dated)} dates")
    return {date: _rows(snapshot, common, date) for date, snapshot in snapshots.items()}


# --- the user's own files ----------------------------------------------------------------

_TEXT_SUFFIXES = (".csv", ".tsv")
_PACKED = (".gz", ".bz2", ".xz", ".zip")


def _existing(path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give the path of a .csv, .tsv, .parquet, .npy or .npz file")
    return path


def _suffix(path):
    return next((s for s in reversed(path.suffixes) if s not in _PACKED), "")


def _read_table(path, columns):
    """The named columns: text of a CSV or TSV, whatever type a Parquet file gives them."""
    suffix = _suffix(path)
    if suffix not in (*_TEXT_SUFFIXES, ".parquet"):
        raise ValueError(f"{path}: the suffix {suffix!r} is not one of .csv, .tsv, .parquet")
    text = {"sep": "," if suffix == ".csv" else "\t", "dtype": str, "encoding": "utf-8-sig"}
    # an empty field is missing; "NA", "None" and "null" are titles like any other
    text |= {"keep_default_na": False, "na_values": [""]}
    with _readers.reading(path, "is damaged, or not what its suffix says"):
        if suffix == ".parquet":
            schema = pyarrow.parquet.read_schema(path)
            _check_columns(path, columns, schema.names)
            for column in columns:
                if pyarrow.types.is_nested(schema.field(column).type):
                    raise ValueError(f"{path}: column {column!r} does not hold one value a row")
            _readers.check_density(path)
            # without what pandas notes about an index: each column asked for is to be a column
            return pyarrow.parquet.read_table(path, columns=columns).to_pandas(ignore_metadata=True)
        with _unpacked(path) as file:
            _check_columns(path, columns, pd.read_csv(file, nrows=0, **text))
        # whole lines, so that one with too many fields is seen, but only so many at a time
        parts = []
        with _unpacked(path) as file:
            for part in pd.read_csv(file, chunksize=1 << 18, **text):
                if not isinstance(part.index, pd.RangeIndex):
                    raise ValueError("the lines have more fields than the header")
                parts.append(part[columns])
        return pd.concat(parts)


def _check_columns(path, columns, there):
    for column in columns:
        if column not in there:
            raise ValueError(
                f"{path} has no column {column!r}; its columns are: {', '.join(map(str, there))}"
            )


@contextlib.contextmanager
def _unpacked(path):
    """A text file, unpacked on the way; one that is packed denser than any text is refused."""
    opener = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix)
    with contextlib.ExitStack() as stack:
        if path.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            stream = stack.enter_context(archive.open(_readers.only(path, archive.namelist(), "file inside")))
        elif opener:
            stream = stack.enter_context(opener(path))
        else:
            yield path
            return
        yield io.BufferedReader(_Text(stream, _readers.DENSEST * path.stat().st_size), 1 << 18)


class _Text(io.RawIOBase):
    """A stream that refuses to give more than `limit` bytes."""

    def __init__(self, stream, limit):
        self._stream, self._limit, self._left = stream, limit, limit

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {self._limit} bytes, which no text does")
        buffer[: len(data)] = data
        return len(data)


def _times(column, path):
    try:
        times = pd.to_datetime(column)
        if times.dt.tz is not None:
            times = times.dt.tz_convert("UTC").dt.tz_localize(None)
        return times.to_numpy()
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}: column {column.name!r} is not a time: {error}") from None


def _date(folder):
    try:
        return pd.Timestamp(folder.name.replace("-", "")).date().isoformat()
    except ValueError:
        raise ValueError(f"{folder} is not named by a date: {folder.name}") from None


def _rows(snapshot, ids, name):
    """The rows of a snapshot with these ids, in this order."""
    place = pd.Index(snapshot.ids).get_indexer(ids)
    return Embeddings(snapshot.ids[place], snapshot.vectors[place], name)


def _check_options(name, function, options):
    known = [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"{name} has no option {unknown[0]!r}; its options are: {', '.join(known)}")


_LOADERS = {
    "synthetic": synthetic.playlists,
    "synthetic-dated": synthetic.drifting_playlists,
    "cornell-yes-small": _readers.cornell_yes,
    "cornell-yes-big": _readers.cornell_yes,
    "cornell-yes-complete": _readers.cornell_yes,
    "aotm-2011": _readers.aotm_2011,
    "spotify-mpd": _readers.spotify_mpd,
    "lastfm-360k": _readers.lastfm_360k,
    "movielens-25m": _readers.movielens,
    "movielens-small": _readers.movielens,
    "lastfm-2k": _readers.lastfm_2k,
    "triplej": _readers.triplej,
    "deezer-songs": _readers.deezer_songs,
}

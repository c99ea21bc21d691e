"""Read the user's own files: interactions, embeddings, and dated embeddings."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd

from spikylib._interactions import Embeddings, Interactions, build
from spikylib.datasets._catalogue import DATASETS
from spikylib.datasets._guard import pick, reading, reading_own
from spikylib.datasets._guess import choose, find, whole
from spikylib.datasets._tables import open_table
from spikylib.datasets._times import read_times
from spikylib.datasets._vectors import read_vectors

_DATE = re.compile(r"(?<!\d)(\d{4})([-_]?)(\d\d)(?:\2(\d\d))?(?!\d)")  # 20220521, 2022-05-21, 2022-05


def read_interactions(
    path: str | os.PathLike,
    *,
    item: str | int | None = None,
    context: str | int | None = None,
    time: str | int | None = None,
    labels: Sequence[str] | Mapping[str, str] = (),
    min_context_size: int = 1,
    min_item_count: int = 1,
    start: str | datetime | None = None,
    end: str | datetime | None = None,
    time_unit: str | None = None,
    day_first: bool | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    header: int | str | None = "guess",
    names: Sequence[str] | None = None,
) -> Interactions:
    """Read the user's own interactions from a file, or from a folder of files of one format.

    Delimited text, Parquet, JSON, and one list of items a line or a row; text may be compressed (.gz, .bz2,
    .xz, .zip). Whatever is not specified is guessed, and noted in ``.notes``; where two guesses are equally
    good, an error names both.

    Parameters
    ----------
    path : path
        The suffixes .parquet, .json and .jsonl decide; all else is text, judged by its first lines. Folders
        named key=value give a column.
    item, context, time : str or int, optional
        Columns, by name or (without a header) by position. Rows without an item or a context are dropped.
        Guessed from their names where item or context is not given. ``context="day"`` takes the days of the
        times; ``context="line"``, in files of lists, each line, and ``context=0`` the name in its first
        field.
    labels : sequence of str, or dict of str to str, optional
        Columns that describe the item, copied to ``.items`` from the item's first row; a dict
        gives them other names there, as in ``{"track_name": "title"}``.
    min_context_size, min_item_count : int, default 1
        Contexts of fewer rows, then items in fewer contexts, are left out.
    start, end : date, optional
        With times only: keep rows of start <= time < end.
    time_unit : {"s", "ms", "us", "ns"}, optional
        Unit of numeric times since 1970. Default: the one that puts them between 1973 and 2286.
    day_first : bool, optional
        Whether 01/02/2024 is 1 February. Default: as in rows that leave no choice.
    encoding : str, optional
        Of text. Default: UTF-8, or that of a byte-order mark.
    separator : str, optional
        One character, or "::". Default: that of the suffix, or the one that gives the first lines equally
        many fields.
    header : 0 or None, optional
        0: the first line names the columns; None: it is data. Default: 0, but a first line that looks like
        data is refused.
    names : sequence of str, optional
        Names of the columns of a file without a header.

    Returns
    -------
    Interactions
        Ids are kept as text where the file is text (so that "007" stays "007"). Times are UTC.
        ``.notes`` gives the rows read and used, and the guesses.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        A missing column (the message lists the others), two equally good guesses, a row that cannot be read
        (by its line), or a file that is not text, Parquet or JSON.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "plays.csv"
    >>> _ = file.write_text("user,track\\nann,a\\nann,b\\nbob,b\\nbob,b\\n")
    >>> plays = read_interactions(file)
    >>> plays.matrix.toarray()
    array([[1, 0],
           [1, 1]], dtype=int32)
    >>> plays.notes
    "4 rows read, 4 used, for 3 pairs of item and context; guessed: item 'track', context 'user'"
    """
    path = Path(path)
    with reading_own(path):
        how = {"encoding": encoding, "separator": separator, "header": header, "names": names}
        table = open_table(path, item, context, **how)
        chosen, notes = choose(table, path, item=item, context=context, time=time)
        labels = labels if isinstance(labels, Mapping) else {column: column for column in labels}
        labels = {find(table.names, column, path): name for column, name in labels.items()}
        labels = labels or {chosen[role]: role for role in ("title", "artist") if role in chosen}
        frame = table.read([*dict.fromkeys([*chosen.values(), *labels])])
        rows, frame = frame.index, frame.reset_index(drop=True)
        used = frame.dropna(subset=[chosen[role] for role in ("item", "context") if role in chosen])
        times = None

        def place(row):
            return table.place(rows[row])

        if "time" in chosen:
            where = f"{path}, column {chosen['time']!r}"
            try:
                times, note = read_times(used[chosen["time"]], where, place, time_unit, day_first)
                notes += [note] * bool(note)
            except ValueError as error:
                if time is not None or "context" not in chosen:
                    raise
                notes.append(f"times left out: {error}")
        if "context" in chosen:
            contexts = _ids(used[chosen["context"]], path)
        else:
            used, times = used[~np.isnat(times)], times[~np.isnat(times)]
            contexts = np.datetime_as_string(times, "D").astype(object)
            notes.append("contexts are the days")
        ids = used[chosen["item"]]
        if chosen.get("title") == chosen["item"] and "artist" in chosen:
            # a title alone may be that of several tracks
            ids = (used[chosen["artist"]].fillna("") + " | " + ids).rename(ids.name)
        items = _ids(ids, path)
        if dropped := len(frame) - len(used):
            first = place(frame.index.difference(used.index)[0])
            notes.insert(0, f"{dropped} without an item or a context dropped, the first on {first}")
    data = build(
        items,
        contexts,
        times=times,
        items=used[[*labels]].rename(columns=labels).set_axis(items) if labels else None,
        name=path.name,
        notes="; ".join(notes),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )
    counts = f"{len(frame)} rows read, {len(used)} used, for {data.matrix.nnz} pairs of item and context"
    return replace(data, notes="; ".join([counts, *notes, *table.notes]))


def read_embeddings(
    path: str | os.PathLike,
    *,
    id_column: str | int | None = None,
    vector_column: str | None = None,
    encoding: str | None = None,
    separator: str | None = None,
    header: int | str | None = "guess",
    names: Sequence[str] | None = None,
) -> Embeddings:
    """Read the user's own embeddings: arrays, tables, or word vectors.

    Nothing is ever unpickled: a file that would need it is refused.

    Parameters
    ----------
    path : path
        .npy: a matrix, one row per item. .npz: a matrix, and the ids beside it. Parquet: a column of lists
        of numbers, or one column per dimension. Delimited text with one column per dimension. Text or
        binary of word2vec, GloVe and fastText (.vec). Text may be compressed.
    id_column, vector_column : str, optional
        Columns of a table or keys of an .npz, where there is more than one choice; for columns numbered
        from 0 or 1, `vector_column` is what stands before the number.
    encoding, separator, header, names
        Of text, as for :func:`read_interactions`.

    Returns
    -------
    Embeddings
        float32 for float16, float32 and word vectors; float64 for every other type of number. ``.notes``
        gives the source of the ids and what was dropped.

    Raises
    ------
    FileNotFoundError
        No such file.
    ValueError
        Another format, a matrix that is not of finite real numbers, repeated ids, a missing column, or more
        than one choice of vectors or ids.

    Examples
    --------
    >>> import numpy as np, tempfile, pathlib
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "vectors.csv"
    >>> _ = file.write_text("track_id,d0,d1\\nx,1,0\\ny,0,1\\n")
    >>> E = read_embeddings(file)
    >>> E.ids.tolist(), E.notes
    (['x', 'y'], "vectors: 2 of dimension 2; ids from 'track_id'")
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder; dated embeddings are read by read_snapshots")
    how = {"encoding": encoding, "separator": separator, "header": header, "names": names}
    return read_vectors(path, id_column, vector_column, sure=True, **how)


def read_snapshots(
    folder: str | os.PathLike, *, id_column: str | None = None, vector_column: str | None = None
) -> dict[str, Embeddings]:
    """Read dated embeddings: a file or a folder with one file for each day or month.

    Parameters
    ----------
    folder : path
        Folder of files that :func:`read_embeddings` reads, or of folders of one such file, with one date in
        their name: ``20220521``, ``E_2022-05-21.npz``, ``2022-05.parquet``. Others are ignored.
    id_column, vector_column : str, optional
        As for :func:`read_embeddings`.

    Returns
    -------
    dict of str to Embeddings
        By increasing ISO date ("2022-05-21", or "2022-05" for a month). Every snapshot has the same ids,
        those common to all dates, in the order of the first date.

    Raises
    ------
    FileNotFoundError
        No such folder, or nothing dated in it.
    ValueError
        Not exactly one file in a dated folder, the same date twice, no common id, no ids and not as many
        rows on every date, or what :func:`read_embeddings` refuses.

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
    folder, dated = Path(folder), {}
    for inside in sorted(folder.iterdir()) if folder.is_dir() else []:
        if date := _date(inside):
            if date in dated:
                raise ValueError(f"{folder} has two entries of the date {date}; remove one")
            files = [f for f in inside.iterdir() if f.name[0] not in "._"] if inside.is_dir() else [inside]
            dated[date] = Path(pick(inside, "file of embeddings", [*map(str, files)]))
    if not dated:
        raise FileNotFoundError(f"{folder} contains nothing named by a date, such as 20220521 or 2022-05")
    read = {
        date: read_embeddings(path, id_column=id_column, vector_column=vector_column)
        for date, path in sorted(dated.items())
    }
    first = common = pd.Index(next(iter(read.values())).ids)
    for date, snapshot in read.items():
        if "no ids" in snapshot.notes and len(snapshot.ids) != len(first):
            raise ValueError(
                f"{dated[date]} has {len(snapshot.ids)} rows, the first date {len(first)}, and without ids they cannot be matched"
            )
        common = common[common.isin(snapshot.ids)]
    if common.empty:
        raise ValueError(f"{folder}: no id is common to all {len(dated)} dates")
    places = {date: pd.Index(snapshot.ids).get_indexer(common) for date, snapshot in read.items()}
    return {
        date: replace(
            read[date], ids=read[date].ids[at], vectors=read[date].vectors[at], name=folder.absolute().name
        )
        for date, at in places.items()
    }


def holds_snapshots(path: str | os.PathLike) -> bool:
    """Whether a folder is dated embeddings: whether its first dated entry is embeddings."""
    path = Path(path)
    # a dataset goes before a folder of its name, as everywhere
    for inside in sorted(path.iterdir()) if str(path) not in DATASETS and path.is_dir() else []:
        # a log may have a file or a partition a day, which holds no vectors
        if _DATE.search(inside.name):
            files = [inside] if inside.is_file() else sorted(f for f in inside.rglob("*") if f.is_file())
            first = next((file for file in files if file.name[0] not in "._"), None)
            return first is not None and read_vectors(first) is not None
    return False


def _ids(values, path):
    """Ids of a column; a line break in one shows a quote that was not closed where it should be."""
    where = f"{path}, column {values.name!r}"
    if pd.api.types.is_string_dtype(values):  # of pandas 2 as well, where text is a column of objects
        if len(broken := values[values.str.contains("\n", regex=False)]):
            raise ValueError(f"{where}: a quote goes on over a line break in {broken.iloc[0]!r}")
    elif len(values) and isinstance(values.iloc[0], dict | list | np.ndarray):
        raise ValueError(f"{where} does not have one value per row")
    return whole(values, where).to_numpy()


def _date(path):
    """The one date in the name of a file or a folder, in ISO form, or None."""
    found = _DATE.findall(path.name)
    if len(found) != 1:
        return None
    year, _, month, day = found[0]
    with reading(path, "is not named by a date", "rename it"):
        return pd.Timestamp(f"{year}-{month}-{day or '01'}").date().isoformat()[: 10 if day else 7]

"""Load interactions: generated, published, or the user's own.

Everything loads into :class:`Interactions`: a binary items x contexts matrix with its labels.
Items and contexts are numbered in order of first appearance in the source. Published files
are looked for under the *data home*: the ``data_home`` argument, else ``$SPIKYLIB_DATA``, else
the user's cache folder. No data is bundled: every licence forbids it.
"""

import inspect
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.sparse as sp


@dataclass(frozen=True)
class Interactions:
    """Which item was seen in which context.

    Attributes
    ----------
    matrix : scipy.sparse.csr_array, shape (n_items, n_contexts), int32
        1 where the context holds the item, whatever the number of times.
    items : pandas.DataFrame, n_items rows
        ``id``, and ``title``, ``artist``, ``album``, ``tags`` where the data has them.
    contexts : pandas.DataFrame, n_contexts rows
        ``id``, and what else the data tells.
    times : numpy.ndarray of datetime64[s], shape (matrix.nnz,), or None
        First time of each stored entry, in the order of ``matrix.data``, where the data is dated.
    name : str
        Name of the dataset, or of the file.
    notes : str
        What a reader of the numbers should know: parts missing, rows dropped.
    """

    matrix: sp.csr_array
    items: pd.DataFrame
    contexts: pd.DataFrame
    times: np.ndarray | None = None
    name: str = ""
    notes: str = ""

    @property
    def n_items(self):
        return self.matrix.shape[0]

    @property
    def n_contexts(self):
        return self.matrix.shape[1]


def load(name, *, data_home=None, **options):
    """Load a dataset by name.

    Parameters
    ----------
    name : str
        A name of :func:`catalogue`: ``"synthetic"`` needs no file.
    data_home : path, optional
        Folder that holds the datasets' folders. Default: ``$SPIKYLIB_DATA``, else the user's
        cache folder.
    **options
        Options of the dataset: ``min_context_size`` (default 5) of ``cornell-yes-*``; those of
        :func:`synthetic`.

    Returns
    -------
    Interactions

    Raises
    ------
    ValueError
        Unknown name (the message lists the names), or a file that is not what was published.
    TypeError
        Unknown option.
    FileNotFoundError
        A file is missing: the message says which, where it was looked for, and what to do.

    Examples
    --------
    >>> load("synthetic", n_items=500, n_contexts=800, n_communities=8).matrix.shape
    (500, 800)
    """
    if name not in _LOADERS:
        raise ValueError(f"unknown dataset {name!r}; choose one of: {', '.join(_LOADERS)}")
    loader = _LOADERS[name]
    known = [p.name for p in inspect.signature(loader).parameters.values() if p.default is not p.empty]
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"{name} has no option {unknown[0]!r}; its options are: {', '.join(known)}")
    if name == "synthetic":
        return loader(**options)
    return loader(name, _home(data_home), **options)


def catalogue():
    """List the datasets of the book, with the sizes that the paper published.

    Returns
    -------
    pandas.DataFrame
        One row a dataset: ``name``, ``kind`` (items x contexts), ``published_items`` (Table 1's
        repository; missing where the paper does not use the dataset), ``publisher``, ``terms``,
        ``files`` under the data home, and ``loads``: whether :func:`load` reads it.

    Examples
    --------
    >>> catalogue().name.head(2).to_list()
    ['synthetic', 'cornell-yes-small']
    """
    table = pd.DataFrame(
        _CATALOGUE, columns=["name", "kind", "published_items", "publisher", "terms", "files"]
    )
    table["published_items"] = table["published_items"].astype("Int64")
    table["loads"] = table["name"].isin(list(_LOADERS))
    return table


def synthetic(
    *,
    n_items=6000,
    n_contexts=15000,
    n_communities=60,
    mean_length=15,
    popularity_exponent=1.0,
    noise=0.1,
    seed=0,
):
    """Generate playlists of items in communities (genres) of varying popularity.

    Community k has a size proportional to k^-0.8, and as large a share of the playlists.
    Within a community the item of rank r is drawn with weight r^-popularity_exponent. A
    playlist has one community, or two in 30 % of cases, and 1 + Poisson(mean_length - 1)
    draws; each draw is, with probability `noise`, from the whole catalogue instead.

    Parameters
    ----------
    n_items : int, default 6000
        Items in the catalogue, at least two per community. Items never drawn are left out.
    n_contexts : int, default 15000
        Playlists, at least 1.
    n_communities : int, default 60
        Communities, at least 1.
    mean_length : float, default 15
        Mean number of draws per playlist, at least 1; an item drawn twice counts once.
    popularity_exponent : float, default 1.0
        0 makes all items of a community equally popular.
    noise : float, default 0.1
        Share of draws made without regard to the communities, 0 to 1.
    seed : int, default 0
        Seed of the generator.

    Returns
    -------
    Interactions
        ``.items`` holds the truth: ``community``, and ``popularity``, the probability of the
        item in a draw from the whole catalogue.

    Raises
    ------
    ValueError
        An option out of range.

    Examples
    --------
    >>> data = synthetic(n_items=500, n_contexts=800, n_communities=8)
    >>> data.items.columns.to_list()
    ['id', 'title', 'community', 'popularity']
    >>> int(data.items.community.nunique())
    8
    """
    for name, value, lowest, highest in (
        ("n_communities", n_communities, 1, np.inf),
        ("n_items", n_items, 2 * n_communities, np.inf),
        ("n_contexts", n_contexts, 1, np.inf),
        ("mean_length", mean_length, 1, np.inf),
        ("popularity_exponent", popularity_exponent, 0, np.inf),
        ("noise", noise, 0, 1),
    ):
        if not lowest <= value <= highest:
            raise ValueError(f"{name} must be between {lowest} and {highest}, got {value}")
    rng = np.random.default_rng(seed)
    community, popularity = _genres(n_items, n_communities, popularity_exponent)
    draws, playlist = _draw_playlists(rng, community, popularity, n_contexts, mean_length, noise)
    data = _build(draws, playlist, name="synthetic", notes=f"generated with seed {seed}")
    number = data.items["id"].to_numpy()
    data.items["title"] = [f"genre {k}, item {i}" for i, k in zip(number, community[number])]
    data.items["community"] = community[number]
    data.items["popularity"] = popularity[number]
    return data


def read_interactions(path, *, item, context, time=None, min_context_size=1):
    """Read the user's own interactions from a CSV, TSV or Parquet file.

    Parameters
    ----------
    path : path
        Its suffix tells the format: .csv, .tsv, .parquet, optionally .gz, .bz2, .xz or .zip
        after the first two.
    item, context : str
        Columns that identify the item and the context. Rows where either is empty are dropped.
    time : str, optional
        Column of times, anything `pandas.to_datetime` reads.
    min_context_size : int, default 1
        Contexts of fewer rows are left out.

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
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; give the path of a .csv, .tsv or .parquet file")
    table = _read_table(path)
    columns = [c for c in (item, context, time) if c is not None]
    for column in columns:
        if column not in table.columns:
            raise ValueError(
                f"{path} has no column {column!r}; its columns are: {', '.join(map(str, table.columns))}"
            )
    rows = len(table)
    table = table[columns].dropna(subset=[item, context])
    dropped = rows - len(table)
    if time is not None:
        try:
            table[time] = pd.to_datetime(table[time]).dt.tz_localize(None)
        except (ValueError, TypeError) as error:
            raise ValueError(f"{path}: column {time!r} is not a time: {error}") from None
    if min_context_size > 1:
        table = table[table.groupby(context)[context].transform("size") >= min_context_size]
    if len(table) == 0:
        raise ValueError(f"{path} holds no interaction ({rows} rows, {dropped} without an item or a context)")
    return _build(
        table[item].to_numpy(),
        table[context].to_numpy(),
        times=None if time is None else table[time].to_numpy(),
        name=path.name,
        notes=f"{dropped} rows without an item or a context dropped" if dropped else "",
    )


def _build(item, context, *, times=None, name, notes):
    """Interactions of parallel arrays; numbers by first appearance, duplicates once."""
    row, item_ids = pd.factorize(item)
    col, context_ids = pd.factorize(context)
    shape = (len(item_ids), len(context_ids))
    key = row.astype(np.int64) * shape[1] + col
    if times is None:
        unique, stamp = np.unique(key), None
    else:
        order = np.lexsort((times, key))
        unique, first = np.unique(key[order], return_index=True)
        stamp = times[order][first].astype("datetime64[s]")
    matrix = sp.csr_array((np.ones(len(unique), np.int32), np.divmod(unique, shape[1])), shape=shape)
    items, contexts = pd.DataFrame({"id": item_ids}), pd.DataFrame({"id": context_ids})
    return Interactions(matrix, items, contexts, stamp, name, notes)


# --- synthetic ---------------------------------------------------------------------------


def _genres(n_items, n_communities, exponent):
    """Community and draw probability of each item, communities in blocks."""
    weight = np.arange(1, n_communities + 1) ** -0.8
    size = 2 + np.floor((n_items - 2 * n_communities) * weight / weight.sum()).astype(int)
    size[0] += n_items - size.sum()
    community = np.repeat(np.arange(n_communities), size)
    within = [np.arange(1, s + 1) ** -float(exponent) for s in size]
    popularity = np.concatenate([s / n_items * w / w.sum() for s, w in zip(size, within)])
    return community, popularity


def _draw_playlists(rng, community, popularity, n_contexts, mean_length, noise):
    """Items drawn and the playlist of each draw."""
    share = np.bincount(community, weights=popularity)
    n_communities = len(share)
    first = rng.choice(n_communities, n_contexts, p=share / share.sum())
    other = rng.choice(n_communities, n_contexts, p=share / share.sum())
    second = np.where(rng.random(n_contexts) < 0.3, other, first)
    playlist = np.repeat(np.arange(n_contexts), 1 + rng.poisson(mean_length - 1, n_contexts))
    genre = np.where(rng.random(len(playlist)) < 0.5, first[playlist], second[playlist])
    anywhere = rng.random(len(playlist)) < noise
    # one uniform number picks the item: within its genre's stretch of the cumulated
    # probabilities, or anywhere on them
    edge = np.concatenate([[0.0], np.cumsum(share)])
    u = rng.random(len(playlist))
    point = np.where(anywhere, u * edge[-1], edge[genre] + u * share[genre])
    item = np.searchsorted(np.cumsum(popularity), point, side="right")
    block = np.searchsorted(community, np.arange(n_communities + 1))
    low = np.where(anywhere, 0, block[genre])
    high = np.where(anywhere, block[-1], block[genre + 1]) - 1
    return np.clip(item, low, high), playlist


# --- published files ---------------------------------------------------------------------


def _home(data_home):
    if data_home is None:
        data_home = os.environ.get("SPIKYLIB_DATA")
    if data_home is None:
        import pooch

        data_home = pooch.os_cache("spikylib")
    return Path(data_home).expanduser()


def _cornell_yes(name, home, *, min_context_size=5):
    """Radio playlists of Yes.com; a song repeated in a playlist counts towards its size."""
    folder = home / "cornell-yes" / name.replace("cornell-yes-", "yes_")
    train = _require(folder / "train.txt", name)
    plays, sources = [_read_playlists(train)], ["train.txt"]
    if (folder / "test.txt").is_file():
        plays.append(_read_playlists(folder / "test.txt"))
        sources.append("test.txt")
    songs, playlists, labels = [], [], []
    for source, lines in zip(sources, plays):
        for number, line in lines:
            if len(line) >= min_context_size:
                songs.extend(line)
                playlists.extend([len(labels)] * len(line))
                labels.append(f"{source}:{number}")
    if not songs:
        raise ValueError(f"{train}: no playlist has {min_context_size} songs or more; lower min_context_size")
    notes = f"read {' and '.join(sources)}"
    if len(sources) == 1:
        notes += "; test.txt is absent, and the paper used both"
    data = _build(np.array(songs), np.array(playlists), name=name, notes=notes)
    data.contexts["id"] = np.array(labels)[data.contexts["id"]]
    return _cornell_labels(data, folder)


def _read_playlists(path):
    """(line number, song numbers) of each playlist, checked against the file's own counts."""
    text = path.read_text(encoding="utf-8").split("\n")
    if len(text) < 3 or not text[0].strip():
        raise ValueError(f"{path} is empty or cut short: two header lines and playlists were expected")
    n_songs = len(text[0].split())
    promised = _numbers(path, 2, text[1])
    if len(promised) != n_songs:
        raise ValueError(
            f"{path}, line 2: {len(promised)} play counts for {n_songs} songs; the file is damaged"
        )
    lines = [(i, _numbers(path, i, line)) for i, line in enumerate(text[2:], start=3) if line.strip()]
    played = np.concatenate([line for _, line in lines] or [np.empty(0, int)]).astype(int)
    if len(played) == 0:
        raise ValueError(f"{path} holds no playlist")
    if played.min() < 0 or played.max() >= n_songs:
        bad = next(i for i, line in lines if min(line) < 0 or max(line) >= n_songs)
        raise ValueError(f"{path}, line {bad}: a song number outside 0 to {n_songs - 1}")
    if (np.bincount(played, minlength=n_songs) != promised).any():
        raise ValueError(
            f"{path} is cut short or damaged: line 2 promises {sum(promised)} plays, {len(played)} were "
            "found; fetch the file again from its publisher"
        )
    return lines


def _numbers(path, number, line):
    try:
        return [int(word) for word in line.split()]
    except ValueError:
        raise ValueError(
            f"{path}, line {number}: not a list of whole numbers: {line.strip()[:60]!r}"
        ) from None


def _cornell_labels(data, folder):
    """Titles, artists and tags of the songs, where the files are there."""
    number = data.items["id"].to_numpy()
    if (folder / "song_hash.txt").is_file():
        rows = [line.split("\t") for line in _lines(folder / "song_hash.txt")]
        names = {
            int(row[0]): [word.strip().replace("\\/", "/") for word in row[1:3]]
            for row in rows
            if len(row) > 2
        }
        data.items["title"] = [names.get(i, ["", ""])[0] for i in number]
        data.items["artist"] = [names.get(i, ["", ""])[1] for i in number]
    if (folder / "tags.txt").is_file() and (folder / "tag_hash.txt").is_file():
        tag = dict(line.split(", ", 1) for line in _lines(folder / "tag_hash.txt") if ", " in line)
        rows = _lines(folder / "tags.txt")
        if len(rows) <= max(number):
            raise ValueError(
                f"{folder / 'tags.txt'} is cut short: {len(rows)} lines, song {max(number)} was expected"
            )
        data.items["tags"] = [tuple(tag[t].strip() for t in rows[i].split() if t in tag) for i in number]
    return data


def _lines(path):
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def _require(path, name):
    if path.is_file():
        return path
    raise FileNotFoundError(
        f"{name} needs {path.name}, looked for at {path}. Download it from its publisher "
        f"(see spikylib.datasets.catalogue()) and put it there, or point $SPIKYLIB_DATA or data_home= "
        "at the folder that holds it."
    )


def _read_table(path):
    suffix = next((s for s in reversed(path.suffixes) if s not in (".gz", ".bz2", ".xz", ".zip")), "")
    try:
        if suffix == ".parquet":
            return pd.read_parquet(path)
        if suffix in (".csv", ".tsv"):
            return pd.read_csv(path, sep="," if suffix == ".csv" else "\t", dtype=str)
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty") from None
    raise ValueError(f"{path}: the suffix {suffix!r} is not one of .csv, .tsv, .parquet")


_LOADERS = {
    "synthetic": synthetic,
    "cornell-yes-small": _cornell_yes,
    "cornell-yes-big": _cornell_yes,
    "cornell-yes-complete": _cornell_yes,
}

_CORNELL = ("Shuo Chen, Cornell", "no commercial use")
_CATALOGUE = [
    ("synthetic", "tracks x playlists", None, "this book", "MIT", "none: generated"),
    ("cornell-yes-small", "songs x radio playlists", None, *_CORNELL, "cornell-yes/yes_small/*.txt"),
    ("cornell-yes-big", "songs x radio playlists", None, *_CORNELL, "cornell-yes/yes_big/*.txt"),
    ("cornell-yes-complete", "songs x radio playlists", 44442, *_CORNELL, "cornell-yes/yes_complete/*.txt"),
    ("aotm-2011", "tracks x playlists", 27241, "Brian McFee", "research", "aotm-2011/aotm2011_playlists.json.gz"),
    ("spotify-mpd", "tracks x playlists", 1261730, "Spotify, AIcrowd", "account; no redistribution",
     "spotify-mpd/data/mpd.slice.*.json"),
    ("lastfm-360k", "artists x users", 94272, "Oscar Celma, Last.fm", "non-commercial",
     "lastfm-360k/usersha1-artmbid-artname-plays.tsv"),
    ("movielens-25m", "movies x users", 42490, "GroupLens", "research", "movielens-25m/ratings.csv"),
    ("movielens-small", "movies x users", None, "GroupLens", "research", "movielens-small/ratings.csv"),
    ("lastfm-2k", "artists x users", None, "HetRec 2011, Last.fm", "non-commercial", "lastfm-2k/user_artists.dat"),
    ("triplej", "tracks x (date, programme)", None, "Tim Bennett", "none stated", "triplej/playlist_20140929.zip"),
    ("deezer-songs", "songs (embeddings only)", None, "Deezer Research", "CC, Zenodo record 5121674",
     "deezer-songs/song_embeddings.parquet"),
]  # fmt: skip

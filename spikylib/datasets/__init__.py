"""Load interactions: generated, published, or the user's own.

Everything loads into :class:`Interactions`: a binary items x contexts matrix with its labels (published
vectors into :class:`Embeddings`). Items and contexts are numbered in order of first appearance in the
source. Published files are looked for under the *data home*: see :func:`home`; `spiky data fetch` downloads
them. No dataset is bundled, since no licence allows it; facts about six songs are (see :func:`songs`).
"""

import contextlib
import inspect
import os
from pathlib import Path

import numpy as np

from spikylib import _arrays, synthetic
from spikylib._interactions import Embeddings, Interactions, build, resample
from spikylib.datasets import _readers
from spikylib.datasets._catalogue import DATASETS, catalogue, files, find, home, root
from spikylib.datasets._download import fetch, instructions
from spikylib.datasets._guard import PARQUET, reading, suffix_of
from spikylib.datasets._guess import choose
from spikylib.datasets._own import holds_snapshots, read_embeddings, read_interactions, read_snapshots
from spikylib.datasets._songs import songs
from spikylib.datasets._tables import open_table
from spikylib.datasets._vectors import read_vectors

__all__ = ["Embeddings", "Interactions", "catalogue", "describe", "fetch", "files", "home", "kind", "load"]
__all__ += ["read_embeddings", "read_interactions", "read_snapshots", "resample", "songs"]

# options of `build`: they serve every dataset that has contexts
_FILTERS = ("min_context_size", "min_item_count", "start", "end")
_SMALL = 2**25  # bytes of files that are read in about a second


def load(
    name: str | os.PathLike,
    *,
    data_home: str | os.PathLike | None = None,
    download: bool = False,
    item: str | int | None = None,
    context: str | int | None = None,
    time: str | int | None = None,
    label: str | None = None,
    **options,
) -> Interactions | Embeddings:
    """Load a dataset by name, or the user's own file by path.

    Parameters
    ----------
    name : str or path
        A name of :func:`catalogue` (``"synthetic"`` needs no file), or the path of a file: see
        :func:`read_interactions` and :func:`read_embeddings`. With `item` or `context` it is read as
        interactions; otherwise its content decides.
    data_home : path, optional
        Folder of the datasets' folders. Default: see :func:`home`.
    download : bool, default False
        Fetch a missing dataset from its publisher, after showing the terms.
    item, context, time, label : str or int, optional
        Columns of the user's file; `label` names the items (it becomes their ``title``). A dataset
        loaded by name has its own and ignores them, and so does a ``.npy`` or ``.npz`` file.
    **options
        ``min_context_size`` (1; 5 for ``cornell-yes-*``): leave out contexts of fewer rows.
        ``min_item_count`` (1): then leave out items in fewer contexts. ``start``, ``end`` (dated data):
        before all else, keep only start <= time < end. ``features`` ("svd" or "mf") of ``deezer-songs``.
        For ``synthetic``, ``-clean`` and ``-dated``, those of ``playlists``, ``clean_playlists`` and
        ``drifting_playlists`` of :mod:`spikylib.synthetic`; for a path, those of :func:`read_interactions`
        and :func:`read_embeddings`.

    Returns
    -------
    Interactions, or Embeddings where the catalogue has "embeddings only", and for files of embeddings

    Raises
    ------
    ValueError
        Unknown name (the message lists the names), a file that is not what was published, dates given for
        undated data, or options that leave nothing.
    TypeError
        Unknown option.
    FileNotFoundError
        A file is missing; the message names it, its place, and the remedy.

    Examples
    --------
    >>> load("synthetic", n_items=500, n_contexts=800, n_communities=8).matrix.shape
    (493, 800)
    """
    path = Path(name)
    if _is_name(path):
        return _load_named(name, data_home, download, options)
    asked = {"item": item, "context": context, "time": time}
    # a chapter's parameter is "" where nothing is said
    asked = {role: column for role, column in asked.items() if column not in (None, "")}
    # a matrix has no columns: the same parameters of a chapter serve files of both kinds
    if path.is_dir() or (path.suffix.lower() not in (".npy", ".npz") and asked.keys() & {"item", "context"}):
        found = None
    else:
        of_vectors = {key: options[key] for key in _keywords(read_embeddings) if key in options}
        sure = not of_vectors.keys().isdisjoint(("id_column", "vector_column"))
        found = read_vectors(path, sure=sure, **of_vectors)
    _check_options(path.name, _keywords(read_interactions if found is None else read_embeddings), options)
    if found is not None:
        return found
    return read_interactions(path, **asked, **({"labels": {label: "title"}} if label else {}) | options)


def kind(
    name: str | os.PathLike, *, data_home: str | os.PathLike | None = None, **columns: str | int | None
) -> str:
    """Return what kind of data a dataset, file or folder contains, without reading large files whole.

    Parameters
    ----------
    name, data_home
        As for :func:`load`.
    **columns
        ``item``, ``context`` and ``time``, as for :func:`load`.

    Returns
    -------
    {"interactions", "dated interactions", "embeddings", "snapshots"}
        Snapshots are dated embeddings, for :func:`read_snapshots`.

    Raises
    ------
    ValueError, FileNotFoundError
        As :func:`load`; for tables larger than 32 MiB the first rows decide.

    Examples
    --------
    >>> kind("synthetic")
    'dated interactions'
    """
    path = Path(name)
    if _is_name(path):
        known = find(name)
        if known.files and not files(name, data_home):
            load(name, data_home=data_home)  # raises, and says where to put what
        of_items = "interactions" if known.has_contexts else "embeddings"
        return "dated " * known.kind.endswith(", dated") + of_items
    if holds_snapshots(path):
        return "snapshots"
    asked = {role: columns.get(role) or None for role in ("item", "context", "time")}
    a_table = asked["item"] or asked["context"] or suffix_of(path) in (".csv", ".tsv", *PARQUET)
    if a_table and path.exists() and sum(file.stat().st_size for file in files(path)) >= _SMALL:
        # what is not a table of interactions is read whole, to see what it is or what is wrong
        with contextlib.suppress(ValueError):
            chosen, _ = choose(open_table(path, asked["item"], asked["context"]), path, **asked)
            return "dated " * ("time" in chosen) + "interactions"
    found = load(path, **asked)
    if isinstance(found, Embeddings):
        return "embeddings"
    return "dated " * (found.times is not None) + "interactions"


def describe(data: Interactions) -> dict[str, int | float]:
    """Summarise a dataset in one row of numbers.

    Parameters
    ----------
    data : Interactions

    Returns
    -------
    dict
        ``items``, ``contexts``, ``interactions``; ``density``, the share of the matrix that is 1;
        ``gini`` of popularity, the number of contexts of an item: 0 where all items are equally popular,
        near 1 where few have nearly everything; ``median_context``, the median number of items in a
        context.

    Examples
    --------
    >>> describe(load("synthetic", n_items=500, n_contexts=800, n_communities=8))["contexts"]
    800
    """
    return {
        "items": data.n_items,
        "contexts": data.n_contexts,
        "interactions": data.matrix.nnz,
        "density": data.matrix.nnz / data.n_items / data.n_contexts,
        "gini": _arrays.gini(data.matrix.sum(axis=1)),
        "median_context": float(np.median(data.matrix.sum(axis=0))),
    }


def _is_name(path):
    return str(path) in DATASETS or not (path.suffix or (path.name and path.exists()))


def _load_named(name, data_home, download, options):
    known = find(name)
    read = getattr(synthetic, known.generator) if known.generator else getattr(_readers, known.reader)
    own = _keywords(read)
    filters = _FILTERS if known.has_contexts and known.reader else ()
    _check_options(name, [*own, *filters], options)
    if known.generator:
        return read(**options)
    if download and not files(name, data_home):
        fetch(name, data_home=data_home)
    if (place := root(known, data_home)) is None:
        raise FileNotFoundError(instructions(name))
    with reading(place / known.folder):
        found = read(name, place, **{key: options[key] for key in own if key in options})
    if not known.has_contexts:
        return found
    # once, for every format; and on rows, before pairs are counted once: a repeat counts towards a size
    options = known.defaults | options
    return build(name=name, **found, **{key: options[key] for key in filters if key in options})


def _keywords(function):
    return [p.name for p in inspect.signature(function).parameters.values() if p.kind is p.KEYWORD_ONLY]


def _check_options(name, known, options):
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise TypeError(f"{name} has no option {unknown[0]!r}; its options are: {', '.join(known)}")

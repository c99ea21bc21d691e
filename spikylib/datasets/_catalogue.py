"""The catalogue of datasets (``catalogue.toml``), and where their files lie."""

import difflib
import importlib.util
import os
import tomllib
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import pandas as pd
import platformdirs


@dataclass(frozen=True)
class Dataset:
    """One row of the catalogue; the head of ``catalogue.toml`` explains the fields."""

    kind: str
    domain: str
    publisher: str
    terms: str
    page: str = ""
    package: str | None = None
    reader: str | None = None
    generator: str | None = None
    files: list[str] = field(default_factory=list)
    published_items: int | None = None
    items: int | None = None
    contexts: int | None = None
    interactions: int | None = None
    defaults: dict = field(default_factory=dict)
    address: str | None = None
    convert: str = ""
    checksum: str | None = None
    unpack: bool = False
    largest: int = 2**30
    checks: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Folder of the dataset under the data home, or of its package; "" where the data are generated."""
        return self.files[0].partition("/")[0] if self.files else ""

    @property
    def in_parts(self) -> bool:
        """Whether the files are downloaded one by one."""
        return bool(self.address) and self.address.endswith("/")

    @property
    def has_contexts(self) -> bool:
        """Whether the dataset is interactions, not embeddings."""
        return " x " in self.kind


_ROWS = tomllib.loads(resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))
DATASETS = {name: Dataset(**row) for name, row in _ROWS.items()}


def find(name: str | os.PathLike) -> Dataset:
    """The row of a dataset; the error about a name that is not there offers the nearest."""
    if name in DATASETS:
        return DATASETS[name]
    near = difflib.get_close_matches(str(name), DATASETS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"unknown dataset {str(name)!r}, and no such file; {hint}choose one of: {', '.join(DATASETS)}; or check the path"
    )


def home(data_home: str | os.PathLike | None = None) -> Path:
    """Find the data home, which contains one folder per dataset.

    Parameters
    ----------
    data_home : path, optional
        Used as given; relative to the working directory.

    Returns
    -------
    pathlib.Path
        `data_home`, else ``$SPIKYLIB_DATA``, else the user's cache folder. It need not exist.

    Examples
    --------
    >>> home("data").name
    'data'
    """
    # platformdirs is what pooch.os_cache goes by, and is quicker to import than pooch
    chosen = data_home or os.environ.get("SPIKYLIB_DATA") or platformdirs.user_cache_dir("spikylib")
    # a chapter runs in a folder of its own, where a relative path would lead elsewhere
    return Path(chosen).expanduser().absolute()


def root(known: Dataset, data_home: str | os.PathLike | None = None) -> Path | None:
    """The folder under which a dataset's files are: the data home, or that of its package, None without it."""
    if not known.package:
        return home(data_home)
    found = importlib.util.find_spec(known.folder)  # which does not import it
    return Path(next(iter(found.submodule_search_locations))).parent if found else None


def files(name: str | os.PathLike, data_home: str | os.PathLike | None = None) -> list[Path]:
    """List the files of a dataset that exist.

    Parameters
    ----------
    name : str or path
        A name of :func:`catalogue`, or the path of the user's own file or folder.
    data_home : path, optional
        As for :func:`load`.

    Returns
    -------
    list of pathlib.Path
        Sorted. Empty where the file with the interactions is missing, and for generated data.

    Raises
    ------
    ValueError
        Neither a name nor a file.

    Examples
    --------
    >>> files("synthetic")
    []
    """
    if name not in DATASETS and (own := Path(name)).exists():
        return [own] if own.is_file() else [file for file in sorted(own.rglob("*")) if file.is_file()]
    known = find(name)
    if (folder := root(known, data_home)) is None:
        return []
    found = [sorted(folder.glob(pattern)) for pattern in known.files]
    return sorted(path for paths in found for path in paths) if found and found[0] else []


def catalogue() -> pd.DataFrame:
    """List the datasets of the book, with the sizes that were published.

    Returns
    -------
    pandas.DataFrame
        One row per dataset: ``name``, ``kind`` (items x contexts), ``domain`` (what the items are:
        music, films, groceries, ...), ``published_items`` (Table 1's repository, after its filters;
        missing where the paper does not use the dataset), ``items``, ``contexts``, ``interactions`` (as
        counted by the publisher, missing where it gives no count), ``publisher``, ``terms``, ``page``
        to read first, ``package`` (where one is to be installed), and ``files`` under the data home, or
        in that package.

    Examples
    --------
    >>> catalogue().name.head(2).to_list()
    ['synthetic', 'synthetic-clean']
    """
    counts = ["published_items", "items", "contexts", "interactions"]
    table = pd.DataFrame([{"name": name, **vars(known)} for name, known in DATASETS.items()])
    table = table[["name", "kind", "domain", *counts, "publisher", "terms", "page", "package", "files"]]
    table["files"] = table["files"].str.join(", ")
    table[counts] = table[counts].astype("Int64")
    return table

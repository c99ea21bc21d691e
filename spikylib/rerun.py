"""Name a chapter's results once, keep them, and read back those of real data.

A chapter makes one :class:`Record` and calls it once per number: the call rounds the number,
glues it for the prose and keeps it for the result file, so the three cannot disagree. A rerun
with ``results_file`` set writes them as JSON; the files under ``book/results/`` are such reruns
on real data, and :func:`read_results` hands them to the chapters' *On real data* sections.
"""

import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

_VERSIONS = ("spikylib", "numpy", "scipy", "pandas", "scikit-learn", "matplotlib")


class Record:
    """The named results of one run of a chapter.

    Parameters
    ----------
    chapter : str
        Stem of the notebook, ``"03_spk_metric"``.
    **parameters
        The run's parameters, as in the notebook's parameters cell.

    Examples
    --------
    >>> record = Record("03_spk_metric", dataset="synthetic", f=16)
    >>> record("peaks", 15)
    >>> record("spk", 0.00251424, digits=4)
    >>> record.results
    {'peaks': 15, 'spk': 0.0025}
    """

    def __init__(self, chapter, **parameters):
        self.chapter = chapter
        self.parameters = parameters
        self.results = {}
        self.arrays = {}

    def __call__(self, name, value, *, digits=None):
        """Round, glue and keep one named number or text.

        Parameters
        ----------
        name : str
            Name in the prose (``{glue:text}`name` ``), in the result file and in tables.
        value : int, float, bool or str
        digits : int, optional
            Decimals to keep of a float: those that do not change from one machine to another.

        Raises
        ------
        ValueError
            If the name was used before, or a float comes without `digits`.
        """
        if name in self.results:
            raise ValueError(f"the result {name!r} is recorded already, as {self.results[name]!r}")
        self.results[name] = value = _plain(name, value, digits)
        glue(name, value)

    def table(self, frame, *, prefix="", digits=4):
        """Record every number of a data frame as ``prefix + row label + "_" + column``.

        Parameters
        ----------
        frame : pandas.DataFrame
            One named result per cell.
        prefix : str
            Put before every name.
        digits : int, default 4
            Decimals kept of floats.
        """
        for label, row in frame.iterrows():
            for column, value in row.items():
                self(f"{prefix}{label}_{column}", value, digits=digits)

    def array(self, name, values, *, digits=3):
        """Keep an array for the figures of the result file; it is not glued.

        Parameters
        ----------
        name : str
        values : array-like of numbers or text
        digits : int, default 3
            Decimals kept of floats.
        """
        values = np.asarray(values)
        self.arrays[name] = (np.round(values, digits) + 0.0 if values.dtype.kind == "f" else values).tolist()

    def save(self, results_file, *, dataset=None, data_home=None):
        """Write parameters, results, arrays and provenance as JSON; do nothing if no file is named.

        Parameters
        ----------
        results_file : path or ""
            Written whole or not at all.
        dataset : str, optional
            Its data files' sha256 go into the provenance.
        data_home : path, optional
            As for `datasets.load`.
        """
        if not results_file:
            return
        payload = {
            "chapter": self.chapter,
            "parameters": self.parameters,
            "results": self.results,
            "arrays": self.arrays,
            "provenance": provenance() | {"data_sha256": _data_hashes(dataset, data_home)},
        }
        results_file = Path(results_file)
        results_file.parent.mkdir(parents=True, exist_ok=True)
        partial = results_file.with_name(f".{results_file.name}.{os.getpid()}")
        partial.write_text(_json(payload), encoding="utf-8")
        partial.replace(results_file)


def glue(name, value, *, display=False):
    """Attach a value to the notebook under a name, for prose on any page of the book.

    Outside a notebook nothing happens.

    Parameters
    ----------
    name : str
        For ``{glue:text}`name` ``, or ``{glue:}`` where the value is a table or HTML.
    value : int, float, bool, str, pandas.DataFrame or IPython.display.HTML
    display : bool, default False
        Also show it as an output of the cell.
    """
    from IPython import get_ipython

    if get_ipython() is not None:
        import myst_nb

        myst_nb.glue(name, value, display=display)


def read_results(chapter, folder=None):
    """Read the stored reruns of a chapter on real data.

    Parameters
    ----------
    chapter : str
        Stem of the notebook.
    folder : path, optional
        Default: ``book/results`` of this book, found upwards from the working directory or
        beside the package.

    Returns
    -------
    dict of str to dict
        For each dataset, by name, the content of its result file: ``parameters``, ``results``,
        ``arrays``, ``provenance``.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    ValueError
        If a file in it holds no results.
    """
    folder = _results_folder() if folder is None else Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of results {folder}; run `make results` where the data are")
    files = sorted(folder.glob(f"{chapter}--*.json"))
    return {f.stem.split("--", 1)[1]: _stored(f) for f in files}


def glue_results(chapter, folder=None):
    """Glue every named result of the stored reruns as ``<dataset>_<name>``, dashes as ``_``.

    Parameters
    ----------
    chapter : str
        Stem of the notebook.
    folder : path, optional
        As for :func:`read_results`.

    Returns
    -------
    dict of str to dict
        What :func:`read_results` returns.
    """
    stored = read_results(chapter, folder)
    for dataset, run in stored.items():
        for name, value in run["results"].items():
            glue(f"{dataset}_{name}".replace("-", "_"), value)
    return stored


def read_published(table):
    """Read a table of numbers that the paper published, kept beside the stored reruns.

    Parameters
    ----------
    table : str
        ``"table1"``: Table 1 of the paper, one row a dataset, as printed.

    Returns
    -------
    pandas.DataFrame
        Indexed by dataset, text as printed.
    """
    return pd.read_csv(_results_folder() / f"{table}_published.csv", dtype=str, index_col="dataset")


def provenance():
    """Tell what ran: versions of Python and the libraries, platform, commit, time.

    Returns
    -------
    dict
        ``commit`` is None outside a git checkout, and ends in ``-dirty`` where the library or a
        notebook differs from it.
    """
    return {
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in _VERSIONS},
        "machine": f"{platform.system()} {platform.machine()}",
        "commit": _commit(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def footer(*, dataset, seed):
    """Print the closing lines of a chapter: dataset, seed, versions and commit.

    Parameters
    ----------
    dataset : str
    seed : int or None
    """
    told = provenance()
    print(f"dataset {dataset} · seed {seed} · Python {told['python']}")
    print(" · ".join(f"{name} {version}" for name, version in told["versions"].items()))
    print(f"commit {told['commit']}")


def _stored(file):
    """The content of a result file."""
    try:
        run = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(run["parameters"], dict) and isinstance(run["results"], dict):
            return run
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise ValueError(f"{file} holds no parameters and results; remove it, and run its notebook again")


def _plain(name, value, digits):
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if digits is None:
            raise ValueError(f"the result {name!r} is a float, {value}: say how many digits of it are stable")
        value = round(value, digits) + 0.0 if math.isfinite(value) else value
    return value


def _json(payload):
    """JSON to be read by people too, but arrays on one line."""
    parts = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, indent=None if key == 'arrays' else 1)}"
        for key, value in payload.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _results_folder():
    for parent in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[1]):
        if (parent / "book" / "results").is_dir():
            return parent / "book" / "results"
    raise FileNotFoundError(
        f"no book/results above {Path.cwd()}; run the notebook inside a checkout of the book, "
        "which holds the stored results of real data"
    )


def _data_hashes(dataset, data_home):
    from spikylib import datasets

    if dataset is None or dataset == "synthetic":
        return {}
    hashes = {}
    for file in datasets.files(dataset, data_home):
        with file.open("rb") as stream:
            hashes[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashes


def _commit():
    """The commit checked out, "-dirty" if the code differs from it, None outside git."""

    def git(*command):
        return subprocess.run(
            ["git", *command], capture_output=True, text=True, cwd=folder, check=True
        ).stdout

    folder = Path(__file__).resolve().parents[1]
    try:
        changed = git("status", "--porcelain", "--", "spikylib", "notebooks/*.ipynb").strip()
        return git("rev-parse", "--short=12", "HEAD").strip() + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None

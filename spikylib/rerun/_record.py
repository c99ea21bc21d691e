"""What a chapter found: named, rounded, glued, and written with its provenance."""

import functools
import importlib.metadata
import json
import platform
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np

from spikylib._files import write_whole

_VERSIONS = ("spikylib", "numpy", "scipy", "pandas", "scikit-learn", "matplotlib")
_PLAIN = (str, int, float, bool, NoneType)
_NOT_RECORDED = ("data_home", "results_file")  # paths of one machine, which change no result


class Record:
    """The named results of one run of a chapter.

    Parameters
    ----------
    chapter : str
        Stem of the notebook, ``"03_spk_metric"``.
    parameters : mapping of str to object
        The notebook's ``globals()``, right after its parameters cell, or any other mapping. Kept are
        the plain values (str, int, float, bool, None) whose names do not begin with an underscore,
        but for ``data_home`` and ``results_file``, which :meth:`save` uses.
    **named
        More parameters.

    Examples
    --------
    >>> record = Record("03_spk_metric", {"dataset": "synthetic", "f": 16})
    >>> record(peaks=15)
    >>> record(spk=0.00251424, spk_null=0.1649, digits=4)
    >>> record.results
    {'peaks': 15, 'spk': 0.0025, 'spk_null': 0.1649}
    """

    def __init__(self, chapter: str, parameters: Mapping[str, Any] | None = None, /, **named: Any) -> None:
        parameters = {**(parameters or {}), **named}
        self.chapter = chapter
        # the type itself: a NumPy float is a float too, but no value of a parameters cell
        self.parameters = {
            name: value
            for name, value in parameters.items()
            if type(value) in _PLAIN and not name.startswith("_") and name not in _NOT_RECORDED
        }
        self.results: dict[str, Any] = {}
        self.arrays: dict[str, list] = {}
        self._results_file = parameters.get("results_file")
        self._data_home = parameters.get("data_home")
        self._notes = ""

    def __call__(
        self,
        values: Mapping | str | None = None,
        value: Any = None,
        /,
        *,
        digits: int | None = None,
        **named: Any,
    ) -> None:
        """Round, glue and keep named numbers and texts.

        Parameters
        ----------
        values : mapping of str to (int, float, bool or str), or str, optional
            Names and values; for names that are put together. Or one name, with its value after it.
        digits : int, optional
            Decimals to keep of floats: those that do not change from one machine to another.
        **named
            More names and values. A name is that in the prose (``{glue:text}`name` ``), in the result
            file and in tables.

        Raises
        ------
        ValueError
            If a name was used before, or a float comes without `digits`.
        """
        values = {values: value} if isinstance(values, str) else values or {}
        for name, value in [*values.items(), *named.items()]:
            if name in self.results:
                raise ValueError(f"the result {name!r} is recorded already, as {self.results[name]!r}")
            self.results[name] = value = _rounded(name, value, digits)
            glue(name, value)

    def table(self, frame: Any, *, prefix: str = "", digits: int = 4) -> None:
        """Record every cell of a data frame as ``prefix + row label + "_" + column``.

        Parameters
        ----------
        frame : pandas.DataFrame
        prefix : str
        digits : int, default 4
            Decimals to keep of floats.
        """
        for label, row in frame.iterrows():
            self({f"{prefix}{label}_{column}": value for column, value in row.items()}, digits=digits)

    def array(self, name: str, values: Any, *, digits: int = 3) -> None:
        """Keep an array for the figures of stored runs; it is not glued.

        Parameters
        ----------
        name : str
        values : array-like of numbers or text
        digits : int, default 3
            Decimals to keep of floats.
        """
        values = np.asarray(values)
        # adding zero turns -0.0, which a rounding may leave, into 0.0
        self.arrays[name] = (np.round(values, digits) + 0.0 if values.dtype.kind == "f" else values).tolist()

    def notes(self, text: str) -> None:
        """Show the notes of the data, if any, and keep them for the provenance."""
        self._notes = text
        if text:
            print(text)

    def save(self, results_file: str | None = None, *, dataset: str | None = None) -> None:
        """Write parameters, results, arrays and provenance as JSON to a file.

        The provenance includes the notes of the data and the sha256 of the data files.

        Parameters
        ----------
        results_file : str, optional
            Default: the parameter ``results_file``. Where that is empty or missing, nothing is written.
        dataset : str, optional
            Default: the parameter ``dataset``, under that of ``data_home``.
        """
        if results_file := results_file or self._results_file:
            dataset = dataset or self.parameters.get("dataset", "")
            hashes = data_hashes(dataset, self._data_home)
            of_data = {"data_sha256": hashes} | ({"data_notes": self._notes} if self._notes else {})
            run = {"chapter": self.chapter, "parameters": self.parameters, "results": self.results}
            run |= {"arrays": self.arrays, "provenance": provenance() | of_data}
            write_whole(results_file, json_text(run))


def glue(name: str, value: Any, *, display: bool = False) -> None:
    """Attach a value to the notebook under a name, for prose on any page of the book.

    Outside a notebook, and without IPython, nothing happens.

    Parameters
    ----------
    name : str
        For ``{glue:text}`name` ``, or ``{glue:}`` where the value is a table or HTML.
    value : int, float, bool, str, pandas.DataFrame or IPython.display.HTML
    display : bool, default False
        Also show it as an output of the cell.
    """
    # not imported here: a running notebook has loaded it, and nothing else needs it
    ipython = sys.modules.get("IPython")
    if ipython and ipython.get_ipython():
        import myst_nb

        myst_nb.glue(name, value, display=display)


def provenance() -> dict[str, Any]:
    """Return what runs: versions of Python and the libraries, platform, commit, time.

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


def data_hashes(dataset: str, data_home: str | None = None) -> dict[str, str]:
    """Compute the sha256 of every file of a dataset, by its name, in a folder of one's own by its path."""
    import pooch

    from spikylib import datasets

    files = datasets.files(dataset, data_home or None) if dataset else []
    names = [str(f.relative_to(dataset)) if Path(dataset) in f.parents else f.name for f in files]
    return {name: pooch.file_hash(file, alg="sha256") for name, file in zip(names, files)}


def footer(*, dataset: str, seed: int | None) -> None:
    """Print the closing lines of a chapter: dataset, seed, versions and commit.

    Parameters
    ----------
    dataset : str
    seed : int or None
    """
    made_with = provenance()
    print(f"dataset {dataset} · seed {seed} · Python {made_with['python']}")
    versions = [f"{name} {version}" for name, version in made_with["versions"].items()]
    print(" · ".join(versions[:3]), " · ".join(versions[3:]), sep="\n")  # of a page's width
    print(f"commit {made_with['commit']}")


def json_text(payload):
    """JSON to be read by people too, but arrays on one line."""
    parts = (
        f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False, indent=None if key == 'arrays' else 1)}"
        for key, value in payload.items()
    )
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _rounded(name, value, digits):
    """The value as plain Python; a float to its stable digits."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        if digits is None:
            raise ValueError(f"the result {name!r} is a float, {value}: say how many digits of it are stable")
        value = round(value, digits) + 0.0  # not -0.0
    return value


def _commit():
    """The commit checked out, "-dirty" if the code differs from it, None outside git."""
    checkout = Path(__file__).resolve().parents[2]
    git = functools.partial(subprocess.check_output, cwd=checkout, stderr=subprocess.DEVNULL, text=True)
    # only what computes counts: `make results` itself changes book/results from run to run
    try:
        changed = git(["git", "status", "--porcelain", "--", "spikylib", "notebooks/*.ipynb"])
        return git(["git", "rev-parse", "--short=12", "HEAD"]).strip() + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None

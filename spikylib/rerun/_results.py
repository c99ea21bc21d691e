"""Results of runs: read back, looked up by name, and tabulated."""

import contextlib
import difflib
import fnmatch
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from spikylib._files import in_checkout

RESULT = "result.json"  # in the folder of a run that succeeded


def read_results(chapter: str, folder: str | Path | None = None) -> dict[str, dict[str, Any]]:
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
        If a file in it contains no results.

    Examples
    --------
    >>> stored = read_results("03_spk_metric")
    >>> stored["triplej"]["results"]["peaks_128"]
    2649
    """
    folder = in_checkout("book/results")[0] if folder is None else Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder of results {folder}; run `make results` where the data are")
    files = sorted(folder.glob(f"{chapter}--*.json"))
    return {f.stem.split("--", 1)[1]: read_run(f) for f in files}


def stored_number(reference: str, page: str, read: Callable = read_results) -> tuple[str, str, str, str]:
    """Look up what ``{stored}`` names in the prose: ``[chapter/]dataset/name[:format]``.

    Parameters
    ----------
    reference : str
        On the chapter's own page its name is left out.
    page : str
        Chapter on whose page the reference is.
    read : function, default `read_results`
        From a chapter to its stored reruns.

    Returns
    -------
    chapter, dataset, name, text : str

    Raises
    ------
    ValueError
        If there is no such run or result, or the format does not fit it.
    """
    words, _, form = reference.partition(":")
    try:
        *chapters, dataset, name = words.split("/")
        (chapter,) = chapters or [page]
        value = read(chapter)[dataset]["results"][name]
    except (ValueError, KeyError):
        raise ValueError(
            f"no stored run has the result {reference!r}; write [chapter/]dataset/name[:format]"
        ) from None
    return chapter, dataset, name, format(value, form)


def read_run(file):
    """The content of a result file."""
    # brackets nested too deep for the parser, a RecursionError, are not results either
    with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
        run = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(run["parameters"], dict) and isinstance(run["results"], dict):
            return run
    raise ValueError(f"{file} does not contain parameters and results; remove it, and run its notebook again")


def table(folder: str | Path, patterns: tuple[str, ...] = ()) -> Any:
    """Tabulate the runs of a folder.

    Parameters
    ----------
    folder : path
        Contains one folder per run, as `spiky run` leaves it, or one file per run, as in ``book/results``.
    patterns : sequence of str, default ()
        Keep only the results whose names match one of them, as ``spk*``.

    Returns
    -------
    pandas.DataFrame
        One row per run; the columns are ``notebook``, parameters, ``seconds`` and results.

    Raises
    ------
    FileNotFoundError
        If there is no run in the folder.
    ValueError
        If a pattern matches no result.
    """
    import pandas as pd

    folder = Path(folder)
    runs = []
    for file in sorted([*folder.glob(f"*/{RESULT}"), *folder.glob("*.json")], key=_by_number):
        with contextlib.suppress(ValueError):  # a JSON file of something else
            runs.append(read_run(file))
    if not runs:
        raise FileNotFoundError(f"no run has succeeded in {folder}; spiky run and spiky sweep make some")
    names = list(dict.fromkeys(name for run in runs for name in run["results"]))
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise ValueError(f"no result is named {pattern}{did_you_mean(pattern, names)}")
    if patterns:
        names = [name for name in names if any(fnmatch.fnmatch(name, pattern) for pattern in patterns)]
        runs = [run for run in runs if run["results"].keys() & names]
    settings = [{"notebook": run.get("notebook") or run.get("chapter"), **run["parameters"]} for run in runs]
    # as objects, a count stays a count where another run has none
    settings = pd.DataFrame(settings, dtype=object)
    settings["seconds"] = [run.get("seconds") for run in runs]
    results = pd.DataFrame([run["results"] for run in runs], dtype=object).reindex(columns=names)
    # a result may have the name of a parameter, such as f
    results = results.rename(columns=lambda name: f"{name} (result)" if name in settings else name)
    return pd.concat([settings, results], axis=1)


def did_you_mean(word, known):
    """The nearest of the known words as a question, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _by_number(path):
    """A sort key that puts f=16 before f=128."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", str(path))]

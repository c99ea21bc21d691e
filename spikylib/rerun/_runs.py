"""Run notebooks with other parameters, one at a time or many, and keep what each run found.

A run has a folder of its own, named after what ran, with the executed notebook and, only if it succeeded,
``result.json``. A lock per run and a rename at the end let several processes share the folders. This is
what the `spiky` command calls.
"""

import contextlib
import csv
import hashlib
import itertools
import json
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from spikylib._arrays import n_threads
from spikylib._files import write_whole
from spikylib.datasets import home, kind
from spikylib.rerun._parameters import checked, declared, literal_path, papermill, settable, sources, takes
from spikylib.rerun._record import data_hashes, json_text, provenance
from spikylib.rerun._results import RESULT, did_you_mean, read_run

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_COLUMNS = {"item_column": "item", "context_column": "context", "time_column": "time"}
_REFUSALS = ("ValueError", "FileNotFoundError")  # of data or parameters, in words
_LONGEST_NAME = 200  # characters; a file system takes 255 bytes


class Run(NamedTuple):
    """One run to be made: the notebook, every parameter, the name of its folder, and the sha256 of its data."""

    notebook: Path
    parameters: dict[str, Any]
    name: str
    data: dict[str, str]


class Outcome(NamedTuple):
    """How one run ended: `status` is "done", "existing" or "failed"."""

    name: str
    status: str
    seconds: float = 0.0
    reason: str = ""
    detail: str = ""


def plan(notebook: Path, given: Sequence[str], folder: str | Path, *, grid: bool = False) -> list[Run]:
    """Check parameters against a notebook, and list the runs to make.

    Parameters
    ----------
    notebook : Path
    given : sequence of str
        ``name=value``; in a grid ``name=value,value``, quoted as in CSV where a value has a comma.
    folder : path
        Of the runs.
    grid : bool, default False
        Every combination of the values.

    Raises
    ------
    ValueError
        For an unknown name (with the nearest), a value of another type or out of its range, a name
        given twice, data that cannot be read or that the chapter does not take, or a folder in which a
        run would overwrite its own source.
    FileNotFoundError
        If a dataset of a chapter is not there.
    """
    known = settable(notebook)
    values = {}
    for word in given:
        name, equals, text = word.partition("=")
        if not equals:
            raise ValueError(f"{word!r} is not name=value")
        if name == "results_file":
            raise ValueError("results_file is set by the run itself: it becomes the run's result.json")
        if name not in known:
            near = did_you_mean(name, known) or f"; it has {', '.join(known) or 'no parameters'}"
            raise ValueError(f"{notebook.stem} has no parameter {name!r}{near}")
        if name in values:
            raise ValueError(f"{name} is given twice" + ("; list its values with commas" if grid else ""))
        values[name] = [checked(known[name], t) for t in (_parts(name, text) if grid else [text])]
    runs, data = {}, {}  # by name: 0.5 and 0.50 are one run
    for combination in itertools.product(*values.values()):
        parameters = {n: p.default for n, p in known.items()} | dict(zip(values, combination))
        name = _name(notebook, known, parameters)
        out = Path(folder) / name / notebook.name
        if out.exists() and out.samefile(notebook):
            raise ValueError(f"the output would overwrite its source, {notebook}; choose another folder")
        # a grid has many runs on the same data, which may be large
        source = tuple(parameters.get(parameter) for parameter in ("dataset", "data_home", *_COLUMNS))
        if source not in data:
            data[source] = _checked_data(notebook, parameters)
        runs[name] = Run(notebook, parameters, name, data[source])
    return list(runs.values())


def run_notebook(run: Run, run_folder: Path) -> dict[str, Any]:
    """Execute the notebook in a kernel, into the run's folder; return what its `Record` saved, or {}."""
    with tempfile.TemporaryDirectory() as scratch:
        results_file = Path(scratch) / "results.json"
        own = {"results_file": str(results_file)} if "results_file" in declared(run.notebook) else {}
        in_sweep = multiprocessing.parent_process() is not None
        if "SPIKYLIB_DATA" in os.environ:  # relative to this process, and the kernel works elsewhere
            os.environ["SPIKYLIB_DATA"] = str(home())
        papermill().execute_notebook(
            literal_path(run.notebook),
            literal_path(run_folder / run.notebook.name),
            run.parameters | own,
            # one bar on a terminal, none where several processes would write over each other
            progress_bar={"desc": run.name, "disable": in_sweep or None, "leave": False},
            # the kernel works where the notebook lies; papermill's cwd would move this whole process
            resources={"metadata": {"path": str(run.notebook.parent)}},
            # ipykernel's warnings about its own transport are no business of a terminal
            extra_arguments=["--log-level=CRITICAL"],
        )
        return json.loads(results_file.read_text(encoding="utf-8")) if results_file.is_file() else {}


def execute(run: Run, folder: str | Path, *, force=False, runner=run_notebook) -> Outcome:
    """Make one run, unless its result exists.

    Parameters
    ----------
    run : Run
        From :func:`plan`.
    folder : path
        Of the runs; the run gets a folder of its own in it.
    force : bool, default False
        Run even if the result exists.
    runner : function, default `run_notebook`
        Executes a run into its folder, and returns what the notebook's `Record` saved.

    Returns
    -------
    Outcome
        A failure is returned, not raised.
    """
    run_folder = Path(folder).resolve() / run.name
    run_folder.mkdir(parents=True, exist_ok=True)
    with _lock(run_folder / ".lock", run.name):
        existing, change = _existing_result(run, run_folder)
        if existing and not force:
            return existing
        # a run that fails or is killed must not leave what the one before has found
        for name in (RESULT, f"{run.notebook.stem}.html"):
            (run_folder / name).unlink(missing_ok=True)
        start = time.perf_counter()
        try:
            found = runner(run, run_folder)
        except Exception as error:
            return Outcome(run.name, "failed", time.perf_counter() - start, *_reason(error))
        seconds = time.perf_counter() - start
        write_whole(run_folder / RESULT, json_text(_result(run, found, seconds)))
    return Outcome(run.name, "done", seconds, change)


def sweep(
    runs: Sequence[Run], folder: str | Path, *, jobs=1, scheduler=None, force=False, runner=run_notebook
) -> Iterator[Outcome]:
    """Make many runs in parallel processes, and yield the outcome of each as it ends.

    Parameters
    ----------
    runs : sequence of Run
        From :func:`plan`.
    folder : path
        Of the runs.
    jobs : int, default 1
        Processes on this machine; the cores are divided among them, unless ``OMP_NUM_THREADS`` says
        how many threads a run gets.
    scheduler : str, optional
        Address of a Dask scheduler that takes the runs instead; its workers must see the same files.
    force : bool, default False
        Also make the runs whose results exist.
    runner : function, default `run_notebook`
        As for :func:`execute`; defined in a module, since other processes import it.

    Yields
    ------
    Outcome
        Of the runs whose results exist first.

    Raises
    ------
    ValueError
        If the scheduler does not answer, or Dask is not installed.
    """
    folder = Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)  # one error where nothing can be written, not one a run
    existing = {run.name: None if force else _existing_result(run, folder / run.name)[0] for run in runs}
    yield from filter(None, existing.values())
    if missing := [run for run in runs if not existing[run.name]]:
        options = {"force": force, "runner": runner}
        with _dask(scheduler) if scheduler else _processes(min(jobs, len(missing))) as pool:
            futures = {pool.submit(execute, run, folder, **options): run.name for run in missing}
            for future in as_completed(futures):
                try:
                    yield future.result()
                except Exception as error:  # its process was killed
                    yield Outcome(futures[future], "failed", 0.0, *_reason(error))


@contextlib.contextmanager
def _processes(jobs):
    # spawned, not forked: a fork copies the locks that other threads hold
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, _start_worker, (max(1, n_threads() // jobs),)) as pool:
        try:
            yield pool
        except BaseException:  # Ctrl-C: stop what runs, whatever it does
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.kill()
            raise


@contextlib.contextmanager
def _dask(scheduler):
    try:
        import distributed

        client = distributed.Client(scheduler, timeout=10)
    except ImportError as error:
        raise ValueError("--scheduler needs Dask: pip install distributed") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {scheduler}: {error}") from error
    with client:
        # not pure: the same call again is another run, not a cached result
        yield client.get_executor(pure=False)


def _start_worker(threads):
    """Divide the cores, and end with the parent even where that was killed."""
    # for the kernel, which inherits them; the libraries of this process have read them already
    if not os.environ.get("OMP_NUM_THREADS"):
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))

    def end_with_parent():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def _lock(file, name):
    """Take a lock, to be used in `with`, that the system frees when the process ends, however it ends."""
    lock = FileLock(file)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        print(f"{name} is being run by another process: waiting for it", file=sys.stderr)
        return lock.acquire()


def _result(run, found, seconds):
    """The content of the result file."""
    result = {"notebook": run.notebook.stem, "notebook_sha256": _code_hash(run.notebook)}
    result |= {name: run.parameters.get(name) for name in ("dataset", "seed")}
    result |= {"seconds": round(seconds, 2), "parameters": run.parameters}
    default = {"results": {}, "arrays": {}, "provenance": provenance()}
    result |= {name: found.get(name, value) for name, value in default.items()}
    # of the data as they were before the run; if they changed meanwhile, the next run sees it
    return result | {"provenance": result["provenance"] | {"data_sha256": run.data}}


def _existing_result(run, run_folder):
    """The outcome of this very run, if its result is in its folder; else None, and what has changed."""
    # a file without these keys was not written by a run
    with contextlib.suppress(FileNotFoundError, ValueError, KeyError):
        stored = read_run(run_folder / RESULT)
        same, seconds = stored["notebook_sha256"] == _code_hash(run.notebook), stored["seconds"]
        if stored["parameters"] == run.parameters:
            before = stored.get("provenance", {}).get("data_sha256", {})
            changed = [file for file in before | run.data if before.get(file) != run.data.get(file)]
            if changed:
                return None, f"again, because {changed[0]} has changed"
            change = "" if same else "the notebook has changed since"
            return Outcome(run.name, "existing", seconds, change), ""
    return None, ""


def _reason(error):
    """Why a run failed, in one line and in full; what the library refused, in one line alone."""
    # papermill's error, known by its fields where papermill is not imported
    of_cell = hasattr(error, "ename")
    # the last frame is the library's where it refuses data or parameters, and needs no code shown
    frames = [part for part in error.traceback if re.match(r"(\x1b\[[\d;]*m)*File ", part)] if of_cell else []
    if frames and f"{os.sep}spikylib{os.sep}" in frames[-1].splitlines()[0] and error.ename in _REFUSALS:
        return " ".join(error.evalue.split()), ""
    text = f"{error.ename}: {error.evalue}" if of_cell else f"{type(error).__name__}: {error}"
    where = f"cell [{error.exec_count}] failed:\n\n{error.source}\n\n" if of_cell else ""
    return text.splitlines()[0].strip(), where + text.strip()


def _parts(name, text):
    """The values of a grid, which commas part."""
    # pathlib raises an error for a name that is too long, and for a user that there is not
    if "," in text and os.path.exists(os.path.expanduser(text)):  # noqa: PTH110, PTH111
        raise ValueError(
            f"{name}: commas separate values; for the one file {text}, quote it: '{name}=\"{text}\"'"
        )
    try:
        return next(csv.reader([text]), []) or [""]
    except csv.Error as error:
        raise ValueError(f"{name}: {text!r} is not values separated by commas ({error})") from None


def _checked_data(notebook, parameters):
    """The sha256 of a run's data, once they are of a kind that a chapter takes."""
    dataset, data_home = parameters.get("dataset"), parameters.get("data_home")
    if wanted := takes(notebook):
        columns = {role: parameters.get(name) for name, role in _COLUMNS.items()}
        try:
            found = kind(dataset, data_home=data_home or None, **columns)
        except ValueError as error:
            # the remedy in the words of this command
            raise ValueError(re.sub(r"\b(item|context|time)=", r"-p \1_column=", str(error))) from error
        if not any(found.endswith(one) for one in wanted):
            hint = "; a column of times is named by -p time_column=" if f"dated {found}" in wanted else ""
            raise ValueError(
                f"{notebook.stem} takes {' or '.join(wanted)}, and {dataset} contains {found}{hint}"
            )
    # in a notebook of one's own `dataset` may be anything, and other parameters may be files
    texts = [value for name, value in parameters.items() if isinstance(value, str) and name != "data_home"]
    files = [text for text in texts if Path(text).is_absolute() and Path(text).is_file()]
    hashes = {}
    for source in dict.fromkeys([dataset] * isinstance(dataset, str) + files):
        with contextlib.suppress(ValueError):
            hashes |= data_hashes(source, data_home)
    return hashes


def _name(notebook, known, parameters):
    """Name a run after what is not the default, in the order of the parameters cell."""
    parts = [notebook.stem]
    for name, parameter in known.items():
        if parameters[name] != parameter.default:
            text = str(parameters[name])
            safe = re.sub(r"[^\w.+-]", "_", text.rpartition("/")[2])[:40]
            # two values that differ only in what a folder's name cannot hold differ in the hash
            parts.append(f"{name}={safe}" + ("" if safe == text else f"-{_hash(text)[:8]}"))
    whole = "--".join(parts)
    return whole if len(whole) <= _LONGEST_NAME else f"{whole[: _LONGEST_NAME - 10]}-{_hash(whole)[:8]}"


def _code_hash(notebook):
    """Of the code alone: outputs and prose change no result."""
    return _hash("\0".join(sources(notebook, "code")))


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()

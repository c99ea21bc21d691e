"""Run notebooks with other parameters, keep what each run found, and put the runs side by side.

A notebook's parameters are those of its parameters cell and are checked against it before anything
runs. A run has a folder of its own, named after what ran, which holds the executed notebook and, only
if it succeeded, ``result.json``. A lock per run and a rename at the end let several processes share
the folders. This is what the `spiky` command calls.
"""

import ast
import base64
import concurrent.futures
import contextlib
import difflib
import fcntl
import fnmatch
import hashlib
import importlib.metadata
import itertools
import json
import math
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from spikylib.datasets._catalogue import DATASETS

RESULT = "result.json"
_NUMBER = r"-?\d[\d_]*(?:\.\d+)?(?:e-?\d+)?"
_RANGE = re.compile(rf"(?:^|,\s*)({_NUMBER}) to ({_NUMBER})$")
_CHOICES = re.compile(r"(?:^|,\s*)one of (.+)$")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Parameter(NamedTuple):
    """One line of a parameters cell."""

    name: str
    type: str
    default: object
    meaning: str
    low: float | None
    high: float | None
    choices: tuple

    @property
    def range(self):
        """The values allowed, in words, or nothing."""
        if self.choices:
            return ", ".join(self.choices)
        return "" if self.low is None else f"{self.low:g} to {self.high:g}"


class Outcome(NamedTuple):
    """What became of one run: `status` is "done", "there" or "failed"."""

    name: str
    status: str
    seconds: float = 0.0
    reason: str = ""
    detail: str = ""


class Run(NamedTuple):
    """One run to be made: the notebook, every parameter, and the name of its folder."""

    notebook: Path
    parameters: dict
    name: str


def book():
    """List the book's notebooks: in ``notebooks`` upwards from here, else beside the package."""
    for parent in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[1]):
        files = sorted((parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
        if files:
            return files
    raise FileNotFoundError(
        f"no folder notebooks/ above {Path.cwd()}; run this in a checkout of the book, or name a notebook's path"
    )


def find(word):
    """Find a notebook by number, by stem or by path."""
    path = Path(word).expanduser()
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise FileNotFoundError(f"there is no notebook {word}")
        return path.resolve()
    files = book()
    for file in files:
        if word == file.stem or (word.isdecimal() and int(word) == int(file.stem[:2])):
            return file
    stems = [f.stem for f in files]
    near = _near(word, stems)
    raise ValueError(f"there is no notebook {word!r}{near or '; the book has ' + ', '.join(stems)}")


def title(notebook):
    """Read a notebook's title and about how long it runs, as it says itself."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    heading = re.search(r"^# (.+)$", text, flags=re.M)
    long = re.search(r"\*\*Time\*\*: the code runs in ([^.;,]+)", text)
    return heading[1] if heading else notebook.stem, long[1] if long else ""


def declared(notebook):
    """Read a notebook's parameters cell into `Parameter`s, by name."""
    found = {}
    for name, told in _papermill().inspect_notebook(_literal(notebook)).items():
        try:
            default = ast.literal_eval(told["default"])
        except (ValueError, SyntaxError):
            default = told["default"]
        kind = told["inferred_type_name"]
        kind = type(default).__name__ if kind == "None" else kind
        meaning, low, high, choices = told["help"].strip(), None, None, ()
        if limits := _RANGE.search(meaning):
            low, high = (ast.literal_eval(limit) for limit in limits.groups())
            meaning = meaning[: limits.start()]
        elif listed := _CHOICES.search(meaning):
            choices = tuple(re.split(r",\s*|\s+or\s+", listed[1]))
            meaning = meaning[: listed.start()]
        found[name] = Parameter(name, kind, default, meaning, low, high, choices)
    return found


def settable(notebook):
    """The parameters that a user may set: all but ``results_file``, which a run sets itself."""
    return {name: p for name, p in declared(notebook).items() if name != "results_file"}


def plan(notebook, given, *, grid=False):
    """Check parameters against a notebook, and list the runs they ask for.

    Parameters
    ----------
    notebook : Path
    given : sequence of str
        ``name=value``; in a grid ``name=value,value``.
    grid : bool, default False
        Every combination of the values.

    Returns
    -------
    list of Run

    Raises
    ------
    ValueError
        For an unknown name (with the nearest), a value of another type or out of its range, or a
        name given twice.
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
            near = _near(name, known) or f"; it has {', '.join(known) or 'no parameters'}"
            raise ValueError(f"{notebook.stem} has no parameter {name!r}{near}")
        if name in values:
            raise ValueError(f"{name} is given twice" + ("; list its values with commas" if grid else ""))
        texts = text.split(",") if grid else [text]
        values[name] = [_value(known[name], t) for t in texts]
    runs = {}
    for combination in itertools.product(*values.values()):
        parameters = {n: p.default for n, p in known.items()} | dict(zip(values, combination))
        name = _name(notebook, known, parameters)
        runs[name] = Run(notebook, parameters, name)
    return list(runs.values())


def execute(run, folder, *, html=False, force=False, progress=False):
    """Make one run, unless it is there already.

    Parameters
    ----------
    run : Run
        From :func:`plan`.
    folder : path
        Of the runs; the run gets a folder of its own in it.
    html : bool, default False
        Also write the executed notebook as one stand-alone HTML file.
    force : bool, default False
        Run even if it is there.
    progress : bool, default False
        Show a bar on a terminal.

    Returns
    -------
    Outcome
        A failure is returned, not raised.
    """
    here = Path(folder).resolve() / run.name
    here.mkdir(parents=True, exist_ok=True)
    with _locked(here / ".lock", run.name):
        if not force and (there := _there(run, here)):
            if html and not _html_file(run, here).exists():
                _write_html(run, here)
            return there
        (here / RESULT).unlink(missing_ok=True)
        _html_file(run, here).unlink(missing_ok=True)
        start = time.perf_counter()
        try:
            found = _papermill_run(run, here, progress)
            if html:
                _write_html(run, here)
        except Exception as error:
            return Outcome(run.name, "failed", time.perf_counter() - start, *_reason(error))
        _write_result(run, here, found, time.perf_counter() - start)
    return Outcome(run.name, "done", time.perf_counter() - start)


def sweep(runs, folder, *, jobs=1, scheduler=None, force=False):
    """Make many runs in parallel processes, and hand out what became of each as it ends.

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
        Run also what is there.

    Yields
    ------
    Outcome
        Those that are there first.

    Raises
    ------
    ValueError
        If the scheduler does not answer, or Dask is not installed.
    """
    folder = Path(folder).resolve()
    missing = []
    for run in runs:
        there = None if force else _there(run, folder / run.name)
        if there:
            yield there
        else:
            missing.append(run)
    if missing:
        start = _on_dask if scheduler else _on_processes
        yield from start(missing, folder, force, scheduler or jobs)


def table(folder, patterns=()):
    """Put the runs of a folder side by side.

    Parameters
    ----------
    folder : path
        With a run a folder, as :func:`execute` leaves it, or a run a file, as in ``book/results``.
    patterns : sequence of str, default ()
        Keep only the results whose names match one of them, as ``spk*``.

    Returns
    -------
    pandas.DataFrame
        A row a run; the columns are ``notebook``, parameters, ``seconds`` and results.

    Raises
    ------
    FileNotFoundError
        If no run is there.
    ValueError
        If a pattern matches no result.
    """
    import pandas as pd

    from spikylib import rerun

    folder = Path(folder)
    runs = []
    for file in sorted([*folder.glob(f"*/{RESULT}"), *folder.glob("*.json")], key=_by_number):
        with contextlib.suppress(ValueError):  # another JSON file
            runs.append(rerun._stored(file))
    if not runs:
        raise FileNotFoundError(f"no run has succeeded in {folder}; spiky run and spiky sweep make some")
    results = _union(run["results"] for run in runs)
    for pattern in patterns:
        if not fnmatch.filter(results, pattern):
            raise ValueError(f"no result is named {pattern}{_near(pattern, results)}")
    if patterns:
        results = [r for r in results if any(fnmatch.fnmatchcase(r, p) for p in patterns)]
        runs = [run for run in runs if set(results) & set(run["results"])]
    parameters = _union(run["parameters"] for run in runs)
    taken = {"notebook", "seconds", *parameters}
    rows = []
    for run in runs:
        row = {"notebook": run.get("notebook") or run.get("chapter")}
        row |= {name: run["parameters"].get(name) for name in parameters}
        row["seconds"] = run.get("seconds")
        row |= {f"{name} (result)" if name in taken else name: run["results"].get(name) for name in results}
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)  # a count stays a count where another run has none


def _by_number(path):
    return [int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", str(path))]


def _union(dictionaries):
    return list(dict.fromkeys(name for dictionary in dictionaries for name in dictionary))


def check_output(run, folder):
    """Refuse a folder in which the run would overwrite its own source."""
    out = Path(folder).resolve() / run.name / run.notebook.name
    if out == run.notebook or (out.exists() and out.samefile(run.notebook)):
        raise ValueError(f"the output would overwrite its source, {run.notebook}; choose another folder")


def _on_processes(runs, folder, force, jobs):
    jobs = min(jobs, len(runs))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, spawn, _start_worker, (max(1, _cores() // jobs),)) as pool:
        futures = {pool.submit(execute, run, folder, force=force): run for run in runs}
        try:
            for future in concurrent.futures.as_completed(futures):
                try:
                    yield future.result()
                except BrokenProcessPool:
                    yield Outcome(futures[future].name, "failed", reason="its process was killed")
        except BaseException:  # Ctrl-C: stop what runs, whatever it does
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.kill()
            raise


def _start_worker(threads):
    """Divide the cores, and end with the parent even where that was killed."""
    if not os.environ.get("OMP_NUM_THREADS"):
        os.environ.update(dict.fromkeys(_THREADS, str(threads)))

    def watch():
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _on_dask(runs, folder, force, scheduler):
    try:
        import distributed
    except ImportError as error:
        raise ValueError("--scheduler needs Dask: pip install distributed") from error
    try:
        client = distributed.Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {scheduler}: {error}") from error
    with client:
        futures = {client.submit(execute, run, folder, force=force, pure=False): run for run in runs}
        for future in distributed.as_completed(list(futures)):
            if future.status == "finished":
                yield future.result()
            else:
                yield Outcome(futures[future].name, "failed", 0.0, *_reason(future.exception()))


def _papermill():
    try:
        import papermill
    except ImportError as error:
        raise ValueError("running notebooks needs papermill: pip install 'spikylib[book]'") from error
    return papermill


def _literal(path):
    """A path for papermill, which would fill in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _papermill_run(run, here, progress):
    """Execute the notebook into its folder; return what it recorded."""
    papermill = _papermill()
    with tempfile.TemporaryDirectory() as scratch:
        results_file = Path(scratch) / "results.json"
        own = {"results_file": str(results_file)} if "results_file" in declared(run.notebook) else {}
        papermill.execute_notebook(
            _literal(run.notebook),
            _literal(here / run.notebook.name),
            run.parameters | own,
            progress_bar={"desc": run.name, "disable": None, "leave": False} if progress else False,
            # the kernel works where the notebook lies; papermill's cwd would move this whole process
            resources={"metadata": {"path": str(run.notebook.parent)}},
            **_quiet(run.notebook),
        )
        return json.loads(results_file.read_text(encoding="utf-8")) if results_file.is_file() else {}


def can_write_html():
    """Raise ValueError where what writes HTML is not installed."""
    try:
        import nbconvert  # noqa: F401
    except ImportError as error:
        raise ValueError("--html needs nbconvert: pip install nbconvert") from error


def _html_file(run, here):
    return here / f"{run.notebook.stem}.html"


def _write_html(run, here):
    """Write the executed notebook as one file that loads nothing from anywhere."""
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(here / run.notebook.name, as_version=4)
    _fill_glued(notebook)
    nothing = _script("")
    exporter = HTMLExporter(
        embed_images=True, mathjax_url=_script(_mathjax()), require_js_url=nothing, mermaid_js_url=nothing
    )
    page = exporter.from_notebook_node(notebook)[0]
    turning = re.compile(r'src="[^"]*plotly\.min\.js"')
    if turning.search(page):
        import plotly.offline

        page = turning.sub(f'src="{_script(plotly.offline.get_plotlyjs())}"', page)
    partial = here / f".{run.notebook.stem}.html.{os.getpid()}"
    partial.write_text(page, encoding="utf-8")
    partial.replace(_html_file(run, here))


def _fill_glued(notebook):
    """Put the glued numbers where the prose names them, as the book does."""
    glued = {}
    for cell in notebook.cells:
        shown = []
        for output in cell.get("outputs", []):
            told = output.get("metadata", {}).get("scrapbook")
            if told is None or not told["mime_prefix"]:
                shown.append(output)
            if told is None:
                continue
            with contextlib.suppress(KeyError, ValueError, SyntaxError):
                glued[told["name"]] = ast.literal_eval(output.data[f"{told['mime_prefix']}text/plain"])
        if "outputs" in cell:
            cell.outputs = shown

    def number(role):
        name, _, form = role[1].partition(":")
        return format(glued[name], form) if name in glued else role[0]

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\{glue:text\}`([^`]+)`", number, cell.source)


def _mathjax():
    """MathJax from the installed package, told what a formula looks like; nothing where it is not."""
    try:
        files = importlib.metadata.files("sphinx-mathjax-offline")
    except importlib.metadata.PackageNotFoundError:
        return ""
    (file,) = [f for f in files if f.name == "tex-svg.js"]
    math = 'window.MathJax = {tex: {inlineMath: [["$", "$"]], tags: "ams"}};'
    return math + file.locate().read_text(encoding="utf-8")


def _script(text):
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()


def _quiet(notebook):
    """Keep ipykernel's warnings about its own transport out of the terminal."""
    kernel = json.loads(notebook.read_text(encoding="utf-8"))["metadata"].get("kernelspec", {})
    return {"extra_arguments": ["--log-level=ERROR"]} if kernel.get("name", "").startswith("python") else {}


def _write_result(run, here, found, seconds):
    from spikylib import rerun

    payload = {
        "notebook": run.notebook.stem,
        "notebook_sha256": _code_hash(run.notebook),
        "dataset": run.parameters.get("dataset"),
        "seed": run.parameters.get("seed"),
        "seconds": round(seconds, 2),
        "parameters": run.parameters,
        "results": found.get("results", {}),
        "arrays": found.get("arrays", {}),
        "provenance": found.get("provenance") or rerun.provenance(),
    }
    partial = here / f".{RESULT}.{os.getpid()}"
    partial.write_text(rerun._json(payload), encoding="utf-8")
    partial.replace(here / RESULT)


def _there(run, here):
    """Tell that the result of this very run is there, if it is."""
    from spikylib import rerun

    try:
        stored = rerun._stored(here / RESULT)
    except (FileNotFoundError, ValueError):
        return None
    if stored["parameters"] != run.parameters or not {"notebook_sha256", "seconds"} <= set(stored):
        return None
    same = stored["notebook_sha256"] == _code_hash(run.notebook)
    return Outcome(run.name, "there", stored["seconds"], "" if same else "the notebook has changed since")


def _reason(error):
    """Tell a failure in one line, and in full."""
    if hasattr(error, "ename"):
        line = f"{error.ename}: {error.evalue}".strip()
        return line.splitlines()[0], f"cell [{error.exec_count}] failed:\n\n{error.source}\n\n{line}"
    line = f"{type(error).__name__}: {error}".strip()
    return line.splitlines()[0], line


@contextlib.contextmanager
def _locked(file, name):
    """Hold a lock that the system lets go when the process ends, however it ends."""
    with file.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"{name} is being run by another process: waiting for it", file=sys.stderr)
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def _value(parameter, text):
    """Turn a text into a value of the parameter's type and range."""
    name, kind = parameter.name, parameter.type
    article = "an" if kind == "int" else "a"
    wrong = ValueError(f"{name}: {article} {kind} is expected, not {text!r}")
    if kind == "str":
        value = _path(parameter, text)
    elif kind == "bool":
        if text.lower() not in _FLAGS:
            raise ValueError(f"{name}: a bool is expected, true or false, not {text!r}")
        value = _FLAGS[text.lower()]
    elif kind in ("int", "float"):
        try:
            value = int(text) if kind == "int" else float(text)
        except ValueError:
            raise wrong from None
        if not math.isfinite(value):
            raise wrong
    else:
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise wrong from None
    if parameter.low is not None and not parameter.low <= value <= parameter.high:
        raise ValueError(f"{name}: {text} is not in the range {parameter.range}")
    if parameter.choices and value not in parameter.choices:
        raise ValueError(f"{name}: {text!r} is not one of {parameter.range}{_near(text, parameter.choices)}")
    return value


def _path(parameter, text):
    """Make the path of a file or folder absolute: the notebook runs in a folder of its own."""
    if text and text not in DATASETS and re.search(r"\b(path|file|folder)\b", parameter.meaning):
        path = Path(text).expanduser()
        if path.exists():
            return str(path.resolve())
    return text


def _name(notebook, known, parameters):
    """Name a run after what is not the default, in the order of the parameters cell."""
    parts = [notebook.stem]
    for name, parameter in known.items():
        if parameters[name] != parameter.default:
            text = str(parameters[name])
            safe = re.sub(r"[^\w.+-]", "_", text.rpartition("/")[2])[:40]
            # what a folder's name cannot hold is told apart by its hash
            parts.append(f"{name}={safe}" + ("" if safe == text else f"-{_hash(text)[:8]}"))
    whole = "--".join(parts)
    return whole if len(whole) <= 200 else f"{whole[:190]}-{_hash(whole)[:8]}"


def _near(word, known):
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]}?" if near else ""


def _code_hash(notebook):
    """Of the code alone: outputs and prose change no result."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return _hash("\0".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))


def _hash(text):
    return hashlib.sha256(text.encode()).hexdigest()

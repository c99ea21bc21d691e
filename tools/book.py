"""Execute the notebooks and build the book; the Makefile calls this.

python tools/book.py notebooks [NAME ...]   re-execute in place, strip what changes from run to run
python tools/book.py html                   build from the stored outputs
python tools/book.py current                the pages alone, unless the last were built of these very sources
python tools/book.py reports                make the reports that a page shows, where the library has changed
python tools/book.py book                   execute a copy of everything, then build that
python tools/book.py results [NAME ...]     rerun on the real data present, into book/results
"""

import base64
import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from filelock import FileLock
from PIL import Image

# notebooks run two at a time: threads that fight for the cores are several times slower
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "_build"
DIGEST = BUILD / "html" / ".sources"  # of what the pages beside it were built from
SOURCES = (
    "book",
    "notebooks",
    "benchmarks",
    "tools",
    "_config.yml",
    "_toc.yml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
)


def notebooks(names=(), folder=ROOT / "notebooks"):
    """Execute the notebooks of a folder in place, two at a time, and strip them."""
    files = [f for f in folder.glob("*.ipynb") if not names or any(f.stem.startswith(n) for n in names)]
    if not files:
        sys.exit(f"no notebook in {folder} starts with {', '.join(names)}")
    # the longest first, by the last times: a long one that starts late would end alone
    status = folder.parent / "book" / "status.json"
    seconds = json.loads(status.read_text(encoding="utf-8"))["seconds"] if status.exists() else {}
    files.sort(key=lambda file: (-seconds.get(file.stem, 1e6), file))
    times = {}
    with ThreadPoolExecutor(max_workers=2) as pool:
        for file, seconds in pool.map(_execute, files):
            print(f"  {file.stem}  {seconds:.0f} s", flush=True)
            times[file.stem] = seconds
    _keep_times(times, status)


def html(source=ROOT):
    """Build the HTML from stored outputs, with the reports that a page shows."""
    with subprocess.Popen([sys.executable, __file__, "reports"]) as making:  # takes as long as the pages
        _pages(source)
    if making.returncode:
        sys.exit(making.returncode)
    print(f"The book is built. Open {(BUILD / 'html' / 'index.html').as_uri()}")


def current():
    """Build the pages from stored outputs, unless that is what stands there."""
    BUILD.mkdir(exist_ok=True)
    with FileLock(BUILD / ".lock"):  # one build serves all workers of the tests
        if not DIGEST.exists() or DIGEST.read_text(encoding="utf-8") != _digest():
            _pages(ROOT)


def reports():
    """Make the reports that a page of the book shows, where the library has changed since."""
    from spikylib.datasets import Embeddings
    from spikylib.report import report
    from spikylib.study import Study

    static = BUILD / "html" / "_static"
    static.mkdir(parents=True, exist_ok=True)
    with FileLock(BUILD / ".reports.lock"):
        pages = [static / name for name in ("report.html", "embedding.html")]
        made = min(page.stat().st_mtime if page.exists() else 0 for page in pages)
        library = (file for file in (ROOT / "spikylib").rglob("*.*") if file.suffix != ".pyc")
        if all(file.stat().st_mtime <= made for file in library):
            return
        whole = Study.load("synthetic")
        few = whole.most_played(600)  # which take two seconds
        alone = Embeddings(few.items["id"].to_numpy(), few.E[:, :64], "an embedding alone")
        for page, study in zip(pages, (whole, Study(embeddings=alone)), strict=True):
            page.write_text(report(study).html(), encoding="utf-8")


def book():
    """Execute a copy of the notebooks there and then, and build the book from it."""
    copy = BUILD / "executed"
    shutil.rmtree(copy, ignore_errors=True)
    copy.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns(".*", "__pycache__", "static"))
        else:
            shutil.copy(source, copy / name)
    print("Executing the notebooks")
    notebooks(folder=copy / "notebooks")
    html(copy)


def results(names=()):
    """Rerun what book/results/runs.toml lists, where the data are present.

    A chapter writes its file before it reads those of the other runs, so a run that failed for
    want of another's file succeeds at the second attempt.
    """
    from papermill.exceptions import PapermillExecutionError

    from spikylib import datasets

    runs = tomllib.loads((ROOT / "book/results/runs.toml").read_text())["run"]
    runs = {f"{run['notebook']}--{run['parameters']['dataset']}": run for run in runs}
    for title, run in list(runs.items()):
        if names and not any(title.startswith(n) for n in names):
            del runs[title]
        elif not datasets.files(run["parameters"]["dataset"]):
            print(f"  {title}  left as it is: the data are not here")
            del runs[title]
    for attempt in (1, 2):
        failed = {}
        for title, run in runs.items():
            start = time.perf_counter()
            try:
                _rerun(title, run)
            except PapermillExecutionError as error:
                failed[title] = error
            else:
                print(f"  {title}  {time.perf_counter() - start:.0f} s", flush=True)
        if attempt == 1:
            runs = {title: runs[title] for title in failed}
    (ROOT / "book/results/every_number.md").write_text(every_number(), encoding="utf-8")
    if failed:
        sys.exit("\n".join(f"{title} failed: {error}" for title, error in failed.items()))


def every_number():
    """What `spiky results book/results` prints, as the results page shows it."""
    from spikylib.rerun import _results

    lines = ["<!-- written by `make results` -->"]
    for notebook, runs in _results.table(ROOT / "book" / "results").groupby("notebook"):
        runs = runs.set_index("dataset").drop(columns=["notebook", "seconds"]).dropna(axis=1, how="all")
        lines += [f"\n::::{{dropdown}} {notebook}\n", f"| | {' | '.join(runs.index)} |"]
        lines.append(f"|---|{'---|' * len(runs)}")
        for name, values in runs.items():
            cells = ["" if value != value else str(value).replace("|", "\\|") for value in values]
            lines.append(f"| `{name}` | {' | '.join(cells)} |")
        lines.append("::::")
    return "\n".join(lines) + "\n"


def _pages(source):
    """Build the pages from stored outputs; a warning is an error."""
    DIGEST.unlink(missing_ok=True)
    _copy_assets(source / "book" / "static")
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    options = ("--path-output", ROOT, "--all", "-W", "-n", "--keep-going", "-q")
    build = subprocess.run([jupyter_book, "build", source, *options])
    if build.returncode:
        sys.exit(build.returncode)
    if source == ROOT:
        DIGEST.write_text(_digest(), encoding="utf-8")


def _digest():
    """Hash of all that makes the pages: sources, library, versions of the tools, and the named repository."""
    total = hashlib.sha256(
        str([os.environ.get(f"BOOK_{name}") for name in ("REPOSITORY", "BRANCH")]).encode()
    )
    for name in (*SOURCES, "spikylib", "constraints.txt"):
        for file in sorted((ROOT / name).rglob("*")) if (ROOT / name).is_dir() else [ROOT / name]:
            if file.is_file() and not {"__pycache__", "static"} & set(file.parts):
                total.update(
                    f"{file.relative_to(ROOT)} {hashlib.sha256(file.read_bytes()).hexdigest()}".encode()
                )
    return total.hexdigest()


def _rerun(title, run):
    import papermill

    out = BUILD / "results" / f"{title}.ipynb"
    out.parent.mkdir(parents=True, exist_ok=True)
    papermill.execute_notebook(
        ROOT / "notebooks" / f"{run['notebook']}.ipynb",
        out,
        run["parameters"] | {"results_file": str(ROOT / "book" / "results" / f"{title}.json")},
        cwd=ROOT / "notebooks",
        progress_bar=False,
    )


def _execute(file):
    from nbclient import NotebookClient

    start = time.perf_counter()
    notebook = nbformat.read(file, as_version=4)
    client = NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(file.parent)}})
    client.extra_arguments = ["--IPKernelApp.log_level=ERROR"]  # not its advice on local sockets
    client.execute()
    _strip(notebook)
    partial = file.with_name(f".{file.name}.{os.getpid()}")
    nbformat.write(notebook, partial)
    partial.replace(file)
    return file, time.perf_counter() - start


def _keep_times(times, file):
    """Keep the run times for the status page, to 5 s: finer digits differ from run to run."""
    seconds = json.loads(file.read_text(encoding="utf-8"))["seconds"] if file.exists() else {}
    seconds |= {name: max(5, 5 * round(time / 5)) for name, time in times.items()}
    seconds = {
        name: seconds[name] for name in sorted(seconds) if (ROOT / "notebooks" / f"{name}.ipynb").exists()
    }
    machine = f"{platform.system()} {platform.machine()} with {os.cpu_count()} cores"
    file.write_text(json.dumps({"machine": machine, "seconds": seconds}, indent=1) + "\n", encoding="utf-8")


def _strip(notebook):
    """Remove times, machine-bound metadata and the commit, which differ at every run."""
    kept = {name: notebook.metadata[name] for name in ["spiky"] if name in notebook.metadata}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        **kept,
    }
    for cell in notebook.cells:
        for key in ("execution", "papermill", "ExecuteTime"):
            cell.metadata.pop(key, None)
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                output.data["image/png"] = _few_colours(output.data["image/png"])
            if output.output_type == "stream":
                output.text = re.sub(r"^commit \S+$", "commit (printed at a rerun)", output.text, flags=re.M)


def _few_colours(png):
    """The same picture with a palette of 256 colours: a figure needs no more, and a third of the bytes."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    small = io.BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
    return min(png, base64.b64encode(small.getvalue()).decode() + "\n", key=len)


def _copy_assets(static):
    """Put MathJax, Plotly and the turning picture of a report where the pages look for them."""
    import plotly.offline

    static.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(ROOT / "spikylib" / "report" / "rays.js", static / "rays.js")
    (static / "plotly.min.js").write_text(plotly.offline.get_plotlyjs(), encoding="utf-8")
    for file in importlib.metadata.files("sphinx-mathjax-offline"):
        inside = str(file).partition("static/mathjax/")[2]
        if inside == "tex-mml-chtml.js" or inside.startswith("output/chtml/fonts/woff-v2/"):
            target = static / "mathjax" / inside
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target)


if __name__ == "__main__":
    commands = {f.__name__: f for f in (notebooks, html, current, reports, book, results)}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*([sys.argv[2:]] if sys.argv[2:] else []))

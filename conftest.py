"""What holds for every test: one thread a worker, long files first, and what nbval compares."""

import json
import os
from pathlib import Path

# before numpy loads: two workers whose BLAS takes all cores each are slower than two single threads
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

SECONDS = Path(__file__).parent / "tests" / "seconds.json"
_spent = {}


def pytest_addoption(parser):
    parser.addoption("--store-seconds", action="store_true", help=f"keep the time of every file in {SECONDS}")


def pytest_collection_modifyitems(items):
    """Start the files that take longest first; a file without a stored time comes before all."""
    # pytest-xdist hands out whole files in this order (--dist=loadfile --no-loadscope-reorder); by
    # default it starts those with many tests, and a chapter of few slow cells then ends the run alone
    seconds = json.loads(SECONDS.read_text(encoding="utf-8"))
    items.sort(key=lambda item: -seconds.get(_file(item.nodeid), 1e6))


def pytest_runtest_logreport(report):
    file = _file(report.nodeid)
    _spent[file] = _spent.get(file, 0.0) + report.duration


def pytest_sessionfinish(session):
    # a worker of xdist reports to the one process that has seen all
    if session.config.getoption("--store-seconds") and not hasattr(session.config, "workerinput"):
        stored = {file: round(_spent[file], 1) for file in sorted(_spent)}
        SECONDS.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")


def pytest_collectstart(collector):
    """Leave out of nbval's comparison what has a plain-text twin, which it does compare."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += (
            "text/html",  # data frames and Plotly: the text/plain beside it is compared
            "application/papermill.record/text/html",  # the same, glued
            "image/png",  # pixels differ between versions of fonts
            "image/svg+xml",
            "stderr",  # tests/test_notebooks.py proves that none is stored
        )


def _file(nodeid):
    return nodeid.partition("::")[0]

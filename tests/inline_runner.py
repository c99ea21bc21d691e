"""A notebook without a kernel: its cells are executed in the process itself.

Stands in for `run_notebook`, that is for papermill and the kernel, which take two seconds a run, where
a test is about what is planned, shared out, kept or stopped. What it leaves out: the executed notebook
with its outputs, the working directory of the kernel, and a process that can die on its own. Runs that
have these are in test_cli_run.py too.
"""

import contextlib
import io
import json
import tempfile
from pathlib import Path

import nbformat

from spikylib.rerun import _runs


def run_inline(run, run_folder):
    """As `run_notebook`."""
    notebook = nbformat.read(run.notebook, as_version=4)
    nbformat.write(notebook, run_folder / run.notebook.name)
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    with (
        tempfile.TemporaryDirectory() as scratch,
        contextlib.chdir(run.notebook.parent),
        contextlib.redirect_stdout(io.StringIO()),  # what a notebook prints is in the notebook
    ):
        results_file = Path(scratch) / "results.json"
        names = {}
        exec(code[0], names)
        names |= run.parameters | {"results_file": str(results_file)}
        for source in code[1:]:
            exec(source, names)
        return json.loads(results_file.read_text()) if results_file.is_file() else {}


def install(monkeypatch=None):
    """Make `run_inline` the default runner, as it were an option of `spiky`."""
    for function in (_runs.execute, _runs.sweep):
        if monkeypatch:
            monkeypatch.setitem(function.__kwdefaults__, "runner", run_inline)
        else:
            function.__kwdefaults__["runner"] = run_inline

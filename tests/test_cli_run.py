"""`spiky run` and what stands around it, on a notebook that is made here."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from spikylib import __version__, _files, datasets, spikes
from spikylib.cli import main
from spikylib.rerun import _parameters, _runs

ROOT = Path(__file__).resolve().parents[1]
PARAMETERS = """\
dataset: str = "synthetic"  # name of a dataset, or path of a file of your own
f: int = 128  # truncation rank, 16 to 512
rho: float = 0.5  # share of items, 0.01 to 1
loud: bool = False  # say it twice
kind: str = "dot"  # similarity, one of dot, cosine
seed: int = 0  # seed of every random draw
results_file: str = ""  # JSON file for the named results; empty writes none"""
BODY = """\
import json, os, pathlib
assert f != 404, "no such rank"
said = {"double": 2 * f, "loud": loud, "here": pathlib.Path.cwd().name, "threads": os.environ["OMP_NUM_THREADS"]}
with open("runs.log", "a") as log:
    log.write(f"{f}\\n")
pathlib.Path(results_file).write_text(json.dumps({"results": said, "arrays": {"line": [f, f]}}))"""


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A notebook outside the repository; the working directory is beside it."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return make(tmp_path / "lab" / "tiny.ipynb", PARAMETERS, BODY)


@pytest.fixture
def inline(monkeypatch):
    """Notebooks run without a kernel, in this process and in those that a sweep starts."""
    import inline_runner

    inline_runner.install(monkeypatch)


def make(path, parameters, *bodies, takes=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    title = nbformat.v4.new_markdown_cell("# Double a rank\n\n**Time**: the code runs in a blink.")
    cells = [title, cell, *map(nbformat.v4.new_code_cell, bodies)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel} | ({"spiky": {"takes": takes}} if takes else {})
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
    return path


def spiky(*words, **environment):
    return CliRunner().invoke(main, [*map(str, words)], env=environment)


def start(*words, inline=False):
    """Start `spiky` as a process of its own, with kernels or inline."""
    code = "from spikylib.cli import main; main(prog_name='spiky')"
    if inline:
        code = f"import sys; sys.path.append({str(Path(__file__).parent)!r}); import inline_runner; inline_runner.install(); {code}"
    command = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ran(tiny):
    """The ranks that the notebook really ran with, in order."""
    log = tiny.parent / "runs.log"
    return [int(line) for line in log.read_text().split()] if log.exists() else []


def test_a_run_leaves_notebook_and_result(tmp_path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # papermill would fill in what stands in braces
    tiny = make(tmp_path / "{lab}" / "tiny.ipynb", PARAMETERS, BODY + '\nprint(os.environ["SPIKYLIB_DATA"])')
    source = tiny.read_bytes()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SPIKYLIB_DATA", "plays")
    done = start("run", tiny, "-p", "f=64", "-p", "loud=true", "-o", tmp_path / "{out}")
    stdout, stderr = done.communicate(timeout=60)
    assert done.returncode == 0, stderr
    assert "IPKernelApp" not in stderr, "the kernel talks about itself"
    folder = tmp_path / "{out}" / "tiny--f=64--loud=True"
    assert f"{folder} done in " in stdout
    assert {p.name for p in folder.iterdir()} - {".lock"} == {"tiny.ipynb", "result.json"}
    outputs = nbformat.read(folder / "tiny.ipynb", 4).cells[1:]
    assert [cell.execution_count for cell in outputs] == [1, 2, 3], "the parameters are a cell more"
    result = json.loads((folder / "result.json").read_text())
    assert result["parameters"] == {
        "dataset": "synthetic", "f": 64, "rho": 0.5, "loud": True, "kind": "dot", "seed": 0,
    }  # fmt: skip
    assert result["results"] == {"double": 128, "loud": True, "here": "{lab}", "threads": "1"}
    executed = "".join(output["text"] for cell in outputs for output in cell.get("outputs", []))
    assert executed.split() == [str(tmp_path / "plays")], "the data home is that of the caller"
    assert result["arrays"] == {"line": [64, 64]}
    assert (result["notebook"], result["dataset"], result["seed"]) == ("tiny", "synthetic", 0)
    assert 0.1 < result["seconds"] < 60
    assert result["provenance"]["versions"]["spikylib"] == __version__
    assert "commit" in result["provenance"]
    assert tiny.read_bytes() == source


def test_a_notebook_without_results(inline, tmp_path):
    plain = make(tmp_path / "lab" / "plain.ipynb", "n = 2  # how many, 1 to 3", "assert n == 3")
    done = spiky("run", plain, "-p", "n=3", "-o", tmp_path / "out")
    assert done.exit_code == 0, done.output
    result = json.loads((tmp_path / "out" / "plain--n=3" / "result.json").read_text())
    assert (result["results"], result["parameters"], result["seed"]) == ({}, {"n": 3}, None)
    assert result["provenance"]["versions"]["spikylib"] == __version__


def test_the_same_again_is_there_already_until_forced(inline, tiny, tmp_path):
    words = ["run", tiny, "-p", "f=64", "-o", tmp_path / "out"]
    spiky(*words)
    # a default that is spelt out, and another spelling of a number, are the same run
    again = spiky(*words, "-p", "rho=0.50", "-p", "seed=0")
    assert again.exit_code == 0
    assert again.stdout.strip().endswith("tiny--f=64 exists already; --force runs it again")
    assert ran(tiny) == [64]
    assert " done in " in spiky(*words, "--force").stdout
    assert ran(tiny) == [64, 64]
    make(tiny, PARAMETERS, BODY, "1 + 1")
    assert "exists already (the notebook has changed since)" in spiky(*words).stdout
    # the same folder name with another default is another run
    make(tiny, PARAMETERS.replace("rho: float = 0.5", "rho: float = 0.6"), BODY)
    assert " done in " in spiky(*words).stdout


def test_a_failure_keeps_the_notebook_shows_the_cell_and_leaves_no_result(tiny, tmp_path):
    out = tmp_path / "out"
    # what a run that succeeded has left
    before = stored(out, "tiny--f=404", {"f": 404}, {"double": 808})
    failed = spiky("run", tiny, "-p", "f=404", "-o", out)
    assert not before.exists()
    assert failed.exit_code == 1
    assert "AssertionError: no such rank" in failed.stderr
    assert 'assert f != 404, "no such rank"' in failed.stderr
    assert "is in " in failed.stderr
    folder = out / "tiny--f=404"
    assert {p.name for p in folder.iterdir()} - {".lock"} == {"tiny.ipynb"}
    outputs = [o for c in nbformat.read(folder / "tiny.ipynb", 4).cells for o in c.get("outputs", [])]
    assert "AssertionError" in [o.get("ename") for o in outputs]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("fe=64", "tiny has no parameter 'fe'; did you mean f?"),
        ("lod=true", "did you mean loud?"),
        ("zzzzzz=1", "it has dataset, f, rho, loud, kind, seed"),
        ("f=sixty", "f: an int is expected, not 'sixty'"),
        ("f=64.5", "f: an int is expected, not '64.5'"),
        ("f=8", "f: 8 is not in the range 16 to 512"),
        ("rho=1.01", "rho: 1.01 is not in the range 0.01 to 1"),
        ("rho=nan", "rho: a float is expected, not 'nan'"),
        ("loud=maybe", "loud: a bool is expected, true or false, not 'maybe'"),
        ("kind=cosin", "kind: 'cosin' is not one of dot, cosine; did you mean cosine?"),
        ("f", "'f' is not name=value"),
        ("results_file=x.json", "results_file is set by the run itself"),
    ],
)
def test_a_wrong_parameter_is_refused_before_anything_runs(tiny, tmp_path, word, message):
    wrong = spiky("run", tiny, "-p", word, "-o", tmp_path / "out")
    assert wrong.exit_code == 2
    assert message in wrong.stderr
    assert not (tmp_path / "out").exists()
    assert ran(tiny) == []


def test_other_wrong_usage(tiny, tmp_path):
    twice = spiky("run", tiny, "-p", "f=64", "-p", "f=32", "-o", tmp_path / "out")
    assert (twice.exit_code, "f is given twice" in twice.stderr) == (2, True)
    for word, message in [
        ("03_spk_metrik", "did you mean 03_spk_metric?"),
        ("77", "there is no notebook '77'; the book has 01_background, "),
        (tmp_path / "absent.ipynb", "there is no notebook"),
    ]:
        wrong = spiky("run", word, "-o", tmp_path / "out")
        assert wrong.exit_code == 2
        assert message in wrong.stderr
    assert spiky("run", tiny, "-o", tiny).exit_code == 2


def test_the_output_is_never_the_source(tiny, tmp_path):
    source = tmp_path / "out" / "tiny" / "tiny.ipynb"
    source.parent.mkdir(parents=True)
    shutil.copy(tiny, source)
    before = source.read_bytes()
    for notebook in (source, tiny):
        if notebook == tiny:
            tiny.unlink()
            tiny.symlink_to(source)
        refused = spiky("run", notebook, "-o", tmp_path / "out")
        assert refused.exit_code == 2
        assert "would overwrite its source" in refused.stderr
    assert source.read_bytes() == before


def test_the_folder_of_a_run_on_a_file_names_the_file(inline, tiny, tmp_path, monkeypatch):
    (tmp_path / "my plays.csv").write_text("")
    monkeypatch.chdir(tmp_path)
    make(tiny, PARAMETERS, BODY.replace('"here": pathlib.Path.cwd().name', '"dataset": dataset'))
    assert spiky("run", tiny, "-p", "dataset=my plays.csv").exit_code == 0
    whole = str(tmp_path / "my plays.csv")
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name == f"tiny--dataset=my_plays.csv-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    assert json.loads((folder / "result.json").read_text())["results"]["dataset"] == whole


def one_line(result, *words):
    """Whether a command was refused in one line that has these words."""
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert result.stderr.count("\n") == 1
    assert all(word in result.stderr for word in words), result.stderr


def test_data_replaced_under_the_same_path_are_another_run(inline, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "months" / "a").mkdir(parents=True)
    (tmp_path / "months" / "b").mkdir()
    parts = [tmp_path / "months" / part / "x.csv" for part in "ab"]
    for source in (tmp_path / "plays.csv", *parts):
        source.write_text("user,track\n")
    for dataset, changed in (("plays.csv", "plays.csv"), ("months", "b/x.csv")):
        words = ["run", tiny, "-p", f"dataset={dataset}"]
        assert "again" not in spiky(*words).stdout
        assert "exists already" in spiky(*words).stdout
        with (tmp_path / (dataset if dataset == changed else f"months/{changed}")).open("a") as file:
            file.write("ann,a\n")
        assert f"(again, because {changed} has changed)" in spiky(*words).stdout
        assert "exists already" in spiky("sweep", *words[1:]).stdout
    # in another parameter that is a file, too
    make(tiny, PARAMETERS + "\nlabels: str = ''  # path of a file", BODY)
    words = ["run", tiny, "-p", "labels=plays.csv"]
    assert "again" not in spiky(*words).stdout
    (tmp_path / "plays.csv").write_text("")
    assert "again, because plays.csv has changed" in spiky(*words).stdout


CHAPTER = PARAMETERS.replace(
    "f: int",
    'item_column: str = ""\ncontext_column: str = ""\ntime_column: str = ""\ndata_home: str = ""  # data folder\nf: int',
)


@pytest.fixture
def brought(tmp_path, monkeypatch):
    """Files of one's own in the working directory, and a function that gives one to a chapter."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPIKYLIB_DATA", raising=False)
    plays = pd.DataFrame({"user": list("aabb"), "track": list("xyxy"), "date": ["2024-01-01"] * 4})
    plays.to_csv("dated.csv", index=False)
    plays.drop(columns="date").to_csv("plays.csv", index=False)
    plays.rename(columns={"track": "song", "user": "film"}).to_csv("either.csv", index=False)
    np.save("E.npy", np.eye(3))
    np.save("nan.npy", np.array([[1, np.nan]]))
    Path("months").mkdir()
    for month in ("2024-01", "2024-02"):
        np.savez(f"months/{month}.npz", vectors=np.eye(3), ids=np.arange(3))

    def give(takes, *words):
        file = make(tmp_path / "notebooks" / "01_tiny.ipynb", CHAPTER, BODY, takes=takes)
        return spiky("run", file, *[part for word in words for part in ("-p", word)])

    return give


@pytest.mark.parametrize("largest", [2**25, 0], ids=["read whole", "read in part"])
def test_a_chapter_takes_what_it_says_and_refuses_the_rest_before_it_runs(
    inline, brought, tmp_path, monkeypatch, largest
):
    monkeypatch.setattr(datasets, "_SMALL", largest)
    kinds = {
        "plays.csv": "interactions", "dated.csv": "dated interactions", "E.npy": "embeddings",
        "months": "snapshots", "synthetic-clean": "interactions", "synthetic": "dated interactions",
    }  # fmt: skip
    for takes in (["interactions"], ["interactions", "embeddings"], ["dated interactions", "snapshots"]):
        for dataset, kind in kinds.items():
            done = brought(takes, f"dataset={dataset}")
            if kind in takes or kind.removeprefix("dated ") in takes:
                assert done.exit_code == 0, done.output
            else:
                one_line(done, f"01_tiny takes {' or '.join(takes)}", dataset, f"contains {kind}")
    columns = ["dataset=dated.csv", "item_column=track", "context_column=user"]
    one_line(brought(["dated interactions"], *columns), "-p time_column=")
    assert brought(["dated interactions"], *columns, "time_column=date").exit_code == 0
    done = brought(["interactions"], "dataset=dated.csv", "item_column=user", "context_column=date")
    assert done.exit_code == 0


def test_what_is_wrong_with_the_data_is_said_in_one_line_before_anything_runs(brought, tmp_path):
    takes = ["interactions", "embeddings"]
    one_line(brought(takes, "dataset=absent.npy"), "no file absent.npy")
    one_line(brought(takes, "dataset=tripplej"), "did you mean 'triplej'")
    one_line(brought(takes, "dataset=nan.npy"), "nan.npy contains nan at row 0, column 1")
    one_line(brought(takes, "dataset=plays.csv", "item_column=trak"), "'trak'", "user, track")
    one_line(brought(takes, "dataset=either.csv"), "may be the column", "-p item_column=")
    absent = brought(takes, "dataset=triplej", "data_home=mine")
    one_line(absent, "looked for at", str(tmp_path / "mine" / "triplej"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPIKYLIB_DATA", "ours")
        one_line(brought(takes, "dataset=triplej"), str(tmp_path / "ours" / "triplej"))
    assert not (tmp_path / "runs").exists()


def test_what_the_library_refuses_during_a_run_is_said_in_one_line(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make(
        tiny,
        "f = 2  # rank",
        "import numpy as np; from spikylib import spikes",
        "spikes.cover(np.eye(3), f=9)",
    )
    one_line(spiky("run", tiny), "f must be", "9", "the notebook up to there is in runs/tiny")


def test_commas_part_values_unless_they_are_quoted(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a,b.npy", "c.npy"):
        np.save(name, np.eye(2))
    planned = spiky("sweep", tiny, "-p", 'dataset="a,b.npy",c.npy', "-p", "f=16,32", "--dry-run").stdout
    names = [line.split("--")[1] for line in planned.splitlines()]
    assert [name.split("-")[0] for name in names] == ["dataset=a_b.npy"] * 2 + ["dataset=c.npy"] * 2
    one_line(
        spiky("sweep", tiny, "-p", "dataset=a,b.npy"),
        "dataset: commas separate values",
        "'dataset=\"a,b.npy\"'",
    )
    one_line(spiky("sweep", tiny, "-p", "f=16\n32"), "f: ")


def test_only_chapters_of_the_book_answer_to_a_number(tmp_path, monkeypatch):
    make(tmp_path / "notebooks" / "03_explore.ipynb", "n = 1  # mine", "")
    (tmp_path / "notebooks" / "04_broken.ipynb").write_text("{")
    monkeypatch.chdir(tmp_path)
    assert "cos_theta" in spiky("params", 3).stdout
    assert "explore" not in spiky("notebooks").stdout
    assert "mine" in spiky("params", "notebooks/03_explore.ipynb").stdout


def test_a_folder_that_cannot_be_written_is_named_in_one_line(inline, tiny, tmp_path):
    (tmp_path / "taken").write_text("")
    for command in ("run", "sweep"):
        out = tmp_path / "taken" / "runs"
        one_line(spiky(command, tiny, "-o", out), str(out))


@pytest.mark.parametrize(("width", "f", "taken"), [(8, 128, {8}), (80, 70, {16, 32, 64, 70})])
def test_chapter_3_names_results_only_by_ranks_that_were_taken(
    inline, tmp_path, monkeypatch, width, f, taken
):
    monkeypatch.chdir(tmp_path)
    np.save("E.npy", np.random.default_rng(0).standard_normal((150, width)) ** 3)
    done = spiky("run", 3, "-p", "dataset=E.npy", "-p", f"f={f}")
    assert done.exit_code == 0, done.output
    (file,) = tmp_path.glob("runs/*/result.json")
    found = json.loads(file.read_text())["results"]
    assert {name for name in found if re.fullmatch(r"spk_\d+", name)} == {f"spk_{r}" for r in taken}
    E = spikes.principal(np.load("E.npy"))
    assert all(found[f"spk_{r}"] == round(spikes.spk(E, f=r), 6) for r in taken)
    assert {int(n) for name in found for n in re.findall(r"(?<=_)\d+", name)} == taken


def test_html_is_one_file_with_the_numbers_of_this_run(tmp_path, request):
    pytest.importorskip("nbconvert")
    path = make(
        tmp_path / "lab" / "03_spk_metric.ipynb",
        "f = 2  # rank",
        "from spikylib import rerun\nrerun.glue('half', f / 8)",
    )
    notebook = nbformat.read(path, 4)
    # the number of a stored run is that of the book, which stands beside the package
    prose = "It is {glue:text}`half:.1%`, not {glue:text}`other`, {stored}`triplej/peaks_128:,` and $x^2$."
    notebook.cells.append(nbformat.v4.new_markdown_cell(prose))
    nbformat.write(notebook, path)
    words = ["run", path, "-p", "f=3", "-o", tmp_path / "out"]
    assert spiky(*words).exit_code == 0
    html = tmp_path / "out" / "03_spk_metric--f=3" / "03_spk_metric.html"
    assert not html.exists()
    assert "exists already" in spiky(*words, "--html").stdout
    page = html.read_text()
    assert "It is 37.5%, not (not measured in this run), 2,649 and $x^2$." in page
    assert set(re.findall(r'<(?:script|img|link)[^>]*?(?:src|href)="([^:"]*)', page)) == {"data"}
    html.unlink()
    assert spiky(*words, "--html", "--force").exit_code == 0
    assert "It is 37.5%" in html.read_text()
    path.write_text(path.read_text().replace("rerun.glue", "rerun.no_such"))
    request.getfixturevalue("inline")
    assert spiky(*words, "--html", "--force").exit_code == 1
    assert not html.exists()


def test_notebooks_are_listed_with_title_duration_and_parameters(tmp_path, monkeypatch):
    make(tmp_path / "notebooks" / "01_tiny.ipynb", PARAMETERS, BODY, takes=["interactions"])
    (tmp_path / "notebooks" / "within").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks" / "within")
    assert spiky("notebooks").stdout == (
        " 1  Double a rank\n    01_tiny, a blink: dataset, f, rho, loud, kind, seed\n"
    )
    monkeypatch.chdir(tmp_path.parent)
    listed = spiky("notebooks").stdout
    for file in (ROOT / "notebooks").glob("*.ipynb"):
        assert f"    {file.stem}, " in listed, "the book is found beside the package"
    assert ", : " not in listed


def test_params_come_from_the_cell(tiny):
    listed = spiky("params", tiny)
    assert listed.exit_code == 0
    assert listed.stdout.splitlines() == [
        "name     type   default    range        meaning",
        "dataset  str    synthetic  -            name of a dataset, or path of a file of your own",
        "f        int    128        16 to 512    truncation rank",
        "rho      float  0.5        0.01 to 1    share of items",
        "loud     bool   False      -            say it twice",
        "kind     str    dot        dot, cosine  similarity",
        "seed     int    0          -            seed of every random draw",
    ]


def test_outside_a_checkout_one_line_says_what_to_do(tmp_path, monkeypatch):
    # as from a wheel, beside which there are no notebooks
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_files, "__file__", str(tmp_path / "site" / "spikylib" / "x.py"))
    lost = spiky("notebooks")
    assert (lost.exit_code, lost.stdout) == (2, "")
    assert lost.stderr.count("\n") == 1
    assert "run from a checkout" in lost.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda p: p.stem)
def test_the_ranges_of_the_chapters_are_understood_and_hold_the_defaults(path):
    for parameter in _parameters.settable(path).values():
        if parameter.type in ("int", "float") and parameter.name != "seed":
            assert parameter.low is not None, parameter.name
            assert parameter.low <= parameter.default <= parameter.high


def test_a_sweep_runs_the_grid_and_then_only_what_is_missing(inline, tiny, tmp_path):
    words = ["sweep", tiny, "-p", "f=16,32", "-p", "loud=false,true", "-o", tmp_path / "out"]
    names = ["tiny--f=16", "tiny--f=16--loud=True", "tiny--f=32", "tiny--f=32--loud=True"]
    assert spiky(*words, "--dry-run").stdout.split() == names
    assert ran(tiny) == []
    done = spiky(*words, "-j", 2)
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    assert sorted(line.split()[1] for line in lines) == names
    assert all(" done in " in line for line in lines)
    (tmp_path / "out" / names[2] / "result.json").unlink()
    again = spiky(*words).stdout.splitlines()
    assert [line.split(maxsplit=2)[1:] for line in again[:3]] == [
        [name, "exists already"] for name in names if name != names[2]
    ]
    assert again[3].startswith(f"[4/4] {names[2]} done in ")
    assert sorted(ran(tiny)) == [16, 16, 32, 32, 32]


def test_a_run_that_fails_does_not_stop_the_others_and_is_listed(inline, tiny, tmp_path):
    swept = spiky("sweep", tiny, "-p", "f=404,16,32", "-j", 2, "-o", tmp_path / "out")
    assert swept.exit_code == 1
    assert "tiny--f=404 failed in " in swept.stdout
    assert "1 of 3 failed:\n  tiny--f=404: AssertionError: no such rank" in swept.stderr
    assert sorted(ran(tiny)) == [16, 32]
    again = spiky("sweep", tiny, "-p", "f=404,16,32", "-o", tmp_path / "out")
    assert again.stdout.count("exists already") == 2
    assert "tiny--f=404 failed in " in again.stdout


def test_a_sweep_with_a_wrong_value_runs_nothing(tiny, tmp_path):
    wrong = spiky("sweep", tiny, "-p", "f=16,sixty", "-o", tmp_path / "out")
    assert (wrong.exit_code, "not 'sixty'" in wrong.stderr) == (2, True)
    twice = spiky("sweep", tiny, "-p", "f=16", "-p", "f=32", "-o", tmp_path / "out")
    assert (twice.exit_code, "with commas" in twice.stderr) == (2, True)
    assert ran(tiny) == []


def test_the_cores_are_divided_unless_the_user_said_how(inline, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(_runs, "n_threads", lambda: 7)
    for said, threads in (("", "3"), ("5", "5")):
        out = tmp_path / threads
        spiky("sweep", tiny, "-p", "seed=1,2", "-j", 2, "-o", out, OMP_NUM_THREADS=said)
        result = json.loads((out / "tiny--seed=1" / "result.json").read_text())
        assert result["results"]["threads"] == threads


SLOW = BODY + "\nimport time\ntime.sleep(0.6)"


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGKILL])
def test_a_sweep_stopped_half_way_goes_on_where_it_stopped(inline, tiny, tmp_path, stop):
    make(tiny, PARAMETERS, SLOW)
    words = ["sweep", tiny, "-p", "f=16,17,18", "-j", 2, "-o", tmp_path / "out"]
    first = start(*words, inline=True)
    finished = 0
    for line in first.stdout:
        finished += " done in " in line
        if finished == 1:
            first.send_signal(stop)
            break
    stdout, error = first.communicate(timeout=20)
    finished += stdout.count(" done in ")
    if stop == signal.SIGINT:
        assert first.returncode == 1
        assert "Stopped; the same command continues from here\n" in error
        assert "Traceback" not in error
    done = sorted(p.parent.name for p in (tmp_path / "out").glob("*/result.json"))
    assert finished <= len(done) < 3
    before = {name: (tmp_path / "out" / name / "result.json").stat().st_mtime_ns for name in done}
    again = spiky(*words)
    assert again.exit_code == 0, again.output
    assert again.stdout.count("exists already") >= len(done)
    assert len(list((tmp_path / "out").glob("*/result.json"))) == 3
    assert before == {n: (tmp_path / "out" / n / "result.json").stat().st_mtime_ns for n in done}


def test_two_sweeps_into_one_folder_share_the_work(tiny, tmp_path):
    words = ["sweep", tiny, "-p", "f=16,17,18", "-j", 2, "-o", tmp_path / "out"]
    both = [start(*words, inline=True), start(*words, inline=True)]
    said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sorted(ran(tiny)) == [16, 17, 18], "each run was made once"
    for f in (16, 17, 18):
        result = json.loads((tmp_path / "out" / f"tiny--f={f}" / "result.json").read_text())
        assert result["results"]["double"] == 2 * f


KILL = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)"


def test_a_killed_kernel_fails_its_run(tiny, tmp_path):
    make(tiny, PARAMETERS, BODY, KILL)
    dead = spiky("sweep", tiny, "-p", "f=16", "-o", tmp_path / "out")
    assert dead.exit_code == 1
    assert "1 of 1 failed:\n  tiny--f=16: DeadKernelError: Kernel died" in dead.stderr


def test_a_killed_process_of_a_sweep_fails_its_run(inline, tiny, tmp_path):
    make(tiny, PARAMETERS, BODY, KILL)
    dead = spiky("sweep", tiny, "-p", "f=16", "-o", tmp_path / "out")
    assert dead.exit_code == 1
    assert "1 of 1 failed:\n  tiny--f=16: BrokenProcessPool: " in dead.stderr


def stored(folder, name, parameters, results):
    (folder / name).mkdir(parents=True)
    run = {"notebook": "tiny", "seconds": 1.5, "parameters": parameters, "results": results}
    (folder / name / "result.json").write_text(json.dumps(run))
    return folder / name / "result.json"


@pytest.fixture
def two_runs(tmp_path):
    folder = tmp_path / "runs"
    stored(folder, "tiny--f=16", {"f": 16, "seed": 0, "kind": ""}, {"peaks": 3, "spk": 0.25, "note": "a|b"})
    stored(folder, "tiny--f=128", {"f": 128, "seed": 0, "kind": ""}, {"peaks": 4, "spk_null": 0.5, "f": 31})
    (folder / "tiny--f=64").mkdir()
    return folder


def test_results_are_one_row_a_run(two_runs):
    assert spiky("results", two_runs).stdout.splitlines() == [
        "in all runs: notebook=tiny, seed=0",
        "",
        "f    seconds  peaks  spk   note  spk_null  f (result)",
        "16   1.5      3      0.25  a|b",
        "128  1.5      4                  0.5       31",
    ]
    assert spiky("results", two_runs, "--csv").stdout.splitlines() == [
        "notebook,f,seed,kind,seconds,peaks,spk,note,spk_null,f (result)",
        "tiny,16,0,,1.5,3,0.25,a|b,,",
        "tiny,128,0,,1.5,4,,,0.5,31",
    ]
    assert spiky("results", two_runs, "--markdown", "-c", "note").stdout.splitlines() == [
        "| notebook | f | seed | kind | seconds | note |",
        "| --- | --- | --- | --- | --- | --- |",
        "| tiny | 16 | 0 |  | 1.5 | a\\|b |",
    ]
    first, second = json.loads(spiky("results", two_runs, "--json").stdout)
    assert (first["f"], first["peaks"], first["spk_null"]) == (16, 3, None)
    assert (second["spk_null"], second["f (result)"]) == (0.5, 31)


def test_results_by_pattern_and_where_there_are_none(two_runs, tmp_path):
    assert "f    seconds  spk   spk_null\n" in spiky("results", two_runs, "-c", "spk*").stdout
    wrong = spiky("results", two_runs, "-c", "peak")
    assert (wrong.exit_code, "no result is named peak; did you mean peaks?" in wrong.stderr) == (2, True)
    (tmp_path / "empty").mkdir()
    empty = spiky("results", tmp_path / "empty")
    assert (empty.exit_code, "no run has succeeded in " in empty.stderr) == (2, True)
    assert spiky("results", tmp_path / "absent").exit_code == 2


def test_results_of_the_book_are_read_too():
    rows = json.loads(spiky("results", ROOT / "book" / "results", "--json").stdout)
    files = sorted((ROOT / "book" / "results").glob("*.json"))
    assert [f"{row['notebook']}--{row['dataset']}" for row in rows] == [f.stem for f in files]


def answered(page):
    """The page with every answer in its console blocks as the commands give it here, now."""

    def block(match):
        lines = []
        for command in re.findall(r"^\$ spiky (.+)$", match[1], flags=re.M):
            # real output goes where a terminal shows it: stdout and stderr in one stream
            output = CliRunner().invoke(main, shlex.split(command), prog_name="spiky").output
            lines.append(f"$ spiky {command}\n{output.rstrip()}\n")
        return f"```console\n{''.join(lines)}```"

    return re.sub(r"```console\n(.*?)```", block, page, flags=re.S)


def without_seconds(page):
    """What a rerun repeats: no seconds, no order among parallel runs, no widths."""
    page = re.sub(r"\b\d+\.\d s\b", "N s", page)
    lines, column = [], None
    for line in page.splitlines():
        words = re.split(r"  +| ?\| ?", line.strip())
        if column is not None and len(words) > column:
            words[column] = "N"
        if not line.strip() or line.startswith(("$", "```")):
            column = None
        if "seconds" in words and column is None:
            column = words.index("seconds")
        lines.append(re.sub(r"^\[\d/(\d)\]", r"[\1]", "  ".join(words)))
    for first, line in enumerate(lines):
        if line.startswith("$ spiky sweep"):
            last = next(i for i in range(first + 1, len(lines)) if lines[i].startswith(("$", "```")))
            lines[first + 1 : last] = sorted(lines[first + 1 : last])
    return lines


def test_the_page_on_reruns_shows_what_the_commands_print(inline, tmp_path, monkeypatch):
    """To store new answers: REWRITE=1 python -m pytest tests/test_cli_run.py -k page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    chapter = ROOT / "notebooks" / "01_background.ipynb"
    source = chapter.read_bytes()
    page = ROOT / "book" / "rerun.md"
    text = page.read_text(encoding="utf-8")
    now = answered(text)
    if os.environ.get("REWRITE"):
        page.write_text(now, encoding="utf-8")
        text = now
    for name in ("notebooks", "params", "run", "sweep", "results"):
        assert f"\n$ spiky {name}" in text
    assert without_seconds(now) == without_seconds(text)
    assert chapter.read_bytes() == source
    run = json.loads((tmp_path / "runs" / "01_background--n_communities=4" / "result.json").read_text())
    assert run["parameters"]["n_communities"] == 4
    assert len(run["results"]) > 5
    assert run["provenance"]["python"]


def test_masking_seconds_hides_nothing_else():
    page = "```console\n$ spiky results\nf  seconds  spk\n2  1.50     0.5\n```\nin 2.5 s"
    assert without_seconds(page) == without_seconds(page.replace("1.50 ", "12.34").replace("2.5 s", "9.1 s"))
    assert without_seconds(page) != without_seconds(page.replace("0.5", "0.6"))
    swept = "$ spiky sweep 1\n[1/2] a done in 1.0 s\n[2/2] b done in 1.0 s\n```"
    assert without_seconds(swept) == without_seconds(
        swept.replace("1/2] a", "1/2] c").replace("2/2] b", "2/2] a").replace("] c", "] b")
    )
    assert without_seconds(swept) != without_seconds(swept.replace("b done", "b failed"))
    table = "$ spiky results\n| f | seconds | spk |\n| --- | --- | --- |\n| 2 | 1.5 | 0.5 |"
    assert without_seconds(table) == without_seconds(table.replace("1.5", "77"))
    assert without_seconds(table) != without_seconds(table.replace("0.5", "0.6"))


@pytest.fixture
def command(tmp_path):
    """A folder with `spiky` in it, for the shells."""
    file = tmp_path / "bin" / "spiky"
    file.parent.mkdir()
    file.write_text(f"#!{sys.executable}\nfrom spikylib.cli import main\nmain(prog_name='spiky')\n")
    file.chmod(0o755)
    return f"{file.parent}:{os.environ['PATH']}"


def test_completion_in_bash(command):
    if not shutil.which("bash"):
        pytest.skip("bash is not here")
    offered = {
        "spiky sw": ["sweep"],
        "spiky run 03": ["03_spk_metric"],
        "spiky run 3 -p cos": ["cos_theta=0.9"],
        "spiky sweep 03_spk_metric -p f=2 -j 2 -p rh": ["rho=0.5"],
        "spiky run nothing -p rh": [],
        "spiky params ": [str(int(p.stem[:2])) for p in sorted((ROOT / "notebooks").glob("*.ipynb"))],
    }
    script = """
    eval "$(_SPIKY_COMPLETE=bash_source spiky)"
    complete -p spiky >&2
    for line; do COMPREPLY=()
        read -ra COMP_WORDS <<< "$line"; [[ "$line" == *" " ]] && COMP_WORDS+=("")
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _spiky_completion spiky
        echo "${COMPREPLY[@]}"
    done
    """
    shell = subprocess.run(
        ["bash", "-c", script, "bash", *offered],
        env=os.environ | {"PATH": command}, capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    assert "_spiky_completion spiky" in shell.stderr
    assert dict(zip(offered, map(str.split, shell.stdout.splitlines()), strict=True)) == offered


def test_completion_in_zsh(command):
    environment = os.environ | {"PATH": command}
    offered = subprocess.run(
        ["spiky"], env=environment | {"_SPIKY_COMPLETE": "zsh_complete", "COMP_WORDS": "spiky run 3 -p rh", "COMP_CWORD": "4"},
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert offered.stdout.split("\n") == ["plain", "rho=0.5", "share of items to capture", ""]
    if not shutil.which("zsh"):
        pytest.skip("zsh is not here: only what it would be answered was looked at")
    script = (
        'autoload -U compinit; compinit -D; eval "$(_SPIKY_COMPLETE=zsh_source spiky)"; print $_comps[spiky]'
    )
    shell = subprocess.run(["zsh", "-fc", script], env=environment, capture_output=True, text=True)
    assert shell.stdout.strip() == "_spiky_completion"


@pytest.mark.parametrize("name", ["", "notebooks", "params", "run", "sweep", "results"])
def test_every_help_has_an_example(name):
    shown = spiky(*name.split(), "--help")
    assert shown.exit_code == 0
    assert re.search(r"Examples?:\n +spiky ", shown.stdout)
    if name in ("", "run", "sweep"):
        assert "only notebooks that you trust" in " ".join(shown.stdout.split())


def test_a_sweep_on_a_dask_cluster_of_two_processes(tiny, tmp_path):
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, local_directory=tmp_path
    )
    with cluster:
        words = ["-o", tmp_path / "out", "--scheduler", cluster.scheduler_address]
        swept = spiky("sweep", tiny, "-p", "f=16,404", *words)
        assert swept.exit_code == 1
        assert swept.stdout.count(" done in ") == 1
        assert "1 of 2 failed:\n  tiny--f=404: AssertionError: no such rank" in swept.stderr
        again = spiky("sweep", tiny, "-p", "f=16,32", *words)
        assert again.stdout.count("exists already") == 1
    assert sorted(ran(tiny)) == [16, 32]
    rows = json.loads(spiky("results", tmp_path / "out", "--json").stdout)
    assert [row["double"] for row in rows] == [32, 64]


def test_a_scheduler_that_does_not_answer_is_wrong_usage(tiny, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    client = distributed.Client
    monkeypatch.setattr(distributed, "Client", lambda address, timeout: client(address, timeout=0.5))
    wrong = spiky("sweep", tiny, "-o", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9")
    assert wrong.exit_code == 2
    assert "no Dask scheduler answers at tcp://127.0.0.1:9" in wrong.stderr

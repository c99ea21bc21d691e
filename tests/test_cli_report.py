"""`spiky report` and `spiky compare`, as they are typed."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from spikylib import synthetic
from spikylib.cli import main


def run(*words):
    return CliRunner().invoke(main, [*map(str, words)])


def vectors(seed, n=300):
    rng = np.random.default_rng(seed)
    return np.repeat(np.eye(16)[:6], n // 6, axis=0) * rng.uniform(1, 3, (n, 1)) + 0.05 * rng.standard_normal(
        (n, 16)
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """One embedding in three forms, one trained again, and one that has lost its order."""
    folder = tmp_path_factory.mktemp("vectors")
    E = vectors(0)
    ids = np.array([f"song{i}" for i in range(300)])
    np.save(folder / "E.npy", E)
    lines = [" ".join([id, *map(str, row)]) for id, row in zip(ids, E.round(4))]
    (folder / "E.txt").write_text("\n".join([f"{len(E)} 16", *lines]), encoding="utf-8")
    for name, other in (
        ("old", E),
        ("again", vectors(1)),
        ("new", E[np.random.default_rng(2).permutation(300)]),
    ):
        np.savez(folder / f"{name}.npz", ids=ids, vectors=other)
    return folder


@pytest.mark.parametrize("name", ["E.npy", "E.txt"])
def test_from_a_file_to_the_answer(files, name, tmp_path):
    result = run("report", files / name, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Spiky: 3 directions capture half of 300 items at f = 16;")
    assert "Is it safe to average items?" in result.stdout
    stored = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert stored["read"]["rows"] == 300 and stored["spiky"] == {"16": True}
    if name == "E.txt":
        assert stored["hubs"][0]["item"].startswith("song")


def test_from_plays_with_the_embedding_behind_them(tmp_path):
    data = synthetic.clean_playlists(n_items=300, n_contexts=900, n_communities=12, seed=1)
    pairs = zip(*data.matrix.tocoo().coords)
    plays = tmp_path / "plays.csv"
    plays.write_text("\n".join(["track,user", *(f"{i},{j}" for i, j in pairs)]), encoding="utf-8")
    np.savez(
        tmp_path / "E.npz",
        ids=np.arange(data.n_items),
        vectors=vectors(0, 6 * (data.n_items // 6))[: data.n_items],
    )
    result = run(
        "report", tmp_path / "E.npz", "--interactions", plays, "--format", "markdown", "-o", tmp_path
    )
    assert result.exit_code == 0, result.output
    row = next(line for line in result.stdout.splitlines() if line.startswith("| Rank by cosine"))
    assert "Cannot tell" not in row and "may have seen these interactions" in row


def test_what_cannot_be_read_is_an_error_in_one_line_and_leaves_nothing(tmp_path):
    result = run("report", tmp_path / "none.npy", "-o", tmp_path / "out")
    assert result.exit_code == 2 and result.stderr.startswith("Error: ") and "none.npy" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_gate_decides_the_exit_code(files, tmp_path):
    gate = "overlap_all < floor"
    words = [
        "compare",
        files / "old.npz",
        files / "new.npz",
        "--again",
        files / "again.npz",
        "--fail-if",
        gate,
    ]
    result = run(*words, "-o", tmp_path, "--junit", tmp_path / "gates.xml")
    assert result.exit_code == 1, result.output
    assert "FAILED: overlap_all is " in result.stdout
    assert ET.parse(tmp_path / "gates.xml").getroot().get("failures") == "1"
    assert json.loads((tmp_path / "compare.json").read_text(encoding="utf-8"))["gates"][0]["gate"] == gate
    same = run("compare", files / "old.npz", files / "old.npz", "--fail-if", "spk_16 > 0.5", "-o", tmp_path)
    assert same.exit_code == 0 and "passed: spk_16 is " in same.stdout


def test_a_condition_that_does_not_exist_lists_those_that_do(files, tmp_path):
    result = run(
        "compare", files / "old.npz", files / "new.npz", "--fail-if", "spk_99 > 1", "-o", tmp_path / "out"
    )
    assert result.exit_code == 2 and "conditions are items_common" in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["report", "E.npy", "--item", "song"],
            "--item names a column of interactions in a file of your own",
        ),
        (["report", "E.npy", "--f", 64], "--f goes with interactions"),
        (["report", "synthetic", "--label", "title"], "--label names a column"),
        (
            ["report", "plays.csv", "--interactions", "plays.csv"],
            "--interactions goes with embeddings",
        ),
        (["compare", "old.npz", "new.npz", "--time", "date"], "--time names a column"),
        (
            ["compare", "old.npz", "new.npz", "--again", "again.npz", "--interactions", "plays.csv"],
            "--again and --interactions both give the floor",
        ),
        (["check", "P1", "E.npy", "--context", "user"], "--context names a column"),
        (["check", "P10", "E.npy"], "P10 is checked on generated data: leave out"),
        (["check", "P10", "--interactions", "plays.csv"], "--interactions goes with embeddings"),
        (["check", "--list", "P1"], "--list lists all claims: leave out P1"),
    ],
)
def test_options_that_would_do_nothing_are_refused(files, tmp_path, words, said):
    (files / "plays.csv").write_text(f"song,user\n{'a,1,'[:-1]}\nb,1\n", encoding="utf-8")
    words = [files / word if (files / str(word)).exists() else word for word in words]
    folder = [] if words[0] == "check" else ["-o", tmp_path / "out"]
    result = run(*words, *folder)
    assert result.exit_code == 2 and said in result.stderr, result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("ann,a,5\nbob,b,4\n", [], "first line looks like data (5), not like names of columns"),
        ("ann,a,5\nbob,b,4\n", [], "count columns from 0, as with --item 1 and --context 0"),
        ("thing\na\n", [], "has one column, thing; interactions need an item and a context"),
        ("foo,bar,baz\n1,a,x\n", ["--item", "bar"], "to be the context among foo, bar, baz; say --context"),
        ("foo,bar\n1,a\n", [], "foo or bar may be the column of the item; say --item"),
        (
            "user,track\nann,a\n",
            ["--item", 1],
            "names its columns: say which of user, track",
        ),
        ("user,track\n", [], "it has no row with an item and a context"),
        ("user,track\nann,\xe9t\xe9\n", [], "save it as UTF-8"),
        ("user,track\nann,a\n", [], "bring more contexts"),
    ],
)
def test_a_fault_of_a_table_is_named_with_what_the_command_line_can_do(tmp_path, content, words, said):
    (tmp_path / "plays.csv").write_bytes(content.encode("latin1"))
    result = run("report", tmp_path / "plays.csv", *words, "-o", tmp_path)
    assert result.exit_code == 2 and said in result.stderr, result.output


def test_columns_without_names_are_counted(tmp_path):
    data = synthetic.clean_playlists(n_items=300, n_contexts=900, n_communities=12, seed=1)
    lines = [f"{j},{i},1" for i, j in zip(*data.matrix.tocoo().coords)]
    (tmp_path / "plays.csv").write_text("\n".join(lines), encoding="utf-8")
    result = run("check", "P2", tmp_path / "plays.csv", "--item", 1, "--context", 0)
    assert result.exit_code == 0 and f"{len(lines)} used" in result.stderr, result.output


def test_a_path_that_leads_to_nothing_is_an_error_with_a_remedy(files, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "undated").mkdir()
    (tmp_path / "undated" / "E.npy").write_bytes((files / "E.npy").read_bytes())
    for place, said in (
        ("none.csv", "there is no file"),
        ("none/plays", "and no such file"),
        ("empty", "contains no files: name a file"),
        ("undated", "contains arrays without dates in their names"),
    ):
        result = run("report", tmp_path / place)
        assert result.exit_code == 2 and said in result.stderr, result.output


def test_dated_embeddings_go_by_the_name_of_their_folder(files, tmp_path):
    for date, name in (("2024-01", "old"), ("2024-02", "again")):
        (tmp_path / "models" / date).mkdir(parents=True)
        (tmp_path / "models" / date / "E.npz").write_bytes((files / f"{name}.npz").read_bytes())
    result = run("report", tmp_path / "models", "--format", "markdown", "-o", tmp_path)
    assert result.exit_code == 0 and result.stdout.startswith("## models\n"), result.output
    stored = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert "looked at: 2024-02, the last date of 2" in stored["read"]["notes"]


def test_rows_without_ids_are_said_to_be_matched_by_number(files, tmp_path):
    for words, said in (((files / "E.npy",) * 2, True), ((files / "old.npz",) * 2, False)):
        result = run("compare", *words, "-o", tmp_path)
        assert ("rows are matched by their number" in result.stdout) is said, result.output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_output_that_cannot_be_written_is_an_error_in_one_line(files, tmp_path):
    words = ["report", str(files / "E.npy"), "--format", "markdown"]
    command = [sys.executable, "-c", "from spikylib.cli import main; main()", *words]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "Error: the output: No space left on device", done.stderr


def test_embeddings_are_no_interactions(files, tmp_path):
    words = [files / "old.npz", "--interactions", files / "new.npz", "-o", tmp_path / "out"]
    for command in (["report"], ["compare", files / "new.npz"]):
        result = run(*command, *words)
        assert result.exit_code == 2 and "contains embeddings" in result.stderr
    file = tmp_path / "file"
    file.write_text("")
    result = run("report", files / "E.npy", "-o", file / "out")
    assert result.exit_code == 2 and "cannot be written" in result.stderr

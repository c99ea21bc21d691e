"""`spiky report` and `spiky compare`, as they are typed."""

import json
import xml.etree.ElementTree as ET

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
    assert result.stdout.startswith("Spiky: 3 directions hold half of 300 items at f = 16;")
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


def test_embeddings_are_no_interactions(files, tmp_path):
    words = [files / "old.npz", "--interactions", files / "new.npz", "-o", tmp_path / "out"]
    for command in (["report"], ["compare", files / "new.npz"]):
        result = run(*command, *words)
        assert result.exit_code == 2 and "holds embeddings" in result.stderr
    file = tmp_path / "file"
    file.write_text("")
    result = run("report", files / "E.npy", "-o", file / "out")
    assert result.exit_code == 2 and "cannot be written" in result.stderr

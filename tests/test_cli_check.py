"""`spiky check`."""

import re
from dataclasses import replace

import pytest
from click.testing import CliRunner

from spikylib import claims, nulls, synthetic
from spikylib.cli import main
from spikylib.study import Study


def run(*words):
    return CliRunner().invoke(main, ["check", *map(str, words)])


@pytest.fixture(scope="module")
def plays(tmp_path_factory):
    """A file of interactions under columns of its own names, and one with the items shuffled."""
    data = synthetic.clean_playlists(n_items=300, n_contexts=900, n_communities=12, seed=1)
    folder, files = tmp_path_factory.mktemp("check"), []
    for name, matrix in (("sound", data.matrix), ("shuffled", nulls.shuffle_items(data.matrix, seed=1))):
        pairs = replace(data, matrix=matrix).matrix.tocoo()
        lines = [f"t{i},u{j}" for i, j in zip(*pairs.coords)]
        files.append(folder / f"{name}.csv")
        files[-1].write_text("\n".join(["song,listener", *lines]), encoding="utf-8")
    return files


def test_it_prints_the_findings_and_ends_well_whatever_they_are(plays):
    columns = {"item": "song", "context": "listener"}
    said = []
    for file in plays:
        result = run("p1", file, "--item", "song", "--context", "listener", "--seed", 3)
        assert result.exit_code == 0, result.output
        found = claims.check("P1", Study.load(file, **columns, seed=3), seed=3)
        expected = [
            line for f in found for line in (f"P1, {f.part}: {f.verdict} on {file.name}", f"  {f.why}")
        ]
        assert result.stdout.splitlines() == expected
        said += [f.verdict for f in found]
    assert {"holds", "fails"} <= set(said)


def test_it_lists_the_claims():
    result = run("--list")
    assert result.exit_code == 0
    table = claims.table()
    assert re.split(r"\s+", result.stdout.splitlines()[0]) == list(table.columns)
    for line, (id, part, statement) in zip(
        result.stdout.splitlines()[1:], table.iloc[:, :3].itertuples(index=False), strict=True
    ):
        assert line.split()[0] == id
        assert part in line and statement in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which claim? Give its ID, or --list to see them"),
        (["P11x", "synthetic"], "there is no claim 'P11x'; the nearest are P1"),
        (["?!"], "there is no claim '?!'; spiky check --list lists all"),
        (["P1"], "P1 needs a catalogue: name DATA, as in spiky check P1 triplej"),
        (["P1", "no-such-data"], "no-such-data"),
        (["P1", "synthetic", "--seed", "-1"], "-1 is not in the range x>=0"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_to_do(words, message):
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_column_that_is_not_there_is_named(plays):
    result = run("P1", plays[0], "--item", "track", "--context", "listener")
    assert result.exit_code == 2
    assert "track" in result.stderr and "song" in result.stderr

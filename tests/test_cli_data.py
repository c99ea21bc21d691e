"""`spiky data`."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from spikylib.cli import main
from spikylib.datasets._catalogue import DATASETS

DATA = Path(__file__).parent / "data"


def run(*words, **environment):
    return CliRunner().invoke(main, ["data", *map(str, words)], env=environment)


def test_list_says_what_is_there_where_and_on_which_terms(tmp_path):
    shutil.copytree(DATA / "movielens-small", tmp_path / "movielens-small")
    result = run("list", "--data-home", tmp_path)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"data home: {tmp_path}\n")
    lines = {line.split()[0]: line.split() for line in result.stdout.splitlines()[3:]}
    assert set(lines) == set(DATASETS)
    assert lines["movielens-small"][1:5] == ["yes", "286B", "movielens-small", "research;"]
    assert lines["triplej"][1:4] == ["no", "-", "triplej"]
    assert lines["triplej"][4:] == ["no", "licence", "stated"]
    assert lines["synthetic"][1] == "generated"


def test_list_of_a_home_that_is_not_there(tmp_path):
    result = run("list", "--data-home", tmp_path / "absent")
    assert result.exit_code == 0
    there = {line.split()[0] for line in result.stdout.splitlines() if " yes " in line}
    assert there <= {name for name, known in DATASETS.items() if known.package}  # which may be installed
    assert not (tmp_path / "absent").exists()


def test_path_prints_the_home(tmp_path):
    assert run("path", "--data-home", tmp_path).stdout == f"{tmp_path}\n"
    assert run("path", SPIKYLIB_DATA=str(tmp_path)).stdout == f"{tmp_path}\n"


def test_fetch_from_a_file(tmp_path, monkeypatch):
    packed = tmp_path / "by-hand.zip"
    packed.write_bytes(b"PK")
    checksum = f"sha256:{hashlib.sha256(b'PK').hexdigest()}"
    monkeypatch.setitem(DATASETS, "triplej", replace(DATASETS["triplej"], checksum=checksum))
    result = run("fetch", "triplej", "--from", packed, "--data-home", tmp_path / "home")
    assert result.exit_code == 0
    place = tmp_path / "home/triplej/playlist_20140929.zip"
    assert result.stdout == f"triplej is there:\n  {place}\n"
    assert "terms      no licence stated" in result.stderr
    assert place.read_bytes() == b"PK"


def test_fetch_of_what_is_there_or_generated(tmp_path):
    assert run("fetch", "synthetic").stdout == "synthetic is generated: there is nothing to fetch\n"
    result = run("fetch", "lastfm-2k", "--data-home", DATA)
    assert result.exit_code == 0
    assert result.stdout.startswith("lastfm-2k is there:")


def test_a_failure_is_one_message_and_exit_code_1_and_does_not_stop_the_others(tmp_path):
    result = run("fetch", "spotify-mpd", "synthetic", "--data-home", tmp_path)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: spotify-mpd has no address to download from.")
    assert result.stderr.count("\n") == 1
    assert "synthetic is generated" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fetch"], "Missing argument 'NAME...'"),
        (["fetch", "triple-j"], "'triple-j' is not one of"),
        (["fetch", "triplej", "lastfm-2k", "--from", "x"], "--from takes exactly one NAME"),
        (["gather"], "No such command 'gather'"),
    ],
)
def test_wrong_usage_is_exit_code_2(words, message):
    result = run(*words)
    assert result.exit_code == 2
    assert message in result.stderr


@pytest.mark.parametrize("words", [[], ["list"], ["fetch"], ["path"]])
def test_every_help_has_an_example(words):
    result = run(*words, "--help")
    assert result.exit_code == 0
    assert "Example" in result.stdout and "spiky data" in result.stdout

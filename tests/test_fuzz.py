"""Bad input: what the fuzzer once found, what hypothesis makes up, and archives that are bombs."""

import ast
import bz2
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spikylib import datasets
from spikylib.datasets import _download
from spikylib.datasets._catalogue import DATASETS
from trust.fuzz import targets

HERE = Path(__file__).parent
ROOT = HERE.parent


KEPT = sorted((HERE / "corpus").glob("*/*"))


@pytest.mark.parametrize("name", targets.TARGETS)
def test_the_seeds_are_read(name, tmp_path):
    for seed in targets.seeds(name):
        assert targets.attempt(name, seed, tmp_path / "home") == "read"


@pytest.mark.parametrize("file", KEPT, ids=lambda f: f"{f.parent.name}-{f.name[:14]}")
def test_what_was_found_once_is_refused_or_read(file, tmp_path):
    assert targets.attempt(file.parent.name, file.read_bytes(), tmp_path / "home") in ("read", "refused")


def test_the_watch_sees_what_it_is_there_for(tmp_path, monkeypatch):
    def outside(folder, data):
        (folder.parent / "escaped").write_bytes(data)

    def unpickle(folder, data):
        np.save(folder / "x.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
        np.load(folder / "x.npy", allow_pickle=True)

    def silent(folder, data):
        raise ValueError("something is wrong")

    for name, target, message in (
        ("outside", outside, "open outside the folder: .*escaped"),
        ("pickle", unpickle, "pickle.find_class"),
        ("silent", silent, "the error names no file"),
    ):
        monkeypatch.setitem(targets.TARGETS, name, target)
        with pytest.raises(targets.Finding, match=message):
            targets.attempt(name, b"", tmp_path / "home")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("name", targets.TARGETS)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_a_damaged_file_is_refused_in_words(name, tmp_path, data):
    seed = bytearray(data.draw(st.sampled_from(targets.seeds(name))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, max(len(seed) - 1, 0)))
        kind = data.draw(st.sampled_from(["set", "cut", "insert"]))
        new = data.draw(st.binary(min_size=1, max_size=6))
        if kind == "cut":
            del seed[at:]
        else:
            seed[at : at + (len(new) if kind == "set" else 0)] = new
    targets.attempt(name, bytes(seed), tmp_path / "home")


# --- bombs: small files that would unpack to gigabytes ------------------------------------------


def overlapping(name, copies=100, size=42 << 20):
    """A zip whose directory lists one packed member over and over, as a non-recursive bomb does."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
        bundle.writestr(name, bytes(size))
        bundle.filelist *= copies
    return stream.getvalue()


def test_42_kb_that_unpack_to_4_gb_are_refused(tmp_path, monkeypatch):
    bomb = overlapping("ratings.csv")
    with zipfile.ZipFile(io.BytesIO(bomb)) as bundle:
        assert sum(member.file_size for member in bundle.infolist()) > 4e9
    assert len(bomb) < 50_000
    file = tmp_path / "bomb.zip"
    file.write_bytes(bomb)
    monkeypatch.setattr(_download.shutil, "copyfileobj", None)  # nothing may be unpacked at all
    with pytest.raises(ValueError, match=f"unpacks to more than {2**30} bytes"):
        datasets.fetch("movielens-small", data_home=tmp_path / "home", address=file)
    assert not (tmp_path / "home").exists()
    assert DATASETS["movielens-small"].largest == 2**30


def test_a_table_packed_denser_than_text_is_refused_early(tmp_path, monkeypatch):
    # 4 GB in one line: 40 streams of 100 MB, each packed to 100 bytes or so
    file = tmp_path / "plays.csv.bz2"
    file.write_bytes(bz2.compress(b"user,track\n") + 40 * bz2.compress(b"x" * (100 << 20)))
    assert file.stat().st_size < 42_000
    with pytest.raises(ValueError, match=r"it unpacks to more than \d+ bytes"):
        datasets.read_interactions(file, item="track", context="user")


def test_parquet_of_one_value_over_and_over_is_refused(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    value = pa.DictionaryArray.from_arrays(pa.array(np.zeros(1 << 22, np.int32)), pa.array(["x"]))
    table = pa.table({"user": value, "track": value})
    file = tmp_path / "plays.parquet"
    with pq.ParquetWriter(file, table.schema) as writer:
        writer.write_table(table)
    assert file.stat().st_size < 42_000
    with pytest.raises(ValueError, match="declares 4194304 rows"):
        datasets.read_interactions(file, item="track", context="user")


def test_a_published_zip_packed_denser_than_text_is_refused(tmp_path):
    (tmp_path / "triplej").mkdir()
    (tmp_path / "triplej/playlist_20140929.zip").write_bytes(overlapping("playlist.csv", copies=1))
    with pytest.raises(ValueError, match=r"it unpacks to more than \d+ bytes"):
        datasets.load("triplej", data_home=tmp_path)


def test_packed_tables_are_still_read(tmp_path):
    plays = pd.DataFrame({"user": [f"user {i % 50}" for i in range(5000)], "track": "only one"})
    for suffix in (".csv", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".parquet"):
        file = tmp_path / f"plays{suffix}"
        plays.to_parquet(file) if suffix == ".parquet" else plays.to_csv(file, index=False)
        assert datasets.read_interactions(file, item="track", context="user").matrix.shape == (1, 50)


# --- nothing in the library runs what it reads --------------------------------------------------


@pytest.mark.parametrize(
    "file",
    sorted((ROOT / "spikylib").rglob("*.py")),
    ids=lambda f: f.relative_to(ROOT / "spikylib").as_posix(),
)
def test_nothing_is_unpickled_or_evaluated(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    imported = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "compile", "pd.read_pickle", "os.system"), ast.unparse(node)
            options = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert options.get("shell", "False") == "False"
            if called == "np.load":
                assert options.get("allow_pickle") == "False", ast.unparse(node)
    assert not imported & {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}

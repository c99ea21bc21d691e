"""What is fuzzed: a target takes bytes, makes a file of them and reads it as a user would.

A target may return anything or raise what its reader documents, with the file or the parameter named.
All else is a finding: other exceptions, a file opened for writing outside the folder, a pickle
opened, a process started.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import warnings
import zipfile
from pathlib import Path
from xml.etree import ElementTree

from spikylib import datasets, rerun
from spikylib.datasets import _download
from spikylib.datasets._guard import reading
from spikylib.report import _compare, _page
from spikylib.rerun import _results, _runs
from trust import ROOT

DATA = ROOT / "tests" / "data"
PARAMETERS = 'f: int = 8  # rank, 1 to 64\nrho: float = 0.5  # share, 0.01 to 1\nloud: bool = False  # say it\nkind: str = "dot"  # one of dot, cosine'
BREAK = b"\n--8<--\n"  # between the files of one input

_COLUMNS = {"item": "track", "context": "user", "time": "when", "labels": {"name": "title"}}


class Finding(Exception):
    """Something that no input may cause."""


def interactions(suffix, read=datasets.read_interactions, **options):
    def target(folder, data):
        file = folder / f"interactions{suffix}"
        file.write_bytes(data)
        return read(file, **options)

    return target


def embeddings(suffix):
    def target(folder, data):
        file = folder / f"embeddings{suffix}"
        file.write_bytes(data)
        return datasets.read_embeddings(file)

    return target


def folder_of_tables(folder, data):
    for day, part in enumerate(data.split(BREAK)[:3]):
        (folder / f"day={day}").mkdir()
        (folder / f"day={day}" / "part.csv").write_bytes(part)
    return datasets.load(folder, item="track", context="user", time="when")


def snapshots(suffix):
    def target(folder, data):
        for date, part in zip(("20220521", "2022-06"), data.split(BREAK)):
            (folder / date).mkdir()
            (folder / date / f"E{suffix}").write_bytes(part)
        return datasets.read_snapshots(folder)

    return target


def published(name, *paths):
    """A dataset of the catalogue whose files are the parts of the input."""

    def target(folder, data):
        for path, part in zip(paths, data.split(BREAK)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(part)
        return datasets.load(name, data_home=folder)

    return target


def archive(folder, data):
    file = folder / "download"
    file.write_bytes(data)
    with reading("download", "is refused"):
        return _download.unpack(file, ["a/r.csv", "a/m.csv"], 1 << 20, folder)


def results(folder, data):
    (folder / "03_x--triplej.json").write_bytes(data)
    rerun.read_results("03_x", folder)
    return _results.table(folder)


def parameters(folder, data):
    notebook = folder / "01_tiny.ipynb"
    cell = {"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": PARAMETERS, "outputs": []}
    shape = {
        "cells": [cell | {"execution_count": 1}],
        "metadata": {"kernelspec": {"name": "python3", "language": "python"}},
    }
    notebook.write_text(json.dumps(shape | {"nbformat": 4, "nbformat_minor": 4}))
    words = data.decode("utf-8", errors="replace").split("\0")
    for run in _runs.plan(notebook, words[:4], folder, grid=b"," in data)[:100]:
        if len(run.name.encode()) > 255 or Path(run.name).name != run.name:
            raise Finding(f"a run's folder would be {run.name!r}")


def gates(folder, data):
    """Gates as `spiky compare` takes them, on values that are given, and their file for CI servers."""
    conditions = {
        "items_common": {"value": 300, "meaning": "items in both"},
        "spk_16": {"value": 0.25, "meaning": "Spk of the new version at f = 16"},
        "overlap_all": {"value": 0.5, "meaning": "neighbours kept, all items", "floor": 0.75},
    }
    decided = []
    for text in data.decode("utf-8", errors="replace").split("\0"):
        name, _, bound = parts = _compare._parsed(text)
        if name in conditions:
            _compare._check_gate(name, bound, [16], True)
            decided.append(_compare._gate(text, parts, conditions))
    ElementTree.fromstring(_page.junit({"gates": decided, "seconds": 1.5}))


_CORNELL = [
    f"cornell-yes/yes_small/{f}"
    for f in ("train.txt", "test.txt", "song_hash.txt", "tags.txt", "tag_hash.txt")
]
TARGETS = {
    **{f"interactions{s}": interactions(s, **_COLUMNS) for s in (".csv", ".tsv", ".csv.gz", ".csv.zip", ".parquet")},
    # what the columns are is guessed, and what the file is
    **{f"interactions.guess{s}": interactions(s, datasets.load) for s in (".csv", ".txt", ".dat", ".inter", ".json", ".jsonl", ".parquet")},
    "interactions.folder": folder_of_tables,
    **{f"embeddings{s}": embeddings(s) for s in (".npy", ".npz", ".parquet", ".csv", ".txt", ".vec", ".bin", ".bin.gz")},
    "snapshots": snapshots(".parquet"),
    "snapshots.npz": snapshots(".npz"),
    "cornell-yes": published("cornell-yes-small", *_CORNELL),
    "aotm-2011": published("aotm-2011", "aotm-2011/aotm2011_playlists.json"),
    "aotm-2011.gz": published("aotm-2011", "aotm-2011/aotm2011_playlists.json.gz"),
    "spotify-mpd": published("spotify-mpd", *(f"spotify-mpd/data/mpd.slice.{s}.json" for s in ("0-999", "1000-1999"))),
    "lastfm-360k": published("lastfm-360k", "lastfm-360k/usersha1-artmbid-artname-plays.tsv"),
    "movielens": published("movielens-small", "movielens-small/ratings.csv", "movielens-small/movies.csv"),
    "lastfm-2k": published("lastfm-2k", "lastfm-2k/user_artists.dat", "lastfm-2k/artists.dat"),
    "triplej.csv": published("triplej", "triplej/playlist_20140929.csv"),
    "triplej.zip": published("triplej", "triplej/playlist_20140929.zip"),
    "deezer-songs": published("deezer-songs", "deezer-songs/song_embeddings.parquet"),
    "gowalla": published("gowalla", "gowalla/train.txt", "gowalla/test.txt"),
    "citeulike-a": published("citeulike-a", "citeulike-a/users.dat"),
    "item2vec": published("item2vec-sgns", "embeddings/item2vec-sgns.npz", "cornell-yes/yes_small/song_hash.txt"),
    "s3rec-beauty": published("s3rec-beauty", "embeddings/s3rec-beauty.npz"),
    "released": published("released-aotm", "released/aotm/U.npy", "released/aotm/S.npy"),
    "archive": archive,
    "results": results,
    "parameters": parameters,
    "gates": gates,
}  # fmt: skip


def attempt(name, data, folder):
    """Read one input in an empty folder; return "read" or "refused", or raise what is a finding."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    with _watched(folder), warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            TARGETS[name](folder, data)
        except (ValueError, FileNotFoundError) as error:
            text = str(error)
            known = [name.partition(".")[0], folder.name, *(path.name for path in folder.rglob("*"))]
            if name not in ("parameters", "gates") and not any(word in text for word in known):
                raise Finding(f"the error names no file: {text[:200]}") from error
            return "refused"
    return "read"


def seeds(name):
    """Small whole inputs to start from."""
    import numpy as np
    import pandas as pd

    def packed(write, *arguments, **options):
        stream = io.BytesIO()
        write(stream, *arguments, **options)
        return stream.getvalue()

    def zipped(**members):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
            for member, content in members.items():
                bundle.writestr(member.replace("__", "/").replace("_", "."), content)
        return stream.getvalue()

    import gzip
    import tarfile

    plays = pd.DataFrame({"user": ["a", "a", "b"], "track": ["x", "y", "x"], "when": ["2020-01-01", "2020-01-02", "2021-01-01"], "name": ["X", "NA", "é"]})  # fmt: skip
    vectors = pd.DataFrame({"id": [2, 1, 5], "vector": [[1.0, 2.0], [0.5, 0.25], [3.0, 4.0]]})
    deezer = pd.DataFrame({"song_index": [0, 1], "features_svd": [[1.0, 2.0], [3.0, 4.0]], "features_mf": [[1.0], [2.0]]})  # fmt: skip
    csv = plays.to_csv(index=False).encode()
    wide = pd.DataFrame({"id": ["a", "b"], "d0": [1.5, 0.0], "d1": [0.0, 1.0], "d2": [2.0, 3.0]})
    song = {"trackName": "t", "artistName": "a", "albumName": "l", "trackUri": "u:1"}
    playlists = {
        "playlists": [
            {"name": "p", "items": [{"track": song, "addedDate": "2021-05-05"}], "description": None}
        ]
    }
    history = [{"endTime": "2024-01-01 10:00", "artistName": "X", "trackName": "t", "msPlayed": 1000}]
    listens = [
        {"user_name": u, "listened_at": 1700000000, "track_metadata": {"track_name": "t", "artist_name": "a"}}
        for u in "ab"
    ]
    words = b"2 3\na 1 0 0 \nb 0.5 1e-3 0 \n"
    binary = b"2 3\n" + b"".join(
        w + b" " + np.array([1.5, 0, 2], "<f4").tobytes() + b"\n" for w in (b"a", b"b")
    )
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as bundle:
        for member in ("x/r.csv", "x/m.csv"):
            info = tarfile.TarInfo(member)
            info.size = len(csv)
            bundle.addfile(info, io.BytesIO(csv))
    made = {
        "interactions.csv": [csv],
        "interactions.tsv": [plays.to_csv(index=False, sep="\t").encode()],
        "interactions.csv.gz": [gzip.compress(csv)],
        "interactions.csv.zip": [zipped(plays_csv=csv)],
        "interactions.parquet": [packed(plays.to_parquet)],
        "interactions.guess.csv": [csv, b"user;track;ts\na;x;01/02/2024\nb;y;13/02/2024\n", b"milk,tea\nmilk\ntea,milk,nuts\n", wide.to_csv(index=False).encode(), "sep=|\nuser|track\na|\u00e9\n".encode("utf-16")],
        "interactions.guess.txt": [b"0 5 6 7\n1 5\n2 6\n", b"2 7 8\n1 7\n3 7 8 9\n", words],
        "interactions.guess.dat": [b"1::11::5::978300760\n2::12::4::978300761\n"],
        "interactions.guess.inter": [b"user_id:token\titem_id:token\ttimestamp:float\n1\t11\t881250949\n"],
        "interactions.guess.json": [json.dumps(d).encode() for d in (playlists, history, [["a", "b"], ["b"]])],
        "interactions.guess.jsonl": ["\n".join(map(json.dumps, listens)).encode(), b'{"user": 9007199254740993, "tracks": [1, 2]}\n'],
        "interactions.guess.parquet": [packed(plays.to_parquet), packed(pd.DataFrame({"user": ["a"], "tracks": [["x", "y"]]}).to_parquet), packed(wide.to_parquet)],
        "interactions.folder": [csv + BREAK + csv],
        "embeddings.csv": [wide.to_csv(index=False).encode(), wide.to_csv(index=False, sep=";").encode()],
        "embeddings.txt": [words, b"a 1 0.5\n. . 2 3\n"],
        "embeddings.vec": [words],
        "embeddings.bin": [binary],
        "embeddings.bin.gz": [gzip.compress(binary)],
        "snapshots.npz": [2 * (packed(np.savez, E=np.eye(3), item_ids=np.arange(3)) + BREAK)],
        "embeddings.npy": [packed(np.save, np.eye(3)), packed(np.save, np.ones((2, 2), np.float16))],
        "embeddings.npz": [packed(np.savez, vectors=np.eye(2), ids=np.arange(2)), packed(np.savez_compressed, np.eye(3))],
        "embeddings.parquet": [packed(vectors.to_parquet)],
        "snapshots": [packed(vectors.to_parquet) + BREAK + packed(vectors[::-1].to_parquet)],
        "deezer-songs": [packed(deezer.to_parquet)],
        "gowalla": [b"0 1 2\n1 2\n" + BREAK + b"1 3\n2\n"],
        "citeulike-a": [b"2 0 1\n0\n1 2\n"],
        "item2vec": [packed(np.savez, words=np.array(["1", "0"]), vectors=np.eye(2)) + BREAK + b"0\tAir\tWinds\n1\tBoat\tWaves\n"],
        "s3rec-beauty": [packed(np.savez, item_embeddings_weight=np.eye(4, 2))],
        "released": [packed(np.save, np.eye(3, 2)) + BREAK + packed(np.save, np.ones(2))],
        "archive": [zipped(x__r_csv=csv, m_csv=csv), gzip.compress(tarred.getvalue())],
        "results": [b'{"chapter": "03_x", "parameters": {"f": 8}, "results": {"spk": 0.5}, "arrays": {}}'],
        "parameters": [b"f=16\0rho=0.25\0loud=true", b"kind=cosine", b"f=8,16\0kind=dot,cosine"],
        "gates": [b"spk_16 > 0.05", b"overlap_all<floor\0 items_common >= 1e3\n"],
        "aotm-2011.gz": [gzip.compress(_files("aotm-2011", "aotm2011_playlists.json"))],
        "triplej.zip": [zipped(playlist_csv=_files("triplej", "playlist_20140929.csv"))],
        "cornell-yes": [_files("cornell-yes/yes_small", *(Path(p).name for p in _CORNELL))],
        "aotm-2011": [_files("aotm-2011", "aotm2011_playlists.json")],
        "spotify-mpd": [_files("spotify-mpd/data", *sorted(f.name for f in (DATA / "spotify-mpd/data").iterdir())[:2])],
        "lastfm-360k": [_files("lastfm-360k", "usersha1-artmbid-artname-plays.tsv")],
        "movielens": [_files("movielens-small", "ratings.csv", "movies.csv")],
        "lastfm-2k": [_files("lastfm-2k", "user_artists.dat", "artists.dat")],
        "triplej.csv": [_files("triplej", "playlist_20140929.csv")],
    }  # fmt: skip
    return made[name]


def _files(folder, *names):
    return BREAK.join(
        (DATA / folder / name).read_bytes() for name in names if (DATA / folder / name).is_file()
    )


_allowed = None


def _hook(event, arguments):
    if _allowed is None:
        return
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not writes or isinstance(path, int) or str(path) == os.devnull:
            return
    elif event in ("os.mkdir", "os.rename", "os.symlink", "os.link"):
        path = arguments[1] if event in ("os.rename", "os.symlink", "os.link") else arguments[0]
    elif event in ("pickle.find_class", "subprocess.Popen", "os.system", "socket.connect", "exec"):
        if event != "exec":
            raise Finding(f"{event} {arguments[:2]}")
        return
    else:
        return
    if not Path(os.fsdecode(path)).absolute().is_relative_to(_allowed):
        raise Finding(f"{event} outside the folder: {path}")


@contextlib.contextmanager
def _watched(folder):
    global _allowed
    if not getattr(_hook, "added", False):
        sys.addaudithook(_hook)
        _hook.added = True
    _allowed = folder.absolute()
    try:
        yield
    finally:
        _allowed = None

"""Fetching, from a real HTTP server on loopback that also misbehaves."""

import gzip
import hashlib
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import textwrap
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from spikylib import datasets
from spikylib.datasets import _download, fetch
from spikylib.datasets._catalogue import DATASETS

DATA = Path(__file__).parent / "data"


class Server(ThreadingHTTPServer):
    """Plays a script: a list of answers for each path, the last one repeated."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.script, self.seen = {}, []

    def handle_error(self, *_):
        """A client that hangs up is part of the tests."""

    def serve(self, path, *answers):
        self.script[path] = list(answers)
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        answers = self.server.script[self.path]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        self.server.seen.append((self.path, self.headers.get("Range")))
        answer(self)

    def log_message(self, *_):
        pass


def whole(content, ranges=True):
    """An answer with all of the content, or from where the client asks."""

    def answer(handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:-1]) if ranges else 0
        handler.send_response(206 if start else 200)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        handler.wfile.write(content[start:])

    return answer


def cut(content, at):
    """An answer that promises the content and hangs up after `at` bytes."""

    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.send_header("ETag", '"one"')
        handler.end_headers()
        handler.wfile.write(content[:at])
        handler.wfile.flush()
        handler.close_connection = True

    return answer


def status(code, **headers):
    def answer(handler):
        handler.send_response(code)
        for key, value in headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@pytest.fixture
def server(monkeypatch):
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    server = Server()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(_download, "_WAITS", (0, 0, 0))


def sha256(content):
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tarred(members):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                archive.addfile(member)
            else:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


PLAYS = (DATA / "lastfm-2k/user_artists.dat").read_bytes()
ARTISTS = (DATA / "lastfm-2k/artists.dat").read_bytes()
ARCHIVE = zipped({"hetrec/user_artists.dat": PLAYS, "hetrec/artists.dat": ARTISTS, "hetrec/readme.txt": b"x"})
LARGE = zipped(
    {"noise": random.Random(0).randbytes(200_000), "user_artists.dat": PLAYS, "artists.dat": ARTISTS}
)


@pytest.fixture
def publish(server, monkeypatch):
    """Serve `content` by these answers as the published file of a dataset; return its address."""

    def _publish(content, *answers, name="lastfm-2k", **changes):
        known = DATASETS[name]
        file = known.address.rpartition("/")[2].partition("?")[0]
        address = server.serve(f"/{file}", *(answers or [whole(content)]))
        changes = {"checksum": sha256(content), "address": address} | changes
        for other, row in DATASETS.items():  # those that share the archive are not the published ones either
            if row.folder == known.folder:
                monkeypatch.setitem(DATASETS, other, replace(row, **{"checks": {}} | changes))
        return address

    return _publish


def tree(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


def test_fetch_unpacks_what_load_reads_and_shows_the_terms(publish, server, tmp_path, capsys):
    address = publish(ARCHIVE)
    home = tmp_path / "new" / "home"
    files = fetch("lastfm-2k", data_home=home)
    assert [f.name for f in files] == ["artists.dat", "user_artists.dat"]
    assert tree(home) == ["lastfm-2k", "lastfm-2k/artists.dat", "lastfm-2k/user_artists.dat"]
    assert datasets.load("lastfm-2k", data_home=home).matrix.toarray().tolist() == [[1, 1], [1, 0]]
    shown = capsys.readouterr().err
    assert "non-commercial use" in shown and address in shown and str(home / "lastfm-2k") in shown
    assert fetch("lastfm-2k", data_home=home) == files
    assert len(server.seen) == 1  # the second call had nothing to do
    assert capsys.readouterr().err == ""


def test_a_progress_bar_is_shown_when_asked(publish, tmp_path, capsys):
    publish(LARGE)
    fetch("lastfm-2k", data_home=tmp_path, progress=True)
    shown = capsys.readouterr().err
    assert "100%" in shown and "200k/200k" in shown
    fetch("lastfm-2k", data_home=tmp_path / "other", progress=False)
    assert "100%" not in capsys.readouterr().err


def test_load_downloads_when_asked_and_only_once(publish, server, tmp_path):
    publish(ARCHIVE)
    with pytest.raises(FileNotFoundError, match="spiky data fetch lastfm-2k"):
        datasets.load("lastfm-2k", data_home=tmp_path)
    for _ in range(2):
        assert datasets.load("lastfm-2k", data_home=tmp_path, download=True).matrix.nnz == 3
    assert len(server.seen) == 1


def test_a_wrong_checksum_leaves_nothing(publish, tmp_path):
    expected = "0" * 64
    publish(ARCHIVE, checksum=f"sha256:{expected}")
    with pytest.raises(ValueError, match=f"not the published file.*{sha256(ARCHIVE)[7:]}, not {expected}"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert tree(tmp_path) == []


def test_a_wrong_checksum_of_a_member_leaves_nothing(publish, tmp_path):
    publish(ARCHIVE, checks={"lastfm-2k/user_artists.dat": "md5:" + "0" * 32})
    with pytest.raises(ValueError, match=r"its md5 is .*Nothing was kept\. By hand: get the data from"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert tree(tmp_path) == []


def test_404_is_not_tried_again_and_a_home_made_for_nothing_is_removed(publish, server, tmp_path):
    address = publish(ARCHIVE, status(404))
    with pytest.raises(
        ConnectionError, match=f"{address}: the server answered 404 Not Found. Nothing was kept"
    ):
        fetch("lastfm-2k", data_home=tmp_path / "home")
    assert len(server.seen) == 1
    assert tree(tmp_path) == []


def test_503_then_success(publish, server, tmp_path, capsys):
    publish(ARCHIVE, status(503), whole(ARCHIVE))
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2
    assert len(server.seen) == 2
    assert "the server answered 503 Service Unavailable; trying again" in capsys.readouterr().err


def test_503_for_ever(publish, server, tmp_path):
    publish(ARCHIVE, status(503))
    with pytest.raises(ConnectionError, match="the server answered 503 Service Unavailable"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert len(server.seen) == 4
    assert tree(tmp_path) == []


def test_a_cut_connection_goes_on_where_it_stopped(publish, server, tmp_path):
    publish(LARGE, cut(LARGE, 150_000), whole(LARGE))
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2
    assert server.seen[1][1] == "bytes=131072-"  # two whole blocks of 64 KiB had been written


def test_a_server_without_ranges_starts_again(publish, server, tmp_path):
    publish(LARGE, cut(LARGE, 150_000), whole(LARGE, ranges=False))
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2
    assert server.seen[1][1] == "bytes=131072-"


def test_a_file_that_became_shorter_leaves_no_tail_of_the_longer_one(publish, tmp_path):
    publish(ARCHIVE, cut(LARGE, 150_000), whole(ARCHIVE, ranges=False))
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2


def test_a_connection_cut_every_time_leaves_nothing_and_a_later_run_succeeds(publish, tmp_path):
    publish(ARCHIVE, cut(ARCHIVE, 100))
    with pytest.raises(ConnectionError, match="the connection was cut half way"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert tree(tmp_path) == []
    publish(ARCHIVE)
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2


def test_no_server_at_all(publish, server, tmp_path):
    with pytest.raises(ConnectionError, match="the server could not be reached"):
        fetch("lastfm-2k", data_home=tmp_path, address="http://127.0.0.1:1/x.zip")
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    "path", ["../escaped.dat", "/etc/escaped.dat", "a/../../escaped.dat", "..\\escaped.dat"]
)
def test_an_archive_that_leaves_its_folder_is_refused(publish, tmp_path, path):
    archive = zipped({"user_artists.dat": PLAYS, path: b"x"})
    publish(archive)
    with pytest.raises(ValueError, match=r"lastfm-2k: the archive from .* would leave the folder"):
        fetch("lastfm-2k", data_home=tmp_path / "home")
    assert tree(tmp_path) == []


def test_a_tar_that_leaves_its_folder_is_refused(publish, tmp_path):
    archive = tarred({"dataset/yes_small/train.txt": b"x", "dataset/../../escaped.txt": b"x"})
    publish(archive, name="cornell-yes-small")
    with pytest.raises(ValueError, match="would leave the folder"):
        fetch("cornell-yes-small", data_home=tmp_path / "home")
    assert tree(tmp_path) == []


def test_a_tar_with_a_link_for_a_file_is_refused(publish, tmp_path):
    publish(tarred({"dataset/yes_small/train.txt": "/etc/passwd"}), name="cornell-yes-small")
    with pytest.raises(ValueError, match=r"train\.txt in it is not a regular file"):
        fetch("cornell-yes-small", data_home=tmp_path)
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "archive"),
    [
        ("lastfm-2k", zipped({"user_artists.dat": bytes(3 << 20)})),
        ("lastfm-2k", zipped({"user_artists.dat": bytes(700 << 10), "artists.dat": bytes(700 << 10)})),
        ("cornell-yes-small", tarred({"dataset/yes_small/train.txt": bytes(3 << 20)})),
        ("cornell-yes-small", tarred({"padding": bytes(3 << 20), "dataset/yes_small/train.txt": b"x"})),
    ],
    ids=["zip", "zip, together", "tar", "tar, padding"],
)
def test_a_bomb_is_refused(publish, tmp_path, name, archive):
    assert len(archive) < 10_000
    publish(archive, name=name, largest=1 << 20)
    with pytest.raises(ValueError, match="it unpacks to more than 1048576 bytes"):
        fetch(name, data_home=tmp_path)
    assert tree(tmp_path) == []


def test_a_zip_that_lies_about_a_size_is_refused(publish, tmp_path):
    archive = zipped({"user_artists.dat": bytes(3 << 20), "artists.dat": ARTISTS})
    archive = archive.replace((3 << 20).to_bytes(4, "little"), (9).to_bytes(4, "little"))
    publish(archive, largest=1 << 20)
    with pytest.raises(ValueError, match="the archive from"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert tree(tmp_path) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>moved</html>", "Not a gzipped file"),
        (b"", "empty file|truncated|end"),
        (ARCHIVE[:-30], "Not a gzipped file|File is not a zip|truncated"),
        (ARCHIVE[:60] + bytes(20) + ARCHIVE[80:], "invalid|Bad CRC|header|Error"),
        (zipped({"readme.txt": b"nothing"}), "does not contain lastfm-2k/user_artists.dat"),
        (tarred({"user_artists.dat": PLAYS})[:-20], "end|truncated|CRC"),
        (gzip.compress(b"no tar"), "truncated|invalid|empty|header"),
    ],
    ids=["html", "empty", "cut zip", "broken zip", "wrong zip", "cut tar", "no tar"],
)
def test_a_damaged_archive_leaves_nothing(publish, tmp_path, content, message):
    publish(content)
    with pytest.raises(ValueError, match=f"the archive from .*({message}).*By hand: get the data from"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert tree(tmp_path) == []


def test_the_cornell_archive_brings_all_three_sets(publish, server, tmp_path):
    files = {f.name: f.read_bytes() for f in (DATA / "cornell-yes/yes_small").iterdir()}
    sets = ("yes_small", "yes_big", "yes_complete")
    members = {f"dataset/{s}/{name}": content for s in sets for name, content in files.items()}
    publish(tarred({"dataset/README": b"x", **members}), name="cornell-yes-small")
    fetch("cornell-yes-small", data_home=tmp_path)
    for variant in ("small", "big", "complete"):
        assert datasets.load(f"cornell-yes-{variant}", data_home=tmp_path).matrix.shape == (4, 2)


def test_missing_parts_are_added_and_what_is_there_is_kept(publish, tmp_path):
    (tmp_path / "lastfm-2k").mkdir()
    (tmp_path / "lastfm-2k/artists.dat").write_bytes(b"mine")
    publish(ARCHIVE)
    fetch("lastfm-2k", data_home=tmp_path)
    assert (tmp_path / "lastfm-2k/artists.dat").read_bytes() == b"mine"
    assert (tmp_path / "lastfm-2k/user_artists.dat").read_bytes() == PLAYS
    fetch("lastfm-2k", data_home=tmp_path, force=True)
    assert (tmp_path / "lastfm-2k/artists.dat").read_bytes() == ARTISTS


def test_another_file_in_the_way_is_neither_taken_nor_replaced(publish, server, tmp_path):
    (tmp_path / "lastfm-2k").mkdir()
    (tmp_path / "lastfm-2k/user_artists.dat").write_bytes(PLAYS[:50])
    publish(ARCHIVE, checks={"lastfm-2k/user_artists.dat": sha256(PLAYS)})
    with pytest.raises(ValueError, match=r"user_artists.dat is not the published file.*--force"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert server.seen == []
    assert (tmp_path / "lastfm-2k/user_artists.dat").read_bytes() == PLAYS[:50]


def test_a_single_file_is_kept_as_it_came(publish, tmp_path):
    packed = zipped({"playlist_20140929.csv": (DATA / "triplej/playlist_20140929.csv").read_bytes()})
    publish(packed, name="triplej")
    fetch("triplej", data_home=tmp_path)
    assert tree(tmp_path) == ["triplej", "triplej/playlist_20140929.zip"]
    assert datasets.load("triplej", data_home=tmp_path).n_items == 3


TRAIN, TEST = b"0 5 2\n1 2\n", b"1 7\n"


def git_id(content):
    """What `git hash-object` prints."""
    command = ["git", "hash-object", "--stdin"]
    return (
        "git:"
        + subprocess.run(command, input=content, capture_output=True, check=True).stdout.decode().strip()
    )


@pytest.fixture
def in_parts(server, monkeypatch):
    """Serve two files as the published ones of gowalla; return the address of their folder."""
    server.serve("/data/train.txt", whole(TRAIN))
    address = server.serve("/data/test.txt", whole(TEST)).removesuffix("test.txt")
    checks = {"gowalla/train.txt": git_id(TRAIN), "gowalla/test.txt": sha256(TEST)}
    row = replace(DATASETS["gowalla"], address=address, checks=checks)
    monkeypatch.setitem(DATASETS, "gowalla", row)
    return address


def test_files_of_a_folder_are_fetched_one_by_one(in_parts, server, tmp_path, capsys):
    files = fetch("gowalla", data_home=tmp_path)
    assert files == fetch("gowalla", data_home=tmp_path)
    assert tree(tmp_path) == ["gowalla", "gowalla/test.txt", "gowalla/train.txt"]
    assert [path for path, _ in server.seen] == ["/data/train.txt", "/data/test.txt"]
    assert datasets.load("gowalla", data_home=tmp_path).matrix.toarray().tolist() == [[1, 0], [1, 1], [0, 1]]
    assert f"from       {in_parts}" in capsys.readouterr().err


@pytest.mark.parametrize("kept", ["train.txt", "test.txt"])
def test_of_the_files_of_a_folder_the_missing_one_is_fetched(in_parts, server, tmp_path, kept):
    fetch("gowalla", data_home=tmp_path)
    missing = ({"train.txt", "test.txt"} - {kept}).pop()
    (tmp_path / "gowalla" / missing).unlink()
    server.seen.clear()
    assert len(fetch("gowalla", data_home=tmp_path)) == 2
    assert [path for path, _ in server.seen] == [f"/data/{missing}"]
    fetch("gowalla", data_home=tmp_path, force=True)
    assert len(server.seen) == 3


@pytest.mark.parametrize("broken", ["train.txt", "test.txt"])
def test_one_wrong_file_of_a_folder_leaves_nothing(in_parts, server, tmp_path, broken):
    server.serve(f"/data/{broken}", whole(TRAIN + b"\n"))
    with pytest.raises(
        ValueError, match=r"not the published file: its (git id|sha256) is .*Nothing was kept"
    ):
        fetch("gowalla", data_home=tmp_path)
    assert tree(tmp_path) == []


def test_a_folder_downloaded_by_hand(in_parts, server, tmp_path):
    by_hand = tmp_path / "by hand"
    by_hand.mkdir()
    (by_hand / "train.txt").write_bytes(TRAIN)
    with pytest.raises(FileNotFoundError, match=r"no file .*by hand/test\.txt"):
        fetch("gowalla", data_home=tmp_path / "home", address=by_hand)
    (by_hand / "test.txt").write_bytes(TEST)
    assert len(fetch("gowalla", data_home=tmp_path / "home", address=by_hand)) == 2
    assert tree(by_hand) == ["test.txt", "train.txt"] and server.seen == []


def test_the_released_factors_come_to_a_folder_each(server, monkeypatch, tmp_path):
    U, S = np.eye(3, 2), np.array([2.0, 1.0])
    whole_of_it = np.empty(3, dtype=object)
    whole_of_it[:] = U, S, U.T
    files = {"aotm/U.npy": U, "aotm/S.npy": S, "aotm/V.npy": U.T, "movielens/UsV.npy": whole_of_it}
    contents = {}
    for path, array in files.items():
        np.save(stream := io.BytesIO(), array)
        contents[path] = stream.getvalue()
        address = server.serve(f"/svd/{path}", whole(contents[path]))
    checks = {f"released/{path}": git_id(content) for path, content in contents.items()}
    for name, changes in {
        "released-aotm": {"address": address.replace("movielens/UsV.npy", "aotm/"), "checks": checks},
        "released-movielens": {"address": address, "checksum": checks["released/movielens/UsV.npy"]},
    }.items():
        monkeypatch.setitem(DATASETS, name, replace(DATASETS[name], **changes))
        fetch(name, data_home=tmp_path)
    assert (datasets.load("released-aotm", data_home=tmp_path).vectors == U * S).all()
    assert [path for path in tree(tmp_path) if path.endswith(".npy")] == sorted(checks)


def test_a_half_parquet_file_without_a_checksum_is_not_taken(publish, tmp_path):
    publish(b"PAR1" + bytes(100), name="deezer-songs", checksum=None)
    with pytest.raises(ValueError, match="is not a whole Parquet file"):
        fetch("deezer-songs", data_home=tmp_path)
    assert tree(tmp_path) == []


def test_a_file_downloaded_by_hand(publish, server, tmp_path):
    publish(ARCHIVE)
    by_hand = tmp_path / "downloads.zip"
    by_hand.write_bytes(ARCHIVE)
    assert len(fetch("lastfm-2k", data_home=tmp_path / "home", address=by_hand)) == 2
    assert by_hand.exists() and server.seen == []
    by_hand.write_bytes(ARCHIVE + b"x")
    with pytest.raises(ValueError, match="not the published file"):
        fetch("lastfm-2k", data_home=tmp_path / "other", address=by_hand)
    with pytest.raises(FileNotFoundError, match="no file"):
        fetch("lastfm-2k", data_home=tmp_path / "other", address=tmp_path / "absent.zip")
    assert not (tmp_path / "other").exists()


def test_a_single_file_downloaded_by_hand_is_copied(publish, tmp_path):
    packed = zipped({"playlist_20140929.csv": b"x"})
    publish(packed, name="triplej")
    (tmp_path / "by-hand.zip").write_bytes(packed)
    fetch("triplej", data_home=tmp_path / "home", address=tmp_path / "by-hand.zip")
    assert tree(tmp_path) == ["by-hand.zip", "home", "home/triplej", "home/triplej/playlist_20140929.zip"]


@pytest.mark.parametrize(
    "address", ["http://example.org/x.zip", "ftp://127.0.0.1/x.zip", "file:///etc/passwd"]
)
def test_only_https_is_spoken(tmp_path, address):
    with pytest.raises(ValueError, match=f"{address} is not an https address"):
        fetch("lastfm-2k", data_home=tmp_path, address=address)
    assert tree(tmp_path) == []


def test_a_redirection_to_plain_http_is_refused(publish, tmp_path):
    publish(ARCHIVE, status(302, Location="http://example.org/x.zip"))
    with pytest.raises(ValueError, match=r"http://example.org/x.zip is not an https address"):
        fetch("lastfm-2k", data_home=tmp_path)
    assert tree(tmp_path) == []


def test_a_redirection_is_followed(publish, server, tmp_path):
    publish(ARCHIVE, status(302, Location="/elsewhere.zip"))
    server.serve("/elsewhere.zip", whole(ARCHIVE))
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2


def test_every_published_address_is_https_and_checked_where_a_checksum_is_known():
    published = {name: known for name, known in DATASETS.items() if known.address}
    assert {name for name in set(DATASETS) - set(published) if not DATASETS[name].package} == {
        "synthetic",
        "synthetic-clean",
        "synthetic-dated",
        "spotify-mpd",
        "item2vec-sgns",
        "item2vec-cbow",
        "s3rec-beauty",
    }
    for name, known in published.items():
        assert known.address.startswith("https://"), name
        # one archive holds the three cornell-yes, and only two are known
        assert known.checksum or known.checks or name in ("deezer-songs", "cornell-yes-complete"), name


def test_the_million_playlists_come_with_instructions(tmp_path):
    with pytest.raises(ValueError, match=r"spotify-mpd has no address.*aicrowd\.com.*account.*mpd\.slice"):
        fetch("spotify-mpd", data_home=tmp_path)
    assert tree(tmp_path) == []
    shutil.copytree(DATA / "spotify-mpd", tmp_path / "spotify-mpd")
    assert len(fetch("spotify-mpd", data_home=tmp_path)) == 2


def test_unknown_names_are_refused(tmp_path):
    with pytest.raises(ValueError, match="unknown dataset 'nonsense'"):
        fetch("nonsense", data_home=tmp_path)


def test_ctrl_c_half_way_leaves_nothing(server, tmp_path):
    """A process is interrupted while the server has sent half of the file and keeps it waiting."""
    halfway, release = threading.Event(), threading.Event()

    def dawdle(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(2 << 20))
        handler.end_headers()
        handler.wfile.write(bytes(1 << 20))
        handler.wfile.flush()
        halfway.set()
        release.wait(20)

    address = server.serve("/slow.zip", dawdle)
    code = "from spikylib.cli import main; main()"
    command = [sys.executable, "-c", code, "data", "fetch", "lastfm-2k", "--from", address]
    process = subprocess.Popen(
        [*command, "--data-home", str(tmp_path)], stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert halfway.wait(20)
        deadline = time.monotonic() + 10
        while not any(p.is_file() and p.stat().st_size for p in tmp_path.rglob("*")):
            assert time.monotonic() < deadline, "no part of the file was ever written"
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    finally:
        process.kill()
        release.set()
    assert process.returncode == 1
    assert "Aborted" in err and "Traceback" not in err
    assert tree(tmp_path) == []


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_holds_is_not(publish, tmp_path):
    publish(ARCHIVE)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    for number in (ended.pid, os.getpid(), "x"):
        (tmp_path / f"{_download._PREFIX}{number}-abc").mkdir()
        (tmp_path / f"{_download._PREFIX}{number}-abc" / "download").write_bytes(b"half of it")
    fetch("lastfm-2k", data_home=tmp_path)
    left = sorted(folder.name for folder in tmp_path.iterdir() if folder.name.startswith("."))
    assert left == sorted(f"{_download._PREFIX}{number}-abc" for number in (os.getpid(), "x"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_home_that_cannot_be_written_to(publish, tmp_path):
    publish(ARCHIVE)
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError):
        fetch("lastfm-2k", data_home=tmp_path / "home")


def test_two_processes_at_once_do_not_disturb_each_other(server, tmp_path):
    address = server.serve("/a.zip", whole(ARCHIVE))
    code = textwrap.dedent(f"""
        from dataclasses import replace
        from spikylib.datasets import fetch
        from spikylib.datasets._catalogue import DATASETS
        changes = {{"address": {address!r}, "checksum": {sha256(ARCHIVE)!r}}}
        DATASETS["lastfm-2k"] = replace(DATASETS["lastfm-2k"], **changes)
        print(len(fetch("lastfm-2k", data_home={str(tmp_path)!r})))
    """)
    runs = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    assert [run.communicate(timeout=60)[0].strip() for run in runs] == ["2", "2"]
    assert tree(tmp_path) == ["lastfm-2k", "lastfm-2k/artists.dat", "lastfm-2k/user_artists.dat"]


def test_files_that_appear_while_fetch_looks_are_returned(publish, tmp_path, monkeypatch):
    publish(ARCHIVE)

    def another_process_finishes_first(file, *_):
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")

    monkeypatch.setattr(_download, "_verify", another_process_finishes_first)
    assert len(fetch("lastfm-2k", data_home=tmp_path)) == 2

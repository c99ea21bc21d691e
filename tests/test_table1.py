"""Table 1 by one command, on files of the published forms from a server on loopback, against its definition."""

import gzip
import io
import json
import math
import signal
import subprocess
import sys
import tarfile
import textwrap
import threading
import zipfile
from collections import Counter
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from spikylib import synthetic
from spikylib._published import read_published, upper_triangle_svd
from spikylib.datasets._catalogue import DATASETS
from tools import table1

ROOT = Path(__file__).resolve().parents[1]


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, but for what is slow: half of that comes, and the rest never."""

    def do_GET(self):
        if not self.path.startswith("/slow"):
            return super().do_GET()
        self.send_response(200)
        self.send_header("Content-Length", str(2 << 20))
        self.end_headers()
        self.wfile.write(bytes(1 << 20))
        self.server.halfway.set()
        self.server.released.wait(30)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def contexts():
    """Items of each context, as text; one in three is shorter than five."""
    made = synthetic.clean_playlists(n_items=240, n_contexts=1500, n_communities=6, mean_length=9, seed=4)
    rows = sp.csr_array(made.matrix.T)
    items = [[str(i) for i in rows.indices[a:b]] for a, b in zip(rows.indptr, rows.indptr[1:])]
    return [row[: 4 if k % 3 == 0 else None] for k, row in enumerate(items)]


@pytest.fixture(scope="module")
def published(contexts, tmp_path_factory):
    """A folder with the four downloads in the form of their publishers."""
    folder = tmp_path_factory.mktemp("published")
    cut = len(contexts) // 2  # the publisher divides the playlists into two files
    members = {"train.txt": _cornell(contexts[:cut]), "test.txt": _cornell(contexts[cut:])}
    members["song_hash.txt"] = "".join(f"{i}\tsong {i}\tartist\n" for i in range(240))
    _tar(folder / "dataset.tar.gz", {f"dataset/yes_complete/{name}": text for name, text in members.items()})

    playlists = [{"mix_id": k, "filtered_lists": [row[:2], row[2:]]} for k, row in enumerate(contexts)]
    other = {"category": "", "playlist": [], "timestamp": "2005-03-27T10:53:00", "user": {"name": "x"}}
    text = json.dumps([other | playlist for playlist in playlists])
    (folder / "aotm2011_playlists.json.gz").write_bytes(gzip.compress(text.encode()))

    rows = [(k, item) for k, row in enumerate(contexts) for item in row]
    plays = "".join(f"{k:040x}\tmbid-{item}\tartist {item}\t3\n" for k, item in rows)
    name = "lastfm-dataset-360K/usersha1-artmbid-artname-plays.tsv"
    _tar(folder / "lastfm-dataset-360K.tar.gz", {name: plays})

    ratings = "userId,movieId,rating,timestamp\n" + "".join(f"{k + 1},{i},4.0,1147880044\n" for k, i in rows)
    movies = "movieId,title,genres\n" + "".join(f'{i},"Film, the {i}",Drama\n' for i in range(240))
    with zipfile.ZipFile(folder / "ml-25m.zip", "w") as archive:
        archive.writestr("ml-25m/ratings.csv", ratings)
        archive.writestr("ml-25m/movies.csv", movies)
    return folder


def _cornell(contexts):
    """Source ids, plays of each, then a playlist a line with a space at its end."""
    plays = Counter(item for row in contexts for item in row)
    rows = [map(str, range(240)), (str(plays[str(i)]) for i in range(240)), *contexts]
    return "".join(" ".join(row) + " \n" for row in rows)


def _tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, text in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


@pytest.fixture
def server(published, monkeypatch):
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=published))
    server.halfway, server.released = threading.Event(), threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield server
    server.released.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def publisher(server, monkeypatch):
    """The catalogue, with this server for the publishers', and without their checksums."""
    for name in table1.NO_ACCOUNT:
        file = DATASETS[name].address.rpartition("/")[2]
        address = f"http://127.0.0.1:{server.server_port}/{file}"
        monkeypatch.setitem(
            DATASETS, name, replace(DATASETS[name], address=address, checksum=None, checks={})
        )


def literal_row(contexts, fewest, triangle):
    """Items and Spk by rank, by dense matrices and one peak at a time; no item has 2,000 neighbours here."""
    contexts = [row for row in contexts if len(row) >= fewest]
    X = np.zeros((240, len(contexts)))
    for k, row in enumerate(contexts):
        X[[int(item) for item in row], k] = 1
    order = list(dict.fromkeys(int(item) for row in contexts for item in row))
    X = X[order]
    C, count = X @ X.T, X.sum(axis=1)
    np.fill_diagonal(C, 0)
    C[C < 2] = 0
    with np.errstate(divide="ignore"):
        M = np.maximum(0, np.log(len(contexts) * C / np.outer(count, count)))
    if triangle:
        M = np.triu(M)
    U, s, _ = np.linalg.svd(M[M.any(axis=1)])
    return len(U), [literal_spk((U * s)[:, :f]) for f in (128, 64, 32, 16)]


def literal_spk(E):
    norm = np.linalg.norm(E, axis=1)
    captured, peaks = np.zeros(len(E), dtype=bool), 0
    for i in np.argsort(-norm):
        if not captured[i]:
            peaks += 1
            captured |= E @ E[i] > 0.9 * norm * norm[i]
            captured[i] = True
            if captured.sum() >= 0.5 * len(E):
                return peaks / len(E)


def printed_rows(text):
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()[2:]]


def test_the_four_datasets_are_fetched_and_measured(contexts, publisher, tmp_path, capsys):
    assert table1.main(["--data-home", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    rows = printed_rows(out)
    found = read_published("table1")
    literal = [literal_row(contexts, fewest, triangle) for _, fewest, _, triangle in table1.SETTINGS]
    assert len({tuple(values) for _, values in literal}) == 4  # what is told apart here
    for k, (name, paper) in enumerate(zip(table1.NO_ACCOUNT, ["cornell-yes", *table1.NO_ACCOUNT[1:]])):
        *mine, published = rows[7 * k : 7 * k + 7]
        for row, (label, *_), (n, values) in zip(mine, table1.SETTINGS, literal, strict=True):
            assert row == [name, label, str(n), *(f"{100 * value:.2f}%" for value in values)]
        assert published[3:] == found.loc[paper, ["spk_128", "spk_64", "spk_32", "spk_16"]].to_list()
        assert f"{name}: factorising" in err
    assert "GiB at most" in err
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "aotm-2011",
        "cornell-yes",
        "lastfm-360k",
        "movielens-25m",
    ]


def test_a_server_that_says_no_stops_one_dataset_only(publisher, published, tmp_path, monkeypatch, capsys):
    missing = replace(DATASETS["aotm-2011"], address=DATASETS["aotm-2011"].address + "x")
    monkeypatch.setitem(DATASETS, "aotm-2011", missing)
    assert table1.main(["aotm-2011", "movielens-25m", "--data-home", str(tmp_path)]) == 1
    out, err = capsys.readouterr()
    assert "aotm-2011: failed: aotm-2011 could not be downloaded" in err and "404" in err
    assert [row[0] for row in printed_rows(out)] == ["aotm-2011", *["movielens-25m"] * 7]
    assert [file.name for file in tmp_path.iterdir()] == ["movielens-25m"]


def test_ctrl_c_half_way_leaves_no_file(server, tmp_path):
    code = textwrap.dedent(f"""
        import runpy, sys
        from dataclasses import replace
        from spikylib.datasets._catalogue import DATASETS
        address = "http://127.0.0.1:{server.server_port}/slow.gz"
        DATASETS["aotm-2011"] = replace(DATASETS["aotm-2011"], address=address)
        sys.argv = ["table1.py", "aotm-2011", "--data-home", {str(tmp_path / "home")!r}]
        runpy.run_path("tools/table1.py", run_name="__main__")
    """)
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert server.halfway.wait(60)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 1
    assert "Stopped. No file was left half-written." in err and "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_columns", [300, 280])
def test_released_factors_are_measured_as_they_are(tmp_path, capsys, n_columns):
    rng = np.random.default_rng(0)
    rays = np.repeat(rng.standard_normal((60, 128)), 5, axis=0) * rng.uniform(1, 2, (300, 1))
    U, s, _ = np.linalg.svd(rays, full_matrices=False)
    folder = tmp_path / "released" / "aotm"
    folder.mkdir(parents=True)
    np.save(folder / "U.npy", U)
    np.save(folder / "S.npy", s)
    np.save(folder / "V.npy", np.zeros((n_columns, 128)))
    assert table1.main(["released-aotm", "--data-home", str(tmp_path)]) == 0
    measured, published = printed_rows(capsys.readouterr().out)
    spk = [literal_spk((U * s)[:, :f]) for f in (128, 64, 32, 16)]
    assert spk[0] == 30 / 300  # half of the sixty rays
    assert measured[3:] == [f"{100 * value:.2f}%" for value in spk]
    form = "symmetric" if n_columns == 300 else "rows and columns indexed apart"
    assert measured[:3] == ["released-aotm", f"as released: V has {n_columns} rows, so {form}", "300"]
    assert published[2:] == ["27,241", "18.1%", "11.4%", "2.31%", "0.93%"]


def test_help_shows_examples_and_a_wrong_name_the_right_ones(capsys):
    with pytest.raises(SystemExit) as left:
        table1.main(["--help"])
    assert left.value.code == 0 and "make table1 N=" in capsys.readouterr().out
    with pytest.raises(SystemExit) as left:
        table1.main(["aotm"])
    assert left.value.code == 2 and "unknown dataset 'aotm'; choose from" in capsys.readouterr().err
    with pytest.raises(SystemExit):  # what is generated was published by nobody
        table1.main(["synthetic"])


def test_the_upper_triangle_is_that_of_the_dense_matrix():
    rng = np.random.default_rng(3)
    M = rng.random((40, 40)) * (rng.random((40, 40)) < 0.2)
    M = M + M.T
    M[7, 8:] = M[8:, 7] = 0  # item 7 has no later neighbour, so no row
    T = np.triu(M, k=1)
    rows = T.any(axis=1)
    U, s = upper_triangle_svd(sp.csr_array(M), 6, seed=1)
    expected = np.linalg.svd(T[rows])
    assert U.shape == (rows.sum(), 6) and not rows[7]
    np.testing.assert_allclose(s, expected.S[:6], rtol=1e-10)
    np.testing.assert_allclose(np.abs(U), np.abs(expected.U[:, :6]), atol=1e-8)
    with pytest.raises(ValueError, match=r"f must be between 1 and the .* dimensions .* got 40"):
        upper_triangle_svd(sp.csr_array(M), 40)


def test_the_triangle_of_a_community_has_a_harmonic_spectrum():
    """Whatever the popularity of its items: the law behind what spectra can and cannot show."""
    degree = np.random.default_rng(0).pareto(2.5, 3000) + 1
    _, s = upper_triangle_svd(sp.csr_array(np.outer(degree, degree)), 3)
    np.testing.assert_allclose(s / degree.dot(degree), 2 / math.pi / np.array([1, 3, 5]), rtol=0.02)


def test_the_published_spectra_are_whole():
    spectra = read_published("spectra").astype(float)
    assert spectra.shape == (3, 128) and set(spectra.index) < set(read_published("table1").index)
    assert (np.diff(spectra.to_numpy()) < 0).all()
    assert spectra.loc["cornell-yes", "1"] == 3898.162288

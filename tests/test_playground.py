"""The arithmetic of the book's pages in JavaScript, by Node, beside the library's: peaks and draws are the same."""

import json
import math
import platform
import shutil
import subprocess
from base64 import b64encode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spikylib import claims, datasets, nulls, retrieval, spikes, svd
from spikylib.datasets import Embeddings
from spikylib.dcbm import DCBM
from spikylib.report import _decide, _measure
from spikylib.study import Study

NODE = shutil.which("node")
CALL = Path(__file__).parent / "js" / "call.js"
pytestmark = pytest.mark.skipif(NODE is None, reason="no Node: install it (apt-get install nodejs)")


def node(*calls):
    """What functions of the pages return, each given as its name and arguments; matrices may be arrays."""
    done = subprocess.run(
        [NODE, CALL], input=json.dumps(calls, default=plain), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def plain(value):
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return {"data": value.ravel().tolist(), "n": len(value), "d": value.shape[1]}
    return value.tolist()


def array(matrix):
    return np.array(matrix["data"]).reshape(matrix["n"], matrix["d"])


class Generator:
    """The pages' generator: xoshiro128**, and normal numbers by Marsaglia's polar method."""

    def __init__(self, seed):
        self.state, self.spare = [], None
        for k in range(1, 5):
            x = (seed + k * 0x9E3779B9) & 0xFFFFFFFF
            x = (x ^ x >> 16) * 0x85EBCA6B & 0xFFFFFFFF
            x = (x ^ x >> 13) * 0xC2B2AE35 & 0xFFFFFFFF
            self.state.append(x ^ x >> 16)

    def bits(self):
        def turned(x, by):
            return (x << by | x >> 32 - by) & 0xFFFFFFFF

        a, b, c, d = self.state
        drawn = turned(b * 5 & 0xFFFFFFFF, 7) * 9 & 0xFFFFFFFF
        t = b << 9 & 0xFFFFFFFF
        c, d = c ^ a, d ^ b
        b, a = b ^ c, a ^ d
        self.state = [a, b, c ^ t, turned(d, 11)]
        return drawn

    def uniform(self):
        high = self.bits() >> 5
        return (high * 2**26 + (self.bits() >> 6)) / 2**53

    def normal(self):
        if self.spare is not None:
            kept, self.spare = self.spare, None
            return kept
        square = 0.0
        while not 0 < square < 1:
            x, y = 2 * self.uniform() - 1, 2 * self.uniform() - 1
            square = x * x + y * y
        by = math.sqrt(-2 * math.log(square) / square)
        self.spare = y * by
        return x * by

    def normals(self, n, f):
        return np.array([self.normal() for _ in range(n * f)]).reshape(n, f)


def rays(n, d, K, noise, seed):
    """Rows of random length near K random directions."""
    rng = np.random.default_rng(seed)
    direction = rng.standard_normal((K, d))[rng.integers(0, K, n)]
    return rng.uniform(0.1, 1, (n, 1)) * (direction + noise * rng.standard_normal((n, d)))


def tied(seed):
    """Rows that are permutations of one another, whose norms differ in nothing but the order of the sum."""
    rng = np.random.default_rng(seed)
    row = rng.uniform(0.1, 1, 13)
    return np.array([rng.permutation(row) for _ in range(200)])


def at_the_threshold():
    """Rows whose cosine with the first is 0.9, or the next floating-point number above or below it."""
    other = math.sqrt(1 - 0.9**2)
    near = [(np.nextafter(0.9, side), other) for side in (0, 1)]
    return np.array([(2.0, 0.0), (0.9, other), *near, (1.8, 2 * other), (0.0, 0.5), (0.01, 0.5)])


FIXTURES = {
    "rays": rays(300, 16, 5, 0.2, 0),
    "blurred rays": rays(400, 24, 12, 0.35, 1),
    "a cloud": nulls.gaussian(300, 8, seed=2),
    "a plane": nulls.gaussian(500, 2, seed=3),
    "one column": nulls.gaussian(50, 1, seed=4),
    "zero rows": np.where(np.arange(200)[:, None] % 3, rays(200, 6, 4, 0.1, 5), 0.0),
    "mostly zero rows": np.where(np.arange(90)[:, None] % 5, 0.0, rays(90, 5, 3, 0.1, 6)),
    "all but zero": np.where(np.arange(100)[:, None] % 2, 1e-10, 1.0) * rays(100, 7, 4, 0.1, 7),
    "repeated rows": np.repeat(rays(40, 9, 6, 0.3, 8), 5, axis=0),
    # einsum adds in another order on other processors, and so breaks such ties otherwise
    **({"tied norms": tied(9)} if platform.machine() in ("x86_64", "AMD64") else {}),
    "at the threshold": at_the_threshold(),
    "grid": np.stack(np.meshgrid(*[np.arange(-3.0, 4.0)] * 3), axis=-1).reshape(-1, 3),
    "small": 1e-200 * rays(60, 10, 3, 0.2, 10),
    "large": 1e200 * rays(60, 10, 3, 0.2, 11),
    "single precision": rays(300, 33, 8, 0.3, 12).astype(np.float32).astype(np.float64),
}


@pytest.mark.filterwarnings("ignore:only .* rows have a norm above zero", "ignore:nearly all rows")
def test_peaks_captives_and_spk_are_those_of_the_library():
    asked = [
        (name, f, cos_theta, rho)
        for name, E in FIXTURES.items()
        for f in {E.shape[1], max(1, E.shape[1] // 2)}
        for cos_theta, rho in ((0.9, 0.5), (0.7, 1.0), (0.99, 0.9))
    ]
    found = node(
        *(
            ("cover", FIXTURES[name], {"f": f, "cosTheta": cos_theta, "rho": rho})
            for name, f, cos_theta, rho in asked
        )
    )
    for (name, f, cos_theta, rho), page in zip(asked, found, strict=True):
        cover = spikes.cover(FIXTURES[name], f=f, cos_theta=cos_theta, rho=rho)
        assert page["peaks"] == cover.peaks.tolist(), (name, f, cos_theta, rho)
        assert page["spike"] == cover.spike.tolist(), (name, f, cos_theta, rho)
        assert page["captured"] == cover.captured.tolist(), (name, f, cos_theta, rho)
        assert len(page["peaks"]) / len(page["spike"]) == cover.spk


def test_a_cover_stops_above_its_limit():
    cloud = FIXTURES["a cloud"]
    (cut,) = node(("cover", cloud, {"limit": 10}))
    assert len(cut["peaks"]) > 10 and cut["peaks"] == spikes.cover(cloud).peaks[: len(cut["peaks"])].tolist()


def test_rows_without_a_direction_are_refused():
    (page,) = node(("cover", np.zeros((3, 2))))
    assert page == {"error": "every row is zero: there is no direction to measure"}


@pytest.mark.parametrize("seed", [0, 7, 2**31 - 1])
def test_the_generator_draws_what_its_twin_draws(seed):
    (drawn,) = node(("draws", seed, 999))
    twin = Generator(seed)
    assert drawn["uniform"] == [twin.uniform() for _ in range(999)]
    assert np.allclose(drawn["normal"], [twin.normal() for _ in range(999)], rtol=1e-12, atol=0)


def test_uniform_and_normal_numbers_are_what_they_are_called():
    from scipy.stats import kstest

    (drawn,) = node(("draws", 1, 20_000))
    assert kstest(drawn["uniform"], "uniform").pvalue > 0.001
    assert kstest(drawn["normal"], "norm").pvalue > 0.001


@pytest.mark.parametrize("name", ["rays", "blurred rays", "a cloud", "zero rows", "repeated rows"])
def test_draws_of_the_baselines_agree_and_so_do_their_peaks(name):
    E = FIXTURES[name]
    (page,) = node(("nulls", E, 3))
    page = {null: array(rows) for null, rows in page.items()}
    drawn = Generator(3).normals(*E.shape)
    Q, R = np.linalg.qr(drawn)
    s = np.linalg.svd(E, compute_uv=False)
    variance, axes = np.linalg.eigh(np.cov(E, rowvar=False, bias=True))
    twin = {
        "gaussian": drawn,
        "same spectrum": Q * np.sign(np.diag(R)) * s,
        "like-normal": drawn @ (axes * np.sqrt(np.maximum(variance, 0))) @ axes.T + E.mean(axis=0),
    }
    assert page.keys() == twin.keys()
    for null, rows in twin.items():
        assert np.allclose(page[null], rows, rtol=0, atol=1e-12 * np.abs(rows).max()), null
        (cover,) = node(("cover", rows, {}))
        assert cover["peaks"] == spikes.cover(rows).peaks.tolist()
        assert len(cover["peaks"]) == len(spikes.cover(page[null]).peaks)


CATALOGUES = [
    {"K": 1, "spread": 1.0, "within": 0.8, "between": 0.0, "noise": 0.0},
    {"K": 5, "spread": 1.0, "within": 0.8, "between": 0.1, "noise": 0.05},
    {"K": 4, "spread": 0.0, "within": 0.8, "between": 0.1, "noise": 0.0},
    {"K": 6, "spread": 0.7, "within": 0.05, "between": 0.6, "noise": 0.02},
    {"K": 3, "spread": 0.5, "within": 0.0, "between": 0.0, "noise": 0.3},
    {"K": 5, "spread": 1.0, "within": 0.4, "between": 0.4, "noise": 0.0},
    {"K": 5, "spread": 1.0, "within": 0.0, "between": 0.0, "noise": 0.0},
]


@pytest.mark.parametrize("settings", CATALOGUES)
def test_a_catalogue_and_its_embedding_are_those_of_the_model(settings):
    n, f = 120, 7
    (page,) = node(("catalogue", settings | {"n": n, "seed": 5}))
    M, community, degree = array(page["M"]), np.array(page["community"]), np.array(page["degree"])
    twin, size = Generator(5), np.bincount(community)
    assert len(size) == settings["K"] and (np.diff(community) >= 0).all() and (np.diff(size) <= 0).all()
    assert degree.tolist() == [1 - 0.9 * settings["spread"] * twin.uniform() for _ in range(n)]
    affinity = np.full((len(size), len(size)), settings["between"])
    np.fill_diagonal(affinity, settings["within"])
    mean = DCBM(community, affinity, degree).mean()
    noise = np.zeros((n, n))
    if settings["noise"]:
        noise[np.triu_indices(n)] = [twin.normal() for _ in range(n * (n + 1) // 2)]
        noise += np.triu(noise, 1).T
    assert np.allclose(M, mean + settings["noise"] * noise, rtol=0, atol=1e-12)

    (found,) = node(("spectrum", M, f))
    values, vectors = np.array(found["values"]), array(found["vectors"])
    assert node(("rank", {"values": found["values"]})) == [min(f, np.linalg.matrix_rank(M))]
    expected = np.linalg.eigvalsh(M)
    assert np.allclose(np.abs(values), np.sort(np.abs(expected))[::-1][:f], rtol=0, atol=1e-12 * n)
    assert np.abs(M @ vectors - vectors * values).max() < 1e-12 * n
    assert np.abs(vectors.T @ vectors - np.eye(f)).max() < 1e-12
    assert (vectors[np.abs(vectors).argmax(axis=0), np.arange(f)] > 0).all()
    # where no eigenvalue repeats or vanishes there is one embedding, and one set of peaks
    if settings["noise"] and np.diff(np.sort(np.abs(expected))[::-1][: f + 1]).max() < -1e-6:
        E = svd.truncated_svd(M, f).embeddings(0.5)
        (page_E,) = node(("embedding", {"values": found["values"], "vectors": vectors}, f, 0.5))
        assert np.allclose(array(page_E), E, rtol=0, atol=1e-9)
        assert spikes.cover(array(page_E)).peaks.tolist() == spikes.cover(E).peaks.tolist()


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_neighbours_are_those_of_the_library(similarity):
    asked = [
        (name, item) for name in ("rays", "zero rows", "repeated rows", "grid", "small") for item in (0, 11)
    ]
    found = node(*(("neighbours", FIXTURES[name], item, 12, similarity) for name, item in asked))
    for (name, item), page in zip(asked, found, strict=True):
        lists, _ = retrieval.top_k(FIXTURES[name], [item], 12, similarity=similarity, exclude_self=True)
        assert page == lists[0].tolist(), (name, item)


OWN = {
    "spiky": rays(600, 40, 12, 0.15, 20),
    "at one rank": rays(300, 20, 9, 0.1, 21) * np.r_[np.ones(16), np.full(4, 0.01)],
    "a cloud": nulls.gaussian(250, 33, seed=22),
    "an offset": 5 + nulls.gaussian(250, 18, seed=23),
    "one long row": np.vstack([rays(200, 17, 6, 0.1, 24), np.full((1, 17), 500.0)]),
    "copies": np.repeat(rays(100, 18, 7, 0.3, 25), 3, axis=0),
    "at three ranks": rays(300, 70, 9, 0.1, 31),
    "hardly spikes": rays(300, 20, 30, 0.55, 32),
    "narrow": rays(100, 5, 3, 0.1, 26),
    "few rows": nulls.gaussian(12, 20, seed=28),
    "more dimensions than rows": rays(20, 40, 4, 0.1, 29),
    "many rows": rays(10_500, 16, 12, 0.1, 27),
}


def null_spk(page):
    """The table of baselines that a study has, with the draws of the page."""
    n, ranks = page["read"]["n"], page["ranks"]
    rows = [{"null": null} | {r["f"]: r["lowest"][null] / n for r in ranks} for null in ranks[0]["lowest"]]
    return pd.DataFrame(rows).assign(first=np.nan, last=np.nan)


@pytest.mark.parametrize("name", OWN)
def test_an_embedding_gets_the_peaks_and_the_sentence_of_a_report(name):
    E = OWN[name]
    study = Study(embeddings=Embeddings(np.arange(len(E)), E))
    read = _measure.what_was_read(study, _measure.names_of(study))
    (page,) = node(("analysis", E, [str(i) for i in range(len(E))]))
    assert {rank["f"]: rank["peaks"] for rank in page["ranks"]} == {
        rank["f"]: len(study.cover(rank["f"]).peaks) for rank in page["ranks"]
    }
    largest = _measure.largest_spikes(study, page["ranks"][0]["f"], _measure.names_of(study))
    assert page["spikes"] == largest
    # the library's draws are others: both judge by those of the page
    study.__dict__["null_spk"] = null_spk(page)
    _, sentence = _decide.verdict(study, claims.check("P1", study))
    assert page["verdict"] == " ".join(filter(None, [sentence, _decide.cautions(study, read)]))


def files(folder):
    """Files that people have, and those that are refused with what is said of them."""
    E = rays(30, 6, 3, 0.2, 30).astype(np.float32)
    ids = np.array([f"item {i}" for i in range(30)])
    rows = [" ".join([f"w{i}", *map(str, row)]) for i, row in enumerate(E)]
    comma = [",".join([f'"song, {i}"', *map(str, row)]) for i, row in enumerate(E)]
    cells = [",".join([f"s{i}", *map(str, row)]) for i, row in enumerate(E)]
    title = "id," + ",".join(f"d{k}" for k in range(6))
    np.save(folder / "float32.npy", E)
    np.save(folder / "float64.npy", E.astype(np.float64))
    np.save(folder / "fortran.npy", np.asfortranarray(E))
    np.save(folder / "big-endian.npy", E.astype(">f8"))
    np.save(folder / "half.npy", np.vstack([E, [[6e-8, 1e-5, 0, -65504, 1e-4, -0.1]]]).astype(np.float16))
    np.save(folder / "bytes.npy", (50 * E).astype(np.int8))
    np.save(folder / "long.npy", (50 * E).astype(np.int64))
    np.savez(folder / "stored.npz", vectors=E, ids=ids)
    np.savez_compressed(folder / "deflated.npz", vectors=E, ids=np.arange(30) * 7)
    (folder / "counted.vec").write_text("\n".join(["30 6", *rows]))
    (folder / "glove.txt").write_text("\n".join(rows) + "\n")
    (folder / "spaced.txt").write_text("\n".join(["30 6", *(row.replace("w", "two words ") for row in rows)]))
    (folder / "table.csv").write_text("\n".join([title, *cells]))
    (folder / "quoted.csv").write_text("\n".join([title, *comma]))
    (folder / "numbered.csv").write_text("\n".join([title, *(row.replace("s", "") for row in cells)]))
    (folder / "semicolons.csv").write_text("\n".join([title, *cells]).replace(",", ";"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("files")
    files(made)
    return made


def test_files_are_read_as_by_the_library(folder):
    paths = sorted(folder.iterdir())
    found = node(*(("file", path.name, b64encode(path.read_bytes()).decode()) for path in paths))
    for path, page in zip(paths, found, strict=True):
        assert "error" not in page, page
        made = datasets.read_embeddings(path)
        assert np.allclose(array(page["E"]), made.vectors, rtol=1e-6, atol=0), path.name
        assert page["names"] == [str(i) for i in made.ids], path.name


BAD = {
    "objects.npy": (lambda path: np.save(path, np.array([{}, 1]), allow_pickle=True), "not a plain array"),
    "flat.npy": (lambda path: np.save(path, np.ones(5)), "shape (5)"),
    "complex.npy": (lambda path: np.save(path, np.ones((5, 2), complex)), "astype('float32')"),
    "nan.npy": (lambda path: np.save(path, [[1.0, 2.0], [3.0, np.nan]]), "NaN at row 1, column 1"),
    "two.npz": (lambda path: np.savez(path, U=np.eye(3), V=np.eye(3)), "several matrices (U, V)"),
    "none.npz": (lambda path: np.savez(path, s=np.ones(3)), "no matrix"),
    "plays.csv": (lambda path: path.write_text("user,item\n1,2\n2,3\n2,4\n"), "who played what"),
    "words.csv": (
        lambda path: path.write_text("id,a,b\nx,1.5,2.5\ny,1.5,oops\n"),
        "'oops', which is not a number",
    ),
    "ragged.csv": (lambda path: path.write_text("id,a,b\nx,1.5,2.5\ny,1.5\n"), "row 1 has 2 cells"),
    "labels.csv": (lambda path: path.write_text("a,b,tag\n1.5,2.5,rock\n1.5,0.5,jazz\n"), "ends in 'rock'"),
    "cut.vec": (lambda path: path.write_text("3 2\na 1 2\nb 3 4\n"), "promises 3 vectors and contains 2"),
    "empty.csv": (lambda path: path.write_text(""), "is empty"),
    "table.parquet": (lambda path: path.write_bytes(b"PAR1"), "spiky report reads more"),
}


def test_what_cannot_be_read_is_refused_in_words(tmp_path):
    for name, (write, _) in BAD.items():
        write(tmp_path / name)
    found = node(*(("file", name, b64encode((tmp_path / name).read_bytes()).decode()) for name in BAD))
    for (name, (_, said)), page in zip(BAD.items(), found, strict=True):
        assert said in page.get("error", ""), (name, page.get("error"))
        assert name in page["error"]


def test_a_file_cut_short_is_refused(folder):
    for name in ("float32.npy", "stored.npz"):
        whole = (folder / name).read_bytes()
        (page,) = node(("file", name, b64encode(whole[: len(whole) // 2]).decode()))
        assert "cut short" in page["error"]


def test_a_damaged_file_is_read_or_refused_by_name(folder):
    rng, damaged = np.random.default_rng(0), []
    for path in sorted(folder.iterdir()):
        for _ in range(30):
            data = bytearray(path.read_bytes())
            for at in rng.integers(min(200, len(data)), size=2):
                data[at] = rng.integers(256)
            if rng.random() < 0.3:
                del data[rng.integers(1, len(data)) :]
            damaged.append((path.name, b64encode(data).decode()))
    found = node(*(("file", *file) for file in damaged))
    for (name, _), page in zip(damaged, found, strict=True):
        assert "error" not in page or name in page["error"], (name, page)
    assert sum("is damaged" in page.get("error", "") for page in found) > 20

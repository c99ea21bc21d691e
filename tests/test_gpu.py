"""The stages on a GPU: the same code, and the same answers.

`make test` runs them with CuPy's interface on NumPy (:mod:`cupy_on_numpy`), `make gpu` with CuPy itself.
"""

import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from click.testing import CliRunner
from cupy_on_numpy import MEMORY, modules

from spikylib import datasets, ppmi, report, retrieval, spikes, svd, synthetic
from spikylib._device import on_gpu, to_gpu
from spikylib.cli import main
from spikylib.datasets._catalogue import DATASETS
from spikylib.study import Study

X = synthetic.playlists(n_items=400, n_contexts=1500, seed=0).matrix
M, _ = ppmi.ppmi_matrix(X)


@pytest.fixture
def numpy_for_cupy(monkeypatch):
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setitem(MEMORY, "free", 2**30)


@pytest.fixture(params=["numpy", pytest.param("cupy", marks=pytest.mark.gpu)])
def gpu(request):
    if request.param == "numpy":
        request.getfixturevalue("numpy_for_cupy")


@pytest.mark.parametrize("keep", ["mutual", "either", "later"])
@pytest.mark.parametrize(("top_k", "shift"), [(2000, 0.0), (20, 0.0), (20, 0.7)])
def test_the_matrix_is_the_same(gpu, keep, top_k, shift):
    expected, kept = ppmi.ppmi_matrix(X, keep=keep, top_k=top_k, shift=shift)
    found, kept_there = ppmi.ppmi_matrix(to_gpu(X), keep=keep, top_k=top_k, shift=shift)
    assert on_gpu(found) and X.indices.dtype == np.int64 and found.indices.dtype == np.int32
    found = found.get()
    assert (kept_there == kept).all()
    counts = ppmi.cooccurrence(to_gpu(X), keep=keep, top_k=top_k).get()
    assert (counts != ppmi.cooccurrence(X, keep=keep, top_k=top_k)).nnz == 0
    assert (found.indptr == expected.indptr).all() and (found.indices == expected.indices).all()
    assert np.abs(found.data - expected.data).max() < 1e-12


def test_a_full_matrix_of_interactions_is_taken(gpu):
    found, _ = ppmi.ppmi_matrix(to_gpu(X.toarray().astype(np.int8)))
    assert np.abs(found.get() - M).max() < 1e-12


# 600: more than a third of the rows, which is decomposed whole
@pytest.mark.parametrize(("f", "tol"), [(16, 1e-10), (64, 1e-6), (64, 1e-8), (600, 1e-10)])
def test_the_svd_is_the_same(gpu, f, tol):
    made = synthetic.playlists(n_items=900, n_contexts=6000, seed=1).matrix
    A, _ = ppmi.ppmi_matrix(made)
    expected, found = (svd.truncated_svd(a, f, tol=tol) for a in (A, to_gpu(A)))
    assert on_gpu(found.U) and on_gpu(found.V) and on_gpu(found.embeddings())
    assert found.residuals.max() <= tol * found.s[0]
    assert np.abs(found.s - expected.s).max() <= 2 * tol * expected.s[0]
    block = found.reconstruct(np.arange(5), np.arange(9)).get()
    assert np.allclose(block, expected.reconstruct(np.arange(5), np.arange(9)), atol=10 * tol * expected.s[0])
    largest = np.abs(found.U.get()).argmax(axis=0)
    assert (found.U.get()[largest, np.arange(f)] > 0).all()
    assert np.abs(found.U.get().T @ found.U.get() - np.eye(f)).max() < 1e-9


def test_a_matrix_out_of_scale_and_one_that_is_not_symmetric(gpu):
    found = svd.truncated_svd(to_gpu(M * 1e200), 8)
    assert np.allclose(found.s / 1e200, svd.truncated_svd(M, 8).s)
    with pytest.raises(ValueError, match="not symmetric"):
        svd.truncated_svd(to_gpu(sp.csr_array(sp.triu(M))), 8)
    with pytest.raises(ValueError, match="in memory"):
        svd.truncated_svd(to_gpu(M), 8, solver="randomized")


def rows(kind):
    rng = np.random.default_rng(0)
    if kind == "spikes":
        return svd.truncated_svd(M, 64).embeddings()
    if kind == "many":  # more than a block, some of them again, some without a direction
        E = rng.standard_normal((6000, 12))
        E[4000:5000], E[:5] = 2 * E[2000:3000], 0
        return E
    # integers whose cosines with others are exactly 0.6 and 0.8
    E = rng.integers(-1, 2, (600, 2)) @ np.array([[3, 4], [-4, 3]]) * rng.integers(1, 4, (600, 1))
    return np.hstack([E, np.zeros((600, 1), int)]) * (1e-180 if kind == "tiny" else 1)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", ["spikes", "many", "exact", "tiny"])
@pytest.mark.parametrize("cos_theta", [0.6, 0.8, 0.9])
def test_peaks_are_the_same(gpu, kind, cos_theta):
    E = rows(kind)
    expected, found = (spikes.cover(e, cos_theta=cos_theta, rho=0.95) for e in (E, to_gpu(E)))
    for name in ("peaks", "spike", "captured"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    grid = [1, E.shape[1]], [cos_theta], [0.3, 0.9]
    assert np.array_equal(spikes.peaks(to_gpu(E), *grid), spikes.peaks(E, *grid))


@pytest.mark.parametrize("kind", ["spikes", "many", "exact", "tiny"])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_lists_are_the_same_ties_too(gpu, kind, similarity):
    E = rows(kind)
    asked = np.arange(0, len(E), 7)
    for how in ({}, {"exclude_self": True}, {"candidates": np.arange(1, len(E), 2)}):
        for k in (3, np.int64(60)):
            expected, found = (
                retrieval.top_k(e, asked, k, similarity=similarity, **how) for e in (E, to_gpu(E))
            )
            assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])
    vectors = E[:9] + E[20:29]
    expected = retrieval.top_k(E, vectors, 5, similarity=similarity)
    for queries in (vectors, to_gpu(vectors)):
        found = retrieval.top_k(to_gpu(E), queries, 5, similarity=similarity)
        assert np.array_equal(found[0], expected[0]) and np.array_equal(found[1], expected[1])


@pytest.mark.parametrize("free", [2**17, 2**20])
def test_the_size_of_a_block_changes_nothing(numpy_for_cupy, monkeypatch, free):
    there, expected = to_gpu(X), ppmi.ppmi_matrix(X, top_k=20)[0]
    E = rows("many")
    cover, lists = spikes.cover(E, rho=0.9), retrieval.top_k(E, np.arange(300), 60)
    monkeypatch.setitem(MEMORY, "free", free)
    assert np.abs(ppmi.ppmi_matrix(there, top_k=20)[0].get() - expected).max() < 1e-12
    assert np.allclose(svd.truncated_svd(to_gpu(M), 32).s, svd.truncated_svd(M, 32).s)
    assert np.array_equal(spikes.cover(to_gpu(E), rho=0.9).spike, cover.spike)
    assert np.array_equal(retrieval.top_k(to_gpu(E), np.arange(300), 60)[0], lists[0])


def test_what_does_not_fit_is_tried_in_half_the_size_and_then_named(numpy_for_cupy, monkeypatch):
    E = rows("many")
    expected, there = spikes.cover(E, rho=0.9), to_gpu(E)
    monkeypatch.setitem(MEMORY, "free", 2**26)
    # half of what is free takes all rows at once: their products with 256 peaks are 6 MB
    for fits, runs in ((5_000_000, True), (2**10, False)):
        monkeypatch.setitem(MEMORY, "largest", fits)
        if runs:
            assert np.array_equal(spikes.cover(there, rho=0.9).peaks, expected.peaks)
        else:
            with pytest.raises(
                MemoryError, match=r"rows with peaks does not fit the GPU, where 0\.1 of 0\.1 GB"
            ):
                spikes.cover(there, rho=0.9)


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(ValueError, match=r'pip install "spikylib\[gpu\]"'):
        Study.load("synthetic", device="gpu")
    refused = CliRunner().invoke(main, ["report", "synthetic", "--gpu"])
    assert refused.exit_code == 2 and "pip install" in refused.stderr
    cupy = modules()["cupy"]
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(cupy.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no CUDA GPU"):
        to_gpu(X)
    monkeypatch.setattr(cupy.cuda, "is_available", lambda: True)
    monkeypatch.setenv("CUPY_TF32", "1")
    with pytest.raises(ValueError, match="CUPY_TF32"):
        to_gpu(X)
    with pytest.raises(ValueError, match="device must be 'cpu' or 'gpu'"):
        Study.load("synthetic", device="cuda")


def numbers(value):
    """All numbers of a report, by where they stand; times of the machine left out."""
    if isinstance(value, dict):
        return {f"{k}.{p}": n for k, v in value.items() if k != "seconds" for p, n in numbers(v).items()}
    if isinstance(value, list):
        return {f"{k}.{p}": n for k, v in enumerate(value) for p, n in numbers(v).items()}
    return {"": value}


def test_a_report_is_the_same_and_made_on_the_gpu(gpu, monkeypatch):
    data = datasets.load("synthetic-clean", n_items=300, n_contexts=1000)
    expected = numbers(report.report(Study(data, f=16)).content)
    there = set()

    def noted(stage):
        def call(A, *arguments, **options):
            there.add((stage.__name__, on_gpu(A)))
            return stage(A, *arguments, **options)

        return call

    for module, name in ((ppmi, "ppmi_matrix"), (svd, "truncated_svd"), (spikes, "cover"), (spikes, "peaks")):
        monkeypatch.setattr(module, name, noted(getattr(module, name)))
    found = numbers(report.report(Study(data, f=16, device="gpu")).content)
    assert {(name, True) for name in ("ppmi_matrix", "truncated_svd", "cover", "peaks")} <= there
    # claims that look at other rows than the study's cover these in memory
    assert not {("ppmi_matrix", False), ("truncated_svd", False)} & there
    assert found.keys() == expected.keys()
    assert {
        place: (n, expected[place]) for place, n in found.items() if n != pytest.approx(expected[place])
    } == {}


def test_what_is_timed_are_the_stages(numpy_for_cupy, monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "benchmarks")
    import gpu

    found = gpu.measured(X, n_lists=20, k=5)
    E = svd.truncated_svd(M, 128).embeddings()
    assert found["peaks"] == {f: len(spikes.cover(E, f=f).peaks) for f in (128, 64, 32, 16)}
    assert (found["rows"], found["entries"]) == (M.shape[0], M.nnz)
    about = {"card": "a card", "day": "2026-11-27", "machine": "here", "tests": "41 passed in 20 s"}
    text = gpu.page(about | {"catalogues": {"made": found}})
    assert f"| entries of M | {M.nnz:,} |" in text and "a card" in text and "41 passed" in text
    for stage in ("to the card", "X to M", "M to E", "Spk@16", "20 lists of 5"):
        assert f"| {stage} (s) |" in text


@pytest.mark.gpu
@pytest.mark.parametrize("name", [*DATASETS])
def test_peaks_are_the_same_on_real_data(data_home, name):
    if not datasets.files(name, data_home):
        pytest.skip(f"no {name} in {data_home}, or generated data")
    E = Study.load(name, data_home=data_home).E
    for f in (16, 32, 64, 128):
        expected, found = (spikes.cover(e, f=min(f, E.shape[1])) for e in (E, to_gpu(E)))
        assert np.array_equal(found.spike, expected.spike)

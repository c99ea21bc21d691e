"""The stages on two worker processes: their definitions, the local results, and deaths on the way."""

import importlib.util
import json
import math
import os
import signal
import sys
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

distributed = pytest.importorskip("distributed")

import dask  # noqa: E402

from spikylib import _counts, _dask, cluster, ppmi, spikes, svd, synthetic  # noqa: E402

# workers that are copies of one process with the libraries loaded, and a death that is noticed soon
QUICK = {"distributed.worker.multiprocessing-method": "forkserver", "distributed.comm.timeouts.connect": "5s"}
TIGHT = 400 * 2**20  # bytes a worker may use; its libraries alone take half


@contextmanager
def two_workers(folder, memory):
    with (
        dask.config.set(QUICK),
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            dashboard_address=":0",
            local_directory=folder,
        ) as two,
        distributed.Client(two) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    with two_workers(tmp_path_factory.mktemp("workers"), 2**30) as client:
        yield client


@pytest.fixture(scope="module")
def playlists():
    return synthetic.clean_playlists(n_items=1500, n_contexts=3000, n_communities=20).matrix


@pytest.fixture(scope="module")
def local(playlists):
    M, kept = ppmi.ppmi_matrix(playlists)
    return M, kept, svd.truncated_svd(M, 24)


class Interrupted:
    """Calls `interrupt` before the results are gathered for the k-th time."""

    def __init__(self, monkeypatch, k, interrupt):
        self.left, self.interrupt, gather = k, interrupt, _dask.Work.gather

        def counting(work, futures):
            self.left -= 1
            if self.left == 0:
                self.interrupt()
            return gather(work, futures)

        monkeypatch.setattr(_dask.Work, "gather", counting)


@pytest.fixture
def own_workers(tmp_path):
    """Two workers of a test's own: it may be long until a dead one is replaced."""
    with two_workers(tmp_path, 2**30) as client:
        yield client


@pytest.fixture
def killed(own_workers, monkeypatch):
    """A function after which a worker is killed at the k-th gather, while tasks are with it."""
    victim = min(own_workers.run(os.getpid).values())
    dead = []

    def kill_worker():
        os.kill(victim, signal.SIGKILL)
        dead.append(victim)

    yield lambda k: Interrupted(monkeypatch, k, kill_worker)
    assert dead == [victim], "no worker was killed"
    assert victim not in own_workers.run(os.getpid, on_error="ignore").values()


def test_no_partition_is_empty(client):
    # five items alone in their contexts, then two that share theirs
    X = sp.csr_array(([1] * 9, ([0, 1, 2, 3, 4, 5, 5, 6, 6], [0, 1, 2, 3, 4, 5, 6, 5, 6])), shape=(7, 9))
    M, kept = cluster.ppmi_matrix(X, client)
    assert kept.tolist() == [5, 6]
    assert (np.diff(M.edges) > 0).all()
    np.testing.assert_allclose(M.gather().toarray(), math.log(9 / 2) * (1 - np.eye(2)))


def same_matrix(M, expected):
    assert (M.indptr == expected.indptr).all() and (M.indices == expected.indices).all()
    np.testing.assert_allclose(M.data, expected.data, rtol=1e-15)


@pytest.mark.parametrize(("min_count", "top_k"), [(2, 12), (1, 2000)])
def test_ppmi_is_that_of_one_machine(client, playlists, min_count, top_k):
    expected, kept = ppmi.ppmi_matrix(playlists, min_count=min_count, top_k=top_k)
    M, found = cluster.ppmi_matrix(playlists, client, min_count=min_count, top_k=top_k)
    assert (found == kept).all()
    assert len(M.parts) == 2
    same_matrix(M.gather(), expected)


class Cramped(_dask.Work):
    """Workers that can hold 1,000 interactions, and 2,500 pairs to a task."""

    def __init__(self, client):
        super().__init__(client)
        self.room, self.memory = 4 * 8 * 1000, 2500 * _counts.PAIR_BYTES


def test_files_that_no_worker_can_hold(client, playlists, tmp_path, monkeypatch):
    monkeypatch.setattr(cluster, "Work", Cramped)
    monkeypatch.setattr(cluster, "_BYTES", 320)
    playlists = playlists[:500]
    expected, kept = ppmi.ppmi_matrix(playlists, top_k=12)
    with pytest.raises(ValueError, match=r"X takes .* more than a quarter .* pass their paths"):
        cluster.ppmi_matrix(playlists, client)
    paths = []
    for k, a in enumerate(range(0, playlists.shape[1], 1000)):
        part = playlists[:, a : a + 1000]
        paths.append(tmp_path / f"{k}.npz")
        sp.save_npz(paths[-1], part.tocsc() if k else part, compressed=bool(k))
    M, found = cluster.ppmi_matrix(paths, client, top_k=12)
    assert (found == kept).all()
    assert len(M.parts) > 4, "partitions of M are small where memory is"
    same_matrix(M.gather(), expected)


def test_parquet_files(client, playlists, tmp_path):
    import pandas as pd

    expected, kept = ppmi.ppmi_matrix(playlists)
    item, context = playlists.nonzero()
    paths = []
    for third in range(3):
        mine = context % 3 == third
        table = pd.DataFrame({"item": item[mine], "context": context[mine] + 10**12})
        paths.append(str(tmp_path / f"{third}.parquet"))
        pd.concat([table, table[:5]]).to_parquet(paths[-1])  # a repeated pair counts once
    M, found = cluster.ppmi_matrix(paths, client)
    assert (found == kept).all()
    same_matrix(M.gather(), expected)


def test_bad_files_are_named(client, tmp_path):
    import pandas as pd

    sp.save_npz(tmp_path / "a.npz", sp.csc_array(np.ones((4, 2))))
    sp.save_npz(tmp_path / "b.npz", sp.csc_array(np.ones((3, 2))))
    sp.save_npz(tmp_path / "empty.npz", sp.csc_array((4, 2)))
    pd.DataFrame({"item": [-1], "context": [0]}).to_parquet(tmp_path / "c.parquet")
    for names, error, message in (
        (["a.npz", "b.npz"], ValueError, r"b\.npz has 3 items where another file has 4"),
        (["empty.npz"], ValueError, "contain no interactions"),
        (["c.parquet"], ValueError, "integers from 0"),
        (["d.csv"], ValueError, r"d\.csv is neither"),
        (["e.npz"], FileNotFoundError, r"e\.npz"),
    ):
        with pytest.raises(error, match=message):
            cluster.ppmi_matrix([tmp_path / name for name in names], client)


def test_bad_interactions_are_named(client):
    with pytest.raises(ValueError, match="top_k must be at least 1, got 0"):
        cluster.ppmi_matrix(np.ones((2, 2)), client, top_k=0)
    with pytest.raises(ValueError, match="two-dimensional"):
        cluster.ppmi_matrix(np.ones(3), client)
    with pytest.raises(ValueError, match="no pair of items is left"):
        cluster.ppmi_matrix(np.array([[1, 1, 0, 0], [1, 0, 1, 0]]), client, min_count=1)
    with pytest.raises(TypeError, match=r"must be a distributed\.Client, got str"):
        cluster.ppmi_matrix(np.ones((2, 2)), "tcp://127.0.0.1:8786")


def decaying(n, seed, rate=0.8):
    """Symmetric, with eigenvalues 1, -0.8, 0.64 ... in random directions."""
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, 40)))[0]
    return (Q * (-rate) ** np.arange(40)) @ Q.T


def gathered(result):
    return svd.TruncatedSVD(result.U.gather(), result.s, result.V.gather(), result.residuals)


def test_svd_is_the_svd(client):
    M = decaying(1010, seed=3)
    result = cluster.truncated_svd(cluster.partition_rows(M, client, 2), client, f=13)
    np.testing.assert_allclose(result.s, 0.8 ** np.arange(13), rtol=1e-10)
    assert result.residuals.max() <= 1e-10
    whole = gathered(result)
    np.testing.assert_allclose(np.sum(whole.U * whole.V, axis=0), [1, -1] * 6 + [1])
    by_column = np.linalg.norm(M @ whole.V - whole.U * whole.s, axis=0)
    np.testing.assert_allclose(result.residuals, by_column, atol=1e-14)
    np.testing.assert_allclose(whole.U.T @ whole.U, np.eye(13), atol=1e-12)
    largest = whole.U[np.argmax(np.abs(whole.U), axis=0), np.arange(13)]
    assert (largest > 0).all()


def test_svd_is_that_of_one_machine(client, playlists, local):
    expected = local[2]
    parts, _ = cluster.ppmi_matrix(playlists, client)
    result = cluster.truncated_svd(parts, client, f=24)
    np.testing.assert_allclose(result.s, expected.s, rtol=1e-12)
    whole = gathered(result)
    np.testing.assert_allclose(whole.U, expected.U, atol=1e-8)
    np.testing.assert_allclose(whole.V, expected.V, atol=1e-8)
    np.testing.assert_allclose(result.embeddings().gather(), whole.embeddings(), rtol=1e-15)
    np.testing.assert_allclose(result.embeddings(0.5).gather(), whole.embeddings(0.5), rtol=1e-15)
    np.testing.assert_array_equal(result.leading(5).U.gather(), whole.U[:, :5])


def test_small_matrices_are_factorised_by_the_client(client):
    M = sp.block_diag([[[0, 1], [1, 0]], [[0, 2], [2, 0]]])
    result = gathered(cluster.truncated_svd(cluster.partition_rows(M, client, 3), client, f=4))
    expected = svd.truncated_svd(M, f=4)
    assert result.s.tolist() == expected.s.tolist()
    assert (result.U == expected.U).all() and (result.V == expected.V).all()


def test_a_large_matrix_of_small_rank_and_short_partitions(client):
    x = np.random.default_rng(0).standard_normal((1010, 3))
    M = cluster.partition_rows(x @ x.T, client, 2)
    # a partition of fewer rows than a block has columns
    top, rest = (client.submit(cut, M.parts[0]) for cut in (first_three, after_three))
    M = cluster.RowPartitions((top, rest, M.parts[1]), np.array([0, 3, 505, 1010]), M.shape)
    result = cluster.truncated_svd(M, client, f=10)
    np.testing.assert_allclose(result.s[:3], np.linalg.svd(x, compute_uv=False) ** 2, rtol=1e-10)
    np.testing.assert_allclose(result.s[3:] / result.s[0], 0, atol=1e-12)
    U = result.U.gather()
    np.testing.assert_allclose(U.T @ U, np.eye(10), atol=1e-8)


def first_three(rows):
    return rows[:3]


def after_three(rows):
    return rows[3:]


def test_repeated_eigenvalues_are_all_found(client):
    # eleven times each, more often than a block is wide
    M = sp.csr_array(sp.block_diag([decaying(95, seed=6)] * 11))
    expected = [1] * 11 + [0.8] * 5
    r = cluster.truncated_svd(cluster.partition_rows(M, client, 2), client, f=16)
    np.testing.assert_allclose(r.s, expected, rtol=1e-9)


def test_bad_matrices_are_named(client):
    def factorise(A, f=1, **options):
        return cluster.truncated_svd(cluster.partition_rows(A, client, 2), client, f, **options)

    good = decaying(1010, seed=1)
    one_sided, unknown = good.copy(), good.copy()
    one_sided[1000, 3] += 0.01
    unknown[5, 5] = np.nan
    for M, message in (
        (one_sided, "not symmetric"),
        (unknown, "NaN or infinity"),
        (sp.csr_array((1010, 1010)), "zero everywhere"),
        (np.ones((2, 3)), r"square matrix, got shape \(2, 3\)"),
    ):
        with pytest.raises(ValueError, match=message):
            factorise(M)
    with pytest.raises(ValueError, match="f must be between 1 and the 1010 rows of M, got 0"):
        factorise(good, 0)
    with pytest.raises(ArithmeticError, match=r"above tol=1\.0e-30"):
        factorise(good, 2, tol=1e-30)


def same_cover(found, expected):
    assert found.peaks.tolist() == expected.peaks.tolist()
    assert (found.spike == expected.spike).all()
    assert found.captured.tolist() == expected.captured.tolist()


@pytest.mark.parametrize("rho", [0.3, 1])
def test_cover_of_ties_and_zero_rows_is_that_of_one_machine(client, rho):
    # whole numbers: equal norms, opposite rows, cosines of exactly 0.8, and rows of zero
    E = np.random.default_rng(4).integers(-2, 3, size=(80, 3)).astype(float)
    E[[3, 50]] = 0
    E[70:72] = [[3, 4, 0], [0, 5, 0]]
    parts = cluster.partition_rows(E, client, 3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = cluster.cover(parts, client, cos_theta=0.8, rho=rho)
        same_cover(found, spikes.cover(E, cos_theta=0.8, rho=rho))
    assert len(caught) == (2 if rho == 1 else 0)
    assert all("rows have a norm above zero" in str(w.message) for w in caught)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_cover_is_that_of_one_machine(client, scale):
    rng = np.random.default_rng(0)
    rays = rng.standard_normal((700, 20))
    E = rays[rng.integers(0, 700, 5000)] + 0.3 * rng.standard_normal((5000, 20))
    E = (E * np.exp(rng.standard_normal(5000))[:, None] * scale).astype(
        np.float32 if scale == 1 else np.float64
    )
    parts = cluster.partition_rows(E, client)
    same_cover(
        cluster.cover(parts, client, rho=0.9, cos_theta=0.85), spikes.cover(E, rho=0.9, cos_theta=0.85)
    )
    same_cover(cluster.cover(parts, client, f=5), spikes.cover(E, f=5))


def test_bad_embeddings_are_named(client):
    E = np.ones((9, 2))
    E[7, 1] = np.inf
    with pytest.raises(ValueError, match="E contains inf at row 7, column 1"):
        cluster.cover(cluster.partition_rows(E, client, 2), client)
    with pytest.raises(ValueError, match="every row of E is zero"):
        cluster.cover(cluster.partition_rows(np.zeros((4, 2)), client), client)
    good = cluster.partition_rows(np.ones((4, 2)), client)
    for options, message in (
        ({"f": 3}, "f must be between 1 and the 2 columns of E, got 3"),
        ({"cos_theta": 1}, "cos_theta .* got 1"),
        ({"rho": 0}, "rho must be above 0 .* got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            cluster.cover(good, client, **options)
    with pytest.raises(ValueError, match=r"non-empty matrix, got shape \(0, 2\)"):
        cluster.partition_rows(np.ones((0, 2)), client)
    with pytest.raises(ValueError, match="n_partitions must be between 1 and the 4 rows of A, got 5"):
        cluster.partition_rows(np.ones((4, 2)), client, 5)


def test_large_matrices_go_in_pieces(client):
    dense = np.arange(3_000_000.0).reshape(-1, 2)
    assert (cluster.partition_rows(dense, client, 1).gather() == dense).all()
    sparse = sp.random_array((500, 5000), density=0.5, rng=0, format="csr")
    assert (cluster.partition_rows(sparse, client, 1).gather() != sparse).nnz == 0


def test_a_worker_killed_while_counting(own_workers, playlists, local, killed):
    killed(1)
    M, kept = cluster.ppmi_matrix(playlists, own_workers)
    assert (kept == local[1]).all()
    same_matrix(M.gather(), local[0])


def test_a_worker_killed_while_factorising(own_workers, playlists, local, killed):
    M, _ = cluster.ppmi_matrix(playlists, own_workers)
    killed(25)
    result = cluster.truncated_svd(M, own_workers, f=24)
    assert result.residuals.max() <= 1e-10 * result.s[0]
    np.testing.assert_allclose(result.U.gather(), local[2].U, atol=1e-8)


def test_a_worker_killed_while_covering(own_workers, local, killed):
    E = local[2].embeddings()
    parts = cluster.partition_rows(E, own_workers)
    killed(3)
    same_cover(cluster.cover(parts, own_workers, rho=0.9), spikes.cover(E, rho=0.9))


@pytest.mark.parametrize("stage", ["ppmi", "svd", "cover"])
def test_an_interrupt_leaves_no_task(client, playlists, local, monkeypatch, stage):
    M, _, whole = local
    parts = cluster.partition_rows(whole.U if stage == "cover" else M, client, 2)
    distributed.wait(parts.parts)
    mine = client.run_on_scheduler(wanted_by_clients)
    Interrupted(monkeypatch, 2 if stage == "cover" else 1, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(KeyboardInterrupt) as caught:
        if stage == "ppmi":
            cluster.ppmi_matrix(playlists, client)
        elif stage == "svd":
            cluster.truncated_svd(parts, client, f=24)
        else:
            cluster.cover(parts, client)
    for _ in range(200):  # withdrawals travel on their own
        wanted = client.run_on_scheduler(wanted_by_clients)
        if wanted <= mine:
            break
        client.run(int)
    assert wanted <= mine, "only the caller's matrix is left"
    assert parts.gather().shape == parts.shape, "and it is there"
    assert caught.tb is not None, "the frames of the failed call were alive all along"


def wanted_by_clients(dask_scheduler):
    """Keys that some client still holds; also those of earlier tests, until Python collects them."""
    return {key for key, task in dask_scheduler.tasks.items() if task.who_wants}


def highest_memory():
    """Most memory that this process ever had, bytes."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return 1024 * int(status["VmHWM"].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_stays_under_the_limit(tmp_path):
    """The counts, 32 million of 8 bytes, are more than a worker has free; none is ended for that."""
    n, m, length = 6000, 6000, 120
    items = np.concatenate([np.random.default_rng(k).permutation(n)[:length] for k in range(m)])
    X = sp.csc_array((np.ones(m * length), items, np.arange(0, m * length + 1, length)), shape=(n, m))
    with two_workers(tmp_path, TIGHT) as client:
        before = client.run(os.getpid)
        M, _ = cluster.ppmi_matrix(X, client, min_count=6)
        assert sum(client.gather(client.map(count_entries, M.parts))) > 100_000
        assert client.run(os.getpid) == before, "no worker was ended for its memory"
        assert max(client.run(highest_memory).values()) < TIGHT


def count_entries(part):
    return part.nnz


def test_dask_knows_the_size_of_sparse_matrices(client, local):
    M = local[0]
    parts = cluster.partition_rows(M, client, 1)
    distributed.wait(parts.parts)
    held = client.nbytes(summary=False)[parts.parts[0].key]
    assert M.data.nbytes + M.indices.nbytes <= held < 1.1 * (M.data.nbytes + M.indices.nbytes) + 10_000


ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as when it is run: it imports from beside it
    spec = importlib.util.spec_from_file_location("cluster_benchmark", ROOT / "benchmarks" / "cluster.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_the_numbers_of_the_last_run(benchmark, tmp_path, monkeypatch):
    stored = ROOT / "book" / "results" / "cluster"
    found = json.loads((stored / "run.json").read_text(encoding="utf-8"))
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path)
    benchmark._write_page(found)
    assert (tmp_path / "tables.md").read_text() == (stored / "tables.md").read_text()
    assert found["projection"] == benchmark._projection(found)


def test_the_crossover_lies_between_the_sizes_that_hold_it(benchmark):
    rows = [
        {"asked": n, "items": n, "setup": setup}
        | dict.fromkeys(("ppmi", "svd", "spikes", "seconds"), seconds)
        for n, one, two in ((100, 1, 2), (10_000, 8, 4))
        for setup, seconds in (("one core", one), ("2 workers", two))
    ]
    found = benchmark._crossovers(rows)["svd"]
    assert found["ratio"] == [2, 0.5]
    assert found["crossing"] == pytest.approx(1000)  # halfway on both logarithmic scales
    never = benchmark._crossovers([row | {"svd": 1.0} for row in rows])["svd"]
    assert never["crossing"] is None

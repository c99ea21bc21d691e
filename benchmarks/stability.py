"""Time and memory of the stability curves, and of a warm start of the SVDs behind them.

    python benchmarks/stability.py curves            # paper's size: 1.5 M items, two dates
    python benchmarks/stability.py warm              # twelve windows, each SVD cold and warm

`curves` compares :func:`spikylib.stability.curves` with the method of the script published with
the paper: for blocks of ten queries the scores of all candidates of the part, a partial sort of
each row, then the intersection of Python sets. Each runs in a process of its own on the same two
files of single-precision rows; the time includes reading them, and the memory is the highest
resident size of the process.

`warm` measures the processor time of four ways to factorise the windows of one history; the residual
says which of them reach the bound of the library.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from measuring import table

BOUND = 1e-10  # residual, as a share of sigma_1: that of spikylib.svd


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    sizes = commands.add_parser("curves")
    sizes.add_argument("--items", type=int, default=1_500_000)
    sizes.add_argument("--queries", type=int, default=1000)
    sizes.add_argument("--k", type=int, default=500)
    sizes.add_argument("--folder", type=Path, help="where two files of 512 bytes an item fit")
    warm = commands.add_parser("warm")
    warm.add_argument("--windows", type=int, default=12)
    warm.add_argument("--items", type=int, default=20_000)
    warm.add_argument("--f", type=int, default=128)
    one = commands.add_parser("one")
    one.add_argument("job")
    options = parser.parse_args()
    if options.command == "one":
        print(json.dumps(run(**json.loads(options.job))))
    elif options.command == "curves":
        compare_curves(options)
    else:
        compare_starts(options)


def compare_curves(options):
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        write_arrays(Path(folder), options.items)
        rows = []
        for name, method in (("`curves`", "spikylib"), ("published script's method", "published")):
            job = {"method": method, "folder": folder, "n_queries": options.queries, "k": options.k}
            call = [sys.executable, __file__, "one", json.dumps(job)]
            found = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
            remark = f"overlap by part {', '.join(f'{x:.3f}' for x in found['overlap'])}"
            rows.append((name, found["seconds"], found["megabytes"], remark))
        table(f"Stability of {options.items:,} x 128, two dates, cosine", rows)


def write_arrays(folder, n_items, dim=128, n_communities=400):
    """Two dates of single-precision rows on spikes of varying norm, with noise."""
    rng = np.random.default_rng(0)
    peaks = rng.standard_normal((n_communities, dim)).astype(np.float32)
    peaks /= np.linalg.norm(peaks, axis=1, keepdims=True)
    community = rng.integers(0, n_communities, n_items)
    norm = rng.lognormal(0, 1, n_items).astype(np.float32)
    for date in ("2022-05-21", "2023-04-29"):
        E = np.lib.format.open_memmap(folder / f"{date}.npy", "w+", np.float32, (n_items, dim))
        for a in range(0, n_items, 50_000):
            rows = slice(a, a + 50_000)
            signal = peaks[community[rows]] * norm[rows, None]
            E[rows] = signal + 0.03 * rng.standard_normal(signal.shape, dtype=np.float32)
        E.flush()


def run(method, folder, n_queries, k):
    paths = sorted(Path(folder).glob("*.npy"))
    start = time.perf_counter()
    if method == "spikylib":
        from spikylib.stability import curves

        arrays = {path.stem: np.load(path) for path in paths}
        snapshots = {date: SimpleNamespace(ids=np.arange(len(E)), vectors=E) for date, E in arrays.items()}
        overlap = curves(snapshots, k=k, n_queries=n_queries, similarity="cosine")["overlap"].to_list()
    else:
        overlap = published_method(paths, n_queries, k)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    return {"seconds": seconds, "megabytes": peak, "overlap": overlap}


def published_method(paths, n_queries, k, n_parts=5, block=10):
    """Overlap by part, the way of the published script: full score rows, argpartition, sets.

    The queries are those of spikylib where the parts divide evenly; each is in its own list here.
    """
    rng = np.random.default_rng(0)
    order = np.argsort(np.sqrt(np.square(np.load(paths[0])).sum(axis=1)))
    size = len(order) // n_parts
    parts = [np.sort(order[p * size : (p + 1) * size]) for p in range(n_parts)]
    queries = [rng.choice(size, n_queries, replace=False) for _ in parts]
    tops = []
    for path in paths:
        E = np.load(path)
        E = E / np.sqrt(np.square(E).sum(axis=1, keepdims=True))
        tops.append([])
        for part, chosen in zip(parts, queries):
            F, sets = E[part], []
            for a in range(0, n_queries, block):
                scores = F[chosen[a : a + block]] @ F.T
                sets.extend(set(row.tolist()) for row in np.argpartition(scores, -k, axis=1)[:, -k:])
            tops[-1].append(sets)
    return [float(np.mean([len(a & b) / k for a, b in zip(*pair)])) for pair in zip(*tops)]


def compare_starts(options):
    from spikylib.ppmi import ppmi_matrix
    from spikylib.stability import windows
    from spikylib.synthetic import drifting_playlists

    data = drifting_playlists(n_items=options.items, n_contexts=5 * options.items, n_communities=200)
    for kind in ("cumulative", "sliding"):
        cut = windows(data, options.windows, kind=kind).values()
        matrices = [
            (part.items["id"].to_numpy()[kept], M) for part in cut for M, kept in [ppmi_matrix(part.matrix)]
        ]
        rows = []
        for name, solve in STARTS.items():
            seconds, worst, before = [], 0.0, None
            for ids, M in matrices:
                guess = None if before is None else carried(before, ids)
                start = time.process_time()
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # LOBPCG warns at length that it did not converge
                    d, P = solve(M, options.f, guess)
                seconds.append(time.process_time() - start)
                worst, before = max(worst, largest_residual(M, d, P)), (ids, P)
            remark = f"first {seconds[0]:.2f} s, largest residual {worst:.0e} sigma_1"
            rows.append((name, np.median(seconds[1:]), float("nan"), remark))
        table(f"Later SVDs of {options.windows} {kind} windows, processor time", rows)


def carried(before, ids):
    """Rows of the previous eigenvectors for these ids; zero for the new ones."""
    import pandas as pd

    row = pd.Index(before[0]).get_indexer(ids)
    return np.where((row >= 0)[:, None], before[1][row], 0.0)


def cold(M, f, guess):
    return lanczos(M, f, np.random.default_rng(0).standard_normal(M.shape[0]))


def warm_vector(M, f, guess):
    return cold(M, f, None) if guess is None else lanczos(M, f, guess.sum(axis=1))


def lanczos(M, f, start):
    from scipy.sparse.linalg import eigsh

    for tol in (1e-7, 1e-10):
        d, P = eigsh(M, k=f, which="LM", v0=start, tol=tol)
        if largest_residual(M, d, P) <= BOUND:
            break
        start = P.sum(axis=1)
    return d, P


def largest_residual(M, d, P):
    return np.linalg.norm(M @ P - P * d, axis=0).max() / np.abs(d).max()


def warm_lobpcg(M, f, guess):
    """Locally optimal block conjugate gradients on M^2, from the previous subspace."""
    from scipy.sparse.linalg import LinearOperator, lobpcg

    if guess is None:
        return cold(M, f, None)
    n = M.shape[0]
    square = LinearOperator((n, n), matvec=lambda x: M @ (M @ x), matmat=lambda X: M @ (M @ X), dtype=float)
    _, P = lobpcg(square, fresh_rows(guess), largest=True, tol=1e-8, maxiter=60)
    return rayleigh_ritz(M, P, f)


def warm_subspace(M, f, guess):
    """Chebyshev-filtered subspace iteration from the previous subspace, until converged."""
    if guess is None:
        return cold(M, f, None)
    extra = np.random.default_rng(0).standard_normal((M.shape[0], f // 4))
    P = np.linalg.qr(np.column_stack([fresh_rows(guess), extra]))[0]
    d, P = rayleigh_ritz(M, P, P.shape[1])
    for _ in range(40):
        bound = np.abs(d).min()
        previous, P = P, M @ P / bound
        for _ in range(11):
            previous, P = P, 2 / bound * (M @ P) - previous
        d, P = rayleigh_ritz(M, np.linalg.qr(P)[0], P.shape[1])
        if largest_residual(M, d[:f], P[:, :f]) <= BOUND:
            break
    return d[:f], P[:, :f]


def fresh_rows(guess):
    """The guess with small random rows where an item is new, so that nothing is left out."""
    new = ~guess.any(axis=1)
    guess = guess.copy()
    guess[new] = 1e-3 * np.random.default_rng(1).standard_normal((new.sum(), guess.shape[1]))
    return np.linalg.qr(guess)[0]


def rayleigh_ritz(M, P, f):
    d, Q = np.linalg.eigh(P.T @ (M @ P))
    order = np.argsort(-np.abs(d))[:f]
    return d[order], P @ Q[:, order]


STARTS = {
    "Lanczos, random start": cold,
    "Lanczos, sum of the previous vectors": warm_vector,
    "LOBPCG from the previous subspace": warm_lobpcg,
    "Chebyshev subspace iteration from it": warm_subspace,
}


if __name__ == "__main__":
    main()

"""Time of the kernels at the sizes of the chapters, beside the plain way.

A row is the kernel's median time over the plain one's, both measured in turn. Run
``python benchmarks/small.py``; with ``OMP_NUM_THREADS=1`` for one thread.
"""

import statistics
import time

import click
import numpy as np
from scipy.sparse.linalg import eigsh

from spikylib import synthetic
from spikylib.ppmi import ppmi_matrix
from spikylib.retrieval import top_k
from spikylib.spikes import cover
from spikylib.svd import truncated_svd

SIZES = (1_000, 3_000, 5_000, 10_000, 20_000)


def medians(repeats, *functions):
    """Median seconds of each function, called in turn so that a busy moment meets all."""
    seconds = [[] for _ in functions]
    for _ in range(repeats):
        for function, times in zip(functions, seconds):
            start = time.perf_counter()
            function()
            times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in seconds]


def plain_top_k(E, queries, k, similarity):
    if similarity == "cosine":
        E = E / np.linalg.norm(E, axis=1, keepdims=True)
    scores = E[queries] @ E.T
    found = np.argpartition(scores, -k, axis=1)[:, -k:]
    best = np.take_along_axis(scores, found, axis=1)
    order = np.argsort(-best, axis=1)
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(best, order, axis=1)


def top_k_rows(repeats, rng):
    """Compare 1,000 queries with a matrix product, argpartition and sort in numpy."""
    for n in SIZES:
        E = rng.standard_normal((n, 128)) * np.exp(rng.standard_normal((n, 1)))
        queries = rng.choice(n, 1_000, replace=False)
        for k in (50, 100):
            for similarity in ("cosine", "dot"):
                ours, plain = medians(
                    repeats,
                    lambda E=E, q=queries, k=k, s=similarity: top_k(E, q, k, similarity=s),
                    lambda E=E, q=queries, k=k, s=similarity: plain_top_k(E, q, k, s),
                )
                yield f"`top_k`, {similarity}, k = {k}", n, ours, plain


def playlists_ppmi(n):
    data = synthetic.clean_playlists(n_items=n, n_contexts=2 * n, n_communities=max(10, n // 100))
    return ppmi_matrix(data.matrix)[0]


def svd_rows(repeats, rng):
    """Compare the SVD of a PPMI matrix with ARPACK by scipy's `eigsh`, at the same tolerance."""
    for n in SIZES:
        M = playlists_ppmi(n)
        for f in (128, 64):
            ours, plain = medians(
                repeats,
                lambda M=M, f=f: truncated_svd(M, f),
                lambda M=M, f=f: eigsh(M, f, tol=1e-10),
            )
            yield f"`truncated_svd`, f = {f}", n, ours, plain


def plain_cover(E, rho=0.5, cos_theta=0.9, size=256):
    """Peaks, by the products of all rows with `size` candidates at a time, in double precision."""
    norm = np.linalg.norm(E, axis=1)
    unit = E / norm[:, None]
    order = np.argsort(-norm, kind="stable")
    free, peaks = np.ones(len(E), dtype=bool), []
    while len(order):
        candidates, order = order[:size], order[size:]
        capture = unit @ unit[candidates].T > cos_theta
        for k, candidate in enumerate(candidates):
            if free[candidate]:
                peaks.append(candidate)
                free[candidate] = False
                free &= ~capture[:, k]
                if len(E) - np.count_nonzero(free) >= rho * len(E):
                    return np.array(peaks)
        order = order[free[order]]
    return np.array(peaks)


def cover_rows(repeats, rng):
    """Compare the cover of an SVD's embeddings with a plain loop over blocks of candidates."""
    for n in SIZES:
        E = truncated_svd(playlists_ppmi(n), 128).embeddings()
        for f in (128, 16):
            columns = np.ascontiguousarray(E[:, :f])
            if not np.array_equal(cover(columns).peaks, plain_cover(columns)):
                raise SystemExit(f"cover and the plain loop differ at n = {n}, f = {f}")
            ours, plain = medians(repeats, lambda E=columns: cover(E), lambda E=columns: plain_cover(E))
            yield f"`cover`, f = {f}", n, ours, plain


KERNELS = {"top_k": top_k_rows, "svd": svd_rows, "cover": cover_rows}


@click.command()
@click.argument("kernels", nargs=-1, type=click.Choice(list(KERNELS)))
@click.option("--repeats", default=9, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(kernels, repeats, seed):
    """Print one table of all kernels, or of those named."""
    click.echo("### Kernels at the sizes of the chapters, beside the plain way, on one thread\n")
    click.echo("| | items | seconds | plain | ratio |\n|---|---:|---:|---:|---:|")
    for kernel in kernels or KERNELS:
        for name, n, ours, plain in KERNELS[kernel](repeats, np.random.default_rng(seed)):
            click.echo(f"| {name} | {n:,} | {ours:.3g} | {plain:.3g} | {ours / plain:.2f} |")
    click.echo()


if __name__ == "__main__":
    main()

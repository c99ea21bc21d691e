"""Time and memory of Spk and of the SVD, each beside its peers in the same run.

    python benchmarks/pipeline.py spikes       # 200,000 and 1,000,000 rows, 400 planted spikes
    python benchmarks/pipeline.py svd          # a PPMI matrix of 60,000 items

`spikes` compares :func:`spikylib.spikes.cover` with what cannot be saved, the bare product in single
precision of the peaks, 256 at a time, with the rows that are still free; and with two loops that take
one peak at a time in double precision. The first multiplies the free rows with the peak, entry by
entry, and sums each row: the steps of the script released with the paper; it is slow, so it is
timed once. The second hands the same product to BLAS, as a careful user would. All must give
the same peaks.

`svd` compares :func:`spikylib.svd.truncated_svd` with scikit-learn's `randomized_svd`, defaults, and with
ARPACK by `eigsh` (largest magnitude, the same tolerance) and `svds`.
"""

import click
import numpy as np
import scipy.sparse as sp
from measuring import measure, table
from scipy.sparse.linalg import eigsh, svds
from sklearn.utils.extmath import randomized_svd

from spikylib import synthetic
from spikylib.ppmi import ppmi_matrix
from spikylib.spikes import cover
from spikylib.svd import truncated_svd


def published_loop(E, rho=0.5, cos_theta=0.9):
    norm = np.sqrt(np.sum(np.square(E), axis=1))
    order = np.argsort(-norm, kind="stable")
    unit = (E / norm[:, None])[order]
    captured = np.zeros(len(E), dtype=bool)
    peaks = []
    for k in range(len(E)):
        if captured[k]:
            continue
        captured[k] = True
        peaks.append(order[k])
        free = ~captured
        captured[free] = np.sum(unit[free] * unit[k], axis=1) > cos_theta
        if captured.sum() >= rho * len(E):
            break
    return np.array(peaks)


def blas_loop(E, rho=0.5, cos_theta=0.9):
    norm = np.linalg.norm(E, axis=1)
    order = np.argsort(-norm, kind="stable")
    captured = np.zeros(len(E), dtype=bool)
    peaks = []
    for k in order:
        if captured[k]:
            continue
        captured |= E @ E[k] > cos_theta * norm * norm[k]
        captured[k] = True
        peaks.append(k)
        if captured.sum() >= rho * len(E):
            break
    return np.array(peaks)


def planted(n, d, n_spikes, seed):
    """Rows around rays of equal size, with norms over two decades and a scatter of 14 degrees."""
    rng = np.random.default_rng(seed)
    rays = rng.standard_normal((n_spikes, d)) / np.sqrt(d)
    rows = rays[rng.integers(0, n_spikes, n)] + 0.25 * rng.standard_normal((n, d)) / np.sqrt(d)
    return rows * np.exp(rng.standard_normal(n))[:, None]


def bare_product(rows, cover):
    """The products of all peaks with the rows free at the first of each 256, in single precision."""
    for a in range(0, len(cover.peaks), 256):
        free = len(rows) - (cover.captured[a - 1] if a else 0)
        rows[:free] @ rows[cover.peaks[a : a + 256]].T


@click.group()
def main():
    """Run one comparison."""


@main.command()
@click.option("--n", default=[200_000, 1_000_000], multiple=True, show_default=True, help="Rows.")
@click.option("--d", default=128, show_default=True, help="Columns.")
@click.option("--n-spikes", default=400, show_default=True)
@click.option("--rho", default=0.99, show_default=True, help="Share to capture: nearly all planted spikes.")
@click.option("--repeats", default=5, show_default=True)
@click.option("--seed", default=0, show_default=True)
def spikes(n, d, n_spikes, rho, repeats, seed):
    """Spk beside the bare product and two loops."""
    for n_rows in n:
        E = planted(n_rows, d, n_spikes, seed).astype(np.float32)
        seconds, peak, ours = measure(lambda E=E: cover(E, rho=rho), repeats)
        rows = [("`cover`", seconds, peak, f"{len(ours.peaks)} peaks")]
        bare = measure(lambda E=E, c=ours: bare_product(E, c), repeats)
        rows.append(("bare product", *bare[:2], f"`cover` takes {seconds / bare[0]:.2f} times as long"))
        wide = E.astype(np.float64)
        loops = [("loop over peaks, BLAS", blas_loop, 1)]
        loops += [("published loop", published_loop, 1)] if n_rows <= 200_000 else []
        for name, loop, times in loops:
            took, held, peaks = measure(lambda loop=loop, E=wide: loop(E, rho=rho), times)
            same = "same peaks" if np.array_equal(peaks, ours.peaks) else "OTHER PEAKS"
            rows.append((name, took, held, same))
        table(f"Spk of {n_rows:,} x {d}, {n_spikes} planted spikes, rho = {rho}", rows)


@main.command()
@click.option("--n-items", default=60_000, show_default=True)
@click.option("--n-contexts", default=400_000, show_default=True)
@click.option("--f", default=128, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def svd(n_items, n_contexts, f, repeats, seed):
    """The converged SVD beside scikit-learn's and scipy's."""
    data = synthetic.clean_playlists(
        n_items=n_items, n_contexts=n_contexts, n_communities=300, mean_length=22, seed=seed
    )
    M, _ = ppmi_matrix(data.matrix)
    M = sp.csr_matrix(M)
    del data
    rows, exact = [], None
    for name, function, times in (
        ("`truncated_svd`, tol 1e-10", lambda: of(truncated_svd(M, f)), repeats),
        ("`truncated_svd`, tol 1e-5", lambda: of(truncated_svd(M, f, tol=1e-5)), repeats),
        ("scikit-learn `randomized_svd`", lambda: randomized_svd(M, f, random_state=seed), 1),
        ("scipy `eigsh`, tol 1e-10", lambda: pairs(*eigsh(M, f, tol=1e-10, rng=seed)), 1),
        ("scipy `svds`", lambda: svds(M, f, rng=seed), 1),
    ):
        seconds, peak, (u, s, vt) = measure(function, times)
        order = np.argsort(-s)
        u, s, vt = u[:, order], s[order], vt[order]
        exact = s if exact is None else exact
        worst = max(np.linalg.norm(M @ vt[k] - u[:, k] * s[k]) for k in range(f)) / s[0]
        remark = f"residual {worst:.0e}, s off by up to {np.abs(s / exact - 1).max():.0e}"
        rows.append((name, seconds, peak, remark))
    table(f"SVD, f = {f}, of a PPMI matrix of {M.shape[0]:,} rows and {M.nnz:,} entries", rows)


def of(svd):
    return svd.U, svd.s, svd.V.T


def pairs(d, P):
    """Singular triplets of eigenpairs."""
    return P, np.abs(d), (P * np.sign(d)).T


if __name__ == "__main__":
    main()

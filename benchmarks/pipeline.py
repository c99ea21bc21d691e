"""Time and memory of Spk and of the SVD, each beside its peers in the same run.

    python benchmarks/pipeline.py spikes       # 200,000 x 128, 400 planted spikes
    python benchmarks/pipeline.py svd          # a PPMI matrix of 60,000 items and some 7 M entries

`spikes` compares :func:`spikylib.spikes.cover` with two loops that take one peak at a time in
double precision. The first multiplies the rows still free with the peak, entry by entry, and sums
each row: the steps of the script released with the paper; it is slow, so it is timed once. The
second hands the same product to BLAS, as a careful user would. All three must give the same peaks.

`svd` compares :func:`spikylib.svd.truncated_svd` with scikit-learn's `randomized_svd`, defaults.
"""

import click
import numpy as np
from measuring import measure
from sklearn.utils.extmath import randomized_svd

from spikylib import datasets
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


def table(rows):
    """Print name, seconds, ratio to the first row, and peak allocation."""
    for name, seconds, peak, note in rows:
        click.echo(f"{name:32} {seconds:8.2f} s  {seconds / rows[0][1]:6.1f} x  {peak:7.0f} MB  {note}")


@click.group()
def main():
    """Run one comparison."""


@main.command()
@click.option("--n", default=200_000, show_default=True, help="Rows.")
@click.option("--d", default=128, show_default=True, help="Columns.")
@click.option("--n-spikes", default=400, show_default=True)
@click.option("--rho", default=0.99, show_default=True, help="Share to capture: nearly all planted spikes.")
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def spikes(n, d, n_spikes, rho, repeats, seed):
    """Spk beside the published loop and a BLAS loop."""
    E = planted(n, d, n_spikes, seed)
    click.echo(f"{n} x {d}, {n_spikes} planted spikes, rho = {rho}; median of {repeats}")
    ours = measure(lambda: cover(E, rho=rho).peaks, repeats)
    rows = [("spikylib.spikes.cover", *ours[:2], f"{len(ours[2])} peaks")]
    for name, loop, times in (("BLAS loop", blas_loop, repeats), ("published loop", published_loop, 1)):
        theirs = measure(lambda loop=loop: loop(E, rho=rho), times)
        same = "same peaks" if np.array_equal(theirs[2], ours[2]) else "OTHER PEAKS"
        rows.append((name, *theirs[:2], same))
    table(rows)


@main.command()
@click.option("--n-items", default=60_000, show_default=True)
@click.option("--n-contexts", default=400_000, show_default=True)
@click.option("--f", default=128, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def svd(n_items, n_contexts, f, repeats, seed):
    """The converged SVD beside scikit-learn's randomized one."""
    data = datasets.synthetic(
        n_items=n_items, n_contexts=n_contexts, n_communities=300, mean_length=25, seed=seed
    )
    M, _ = ppmi_matrix(data.matrix)
    click.echo(f"PPMI matrix of {M.shape[0]} items and {M.nnz} entries, f = {f}; median of {repeats}")
    ours = measure(lambda: truncated_svd(M, f), repeats)
    theirs = measure(lambda: randomized_svd(M, f, random_state=seed), repeats)
    u, s, vt = theirs[2]
    loose = np.linalg.norm(M @ vt.T - u * s, axis=0).max() / s[0]
    exact = ours[2]
    table(
        [
            ("spikylib.svd.truncated_svd", *ours[:2], f"residual {exact.residuals.max() / exact.s[0]:.0e}"),
            (
                "sklearn randomized_svd",
                *theirs[:2],
                f"residual {loose:.0e}, s off by up to {np.abs(s / exact.s - 1).max():.1%}",
            ),
        ]
    )


if __name__ == "__main__":
    main()

"""How the time of each stage grows: four sizes, and the exponent of the power law through them.

    python benchmarks/growth.py

Playlists, items and communities grow together for the first two stages, and rows for the others, so an
exponent of 1 means that each item costs the same whatever the catalogue's size.
"""

import click
import numpy as np
from measuring import measure
from pipeline import planted
from scipy.stats import linregress

from spikylib import consistency, datasets, stability, synthetic
from spikylib.ppmi import ppmi_matrix
from spikylib.retrieval import top_k
from spikylib.spikes import cover
from spikylib.svd import truncated_svd


def stages(size, seed):
    """(stage, its size in words, a function to time) at one size."""
    # as many communities at every size, and more than dimensions: the SVD depends on where the spectrum is cut
    X = synthetic.clean_playlists(
        n_items=size, n_contexts=5 * size, n_communities=400, mean_length=20, seed=seed
    ).matrix
    M, _ = ppmi_matrix(X)
    E = planted(8 * size, 128, 400, seed).astype(np.float32)
    later = E + 0.01 * np.random.default_rng(seed).standard_normal(E.shape, dtype=np.float32)
    ids = np.arange(len(E))
    snapshots = {
        "2022-01-01": datasets.Embeddings(ids, E),
        "2022-02-01": datasets.Embeddings(ids, later),
    }
    queries = np.arange(1000)
    return [
        ("X to M", X.nnz, "interactions", lambda: ppmi_matrix(X)),
        ("M to E, f = 128", M.nnz, "entries of M", lambda: truncated_svd(M, 128)),
        ("Spk, rho = 0.99", len(E), "rows", lambda: cover(E, rho=0.99)),
        ("top 500 of 1,000 queries", len(E), "rows", lambda: top_k(E, queries, 500)),
        ("stability, two dates", len(E), "rows", lambda: stability.curves(snapshots, similarity="cosine")),
        (
            "consistency, 100 subsets of 20",
            len(E),
            "rows",
            lambda: consistency.empirical(E, 20, n_subsets=100),
        ),
    ]


@click.command()
@click.option("--sizes", default=[8_000, 16_000, 32_000, 64_000], multiple=True, show_default=True)
@click.option("--repeats", default=2, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(sizes, repeats, seed):
    """Time each stage at every size and fit the exponent."""
    measured = {}
    for size in sizes:
        for stage, amount, unit, function in stages(size, seed):
            seconds = measure(function, repeats)[0]
            measured.setdefault((stage, unit), []).append((amount, seconds))
    click.echo("### Growth of time with size\n")
    click.echo("| stage | sizes | seconds | exponent |\n|---|---|---|---:|")
    for (stage, unit), points in measured.items():
        amount, seconds = np.array(points).T
        fit = linregress(np.log(amount), np.log(seconds))
        of = ", ".join(f"{a:,.0f}" for a in amount)
        took = ", ".join(f"{s:.2g}" for s in seconds)
        click.echo(f"| {stage} | {of} {unit} | {took} | {fit.slope:.2f} ± {fit.stderr:.2f} |")
    click.echo()


if __name__ == "__main__":
    main()

"""Time and memory of the consistency of average embeddings, computed and measured.

The closed form stands beside a literal reading of it: the j-th best member is retrieved if it beats
the (k - j + 1)-th best outsider, one adaptive quadrature over order statistics per j. The measured
score stands beside a loop that scores every item for every subset and sorts.
Run ``python benchmarks/consistency.py``; a smaller run: ``--items 10000``.
"""

import click
import numpy as np
from measuring import measure, table
from scipy import integrate, stats

from spikylib import consistency


def literal(n_items, dim, k):
    """The independent form for coordinates N(0, 1), from order statistics."""
    gap, spread = np.sqrt(dim / k), np.sqrt((k + 1) / k)
    total = 0.0
    for j in range(1, k + 1):
        outsider = stats.beta(k - j + 1, n_items - 2 * k + j)  # of its chance to be exceeded

        def integrand(u, j=j, outsider=outsider):
            t = stats.norm.isf(outsider.ppf(u))
            return stats.binom.sf(j - 1, k, stats.norm.sf((t - gap) / spread))

        total += integrate.quad(integrand, 0, 1, limit=200)[0]
    return total / k


def loop(E, k, n_subsets, seed):
    rng = np.random.default_rng(seed)
    shares = []
    for _ in range(n_subsets):
        subset = rng.choice(len(E), k, replace=False)
        nearest = np.argsort(-(E @ E[subset].mean(axis=0)))[:k]
        shares.append(len(np.intersect1d(nearest, subset)) / k)
    return float(np.mean(shares))


@click.command()
@click.option("--items", default=100_000, show_default=True)
@click.option("--dim", default=128, show_default=True)
@click.option("--subsets", default=100, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(items, dim, subsets, repeats, seed):
    """Compare the closed forms for several k, then the measured score at k = 20."""
    for k in (2, 20, 200):
        rows = []
        for name, function in (
            ("independent form", lambda k=k: consistency.theoretical(items, dim, k)),
            ("conditional form", lambda k=k: consistency.theoretical(items, dim, k, form="conditional")),
            ("literal quadratures", lambda k=k: literal(items, dim, k)),
        ):
            seconds, peak, value = measure(function, repeats)
            rows.append((name, seconds, peak, f"{value:.6f}"))
        table(f"Consistency of {k} of {items:,} items in {dim} dimensions, computed", rows)
    E = np.random.default_rng(seed).standard_normal((items, dim))
    rows = []
    for name, function in (
        ("`empirical`", lambda: consistency.empirical(E, 20, n_subsets=subsets, seed=seed).mean),
        ("loop over subsets", lambda: loop(E, 20, subsets, seed)),
    ):
        seconds, peak, value = measure(function, repeats)
        rows.append((name, seconds, peak, f"{value:.4f}"))
    table(f"Consistency of 20 of {items:,} items, {subsets} subsets measured", rows)


if __name__ == "__main__":
    main()

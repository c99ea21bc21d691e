"""Time and memory of exact top-k retrieval, beside the loop of the paper's release.

The published stability code multiplies ten queries at a time with all candidates and partitions
each row of scores. `published` does the same here, from its description; it returns the k best
unordered, so it does less. Run ``python benchmarks/retrieval.py``; a smaller run:
``python benchmarks/retrieval.py --candidates 30000``.
"""

import click
import numpy as np
from measuring import measure

from spikylib.retrieval import top_k


def published(E, queries, k, batch=10):
    indices = []
    for start in range(0, len(queries), batch):
        scores = E[queries[start : start + batch]] @ E.T
        indices.append(np.argpartition(scores, -k, axis=1)[:, -k:])
    return np.concatenate(indices)


@click.command()
@click.option("--candidates", default=300_000, show_default=True)
@click.option("--queries", default=1_000, show_default=True)
@click.option("--dim", default=128, show_default=True)
@click.option("--k", default=500, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(candidates, queries, dim, k, repeats, seed):
    """Compare on Gaussian rows with log-normal norms, in both precisions and similarities."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((candidates, dim)) * np.exp(rng.standard_normal((candidates, 1)))
    asked = rng.choice(candidates, queries, replace=False)
    click.echo(f"{queries} queries x {candidates} candidates x {dim} dimensions, k = {k}, {repeats} repeats")
    for dtype in (np.float64, np.float32):
        E = rows.astype(dtype)
        unit = E / np.linalg.norm(E, axis=1, keepdims=True)
        for similarity, theirs in (("cosine", unit), ("dot", E)):
            ours, our_peak, found = measure(
                lambda E=E, s=similarity: top_k(E, asked, k, similarity=s)[0], repeats
            )
            loop, loop_peak, expected = measure(lambda E=theirs: published(E, asked, k), repeats)
            shared = np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, expected)])
            click.echo(
                f"{np.dtype(dtype).name} {similarity:6}  top_k {ours:5.2f} s, {our_peak:4.0f} MB"
                f"   published loop {loop:5.2f} s, {loop_peak:4.0f} MB"
                f"   {loop / ours:4.1f} times faster, {shared:.4%} of the indices shared"
            )


if __name__ == "__main__":
    main()

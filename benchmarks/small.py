"""Time of the kernels at the sizes of the chapters, beside the plain way.

A row is the kernel's median time over the plain one's, both measured in turn. Run
``python benchmarks/small.py``; with ``OMP_NUM_THREADS=1`` for one thread.
"""

import statistics
import time

import click
import numpy as np

from spikylib.retrieval import top_k

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


@click.command()
@click.option("--repeats", default=9, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(repeats, seed):
    """Print one table of all kernels."""
    click.echo("### Kernels at the sizes of the chapters, beside the plain way\n")
    click.echo("| | items | seconds | plain | ratio |\n|---|---:|---:|---:|---:|")
    for name, n, ours, plain in top_k_rows(repeats, np.random.default_rng(seed)):
        click.echo(f"| {name} | {n:,} | {ours:.3g} | {plain:.3g} | {ours / plain:.2f} |")
    click.echo()


if __name__ == "__main__":
    main()

"""How far the kernels are from what this machine can do, both measured in one run.

    python benchmarks/limits.py

The machine adds two arrays that no cache holds (memory) and multiplies two dense matrices (products). A
kernel could not be faster than its bytes or its operations at that rate allow; the ratio is how much longer
it takes. The bytes of the SVD's product count a cache line for each entry of M, the row of the block that it
needs: less than 1 means that a cache had many of them.
"""

import click
import numpy as np
from measuring import fastest, measure, memory_rate, product_rate, sparse_product
from pipeline import planted

from spikylib import synthetic
from spikylib.ppmi import ppmi_matrix
from spikylib.retrieval import top_k
from spikylib.spikes import cover


@click.command()
@click.option("--rows", default=300_000, show_default=True, help="Of the embeddings.")
@click.option("--items", default=60_000, show_default=True, help="Of M.")
@click.option("--seed", default=0, show_default=True)
def main(rows, items, seed):
    """Print the rates of the machine, and each kernel beside its limit."""
    memory, products = memory_rate(), {dtype: product_rate(dtype) for dtype in (np.float32, np.float64)}
    click.echo("### Limits of the machine\n")
    click.echo(
        f"Memory: {memory / 1e9:.1f} GB a second. Dense products: {products[np.float32] / 1e9:.0f} G operations a "
        f"second in single precision, {products[np.float64] / 1e9:.0f} in double.\n"
    )
    click.echo("| | seconds | at the limit | ratio | limit |\n|---|---:|---:|---:|---|")

    def row(name, seconds, limit, of):
        click.echo(f"| {name} | {seconds:.3g} | {limit:.3g} | {seconds / limit:.2f} | {of} |")

    E = planted(rows, 128, 400, seed).astype(np.float32)
    seconds, _, found = measure(lambda: cover(E, rho=0.99), 3)
    free = [rows - (found.captured[a - 1] if a else 0) for a in range(0, len(found.peaks), 256)]
    compared = sum(n * len(found.peaks[256 * k : 256 * (k + 1)]) for k, n in enumerate(free))
    limit = 2 * 128 * compared / products[np.float32]
    row(f"`cover` of {rows:,} x 128, rho = 0.99", seconds, limit, "products, single")
    queries = np.arange(1000)
    for dtype, name in ((np.float32, "single"), (np.float64, "double")):
        wide = E.astype(dtype)
        seconds = fastest(lambda: top_k(wide, queries, 500), 3)  # noqa: B023
        limit = 2 * 128 * rows * len(queries) / products[dtype]
        row(f"`top_k`, 500 of {rows:,} x 128 for 1,000 queries", seconds, limit, f"products, {name}")
    X = synthetic.clean_playlists(
        n_items=items, n_contexts=400_000, n_communities=300, mean_length=22, seed=seed
    )
    M, _ = ppmi_matrix(X.matrix)
    for dtype, name in ((np.float32, "single"), (np.float64, "double")):
        found = sparse_product(M, dtype, memory)
        of = f"M ({M.nnz:,} entries) times {found['columns']} columns, {name}"
        row(of, found["seconds"], found["at_memory_rate"], f"memory, {found['bytes'] / 1e9:.2f} GB")
    click.echo()


if __name__ == "__main__":
    main()

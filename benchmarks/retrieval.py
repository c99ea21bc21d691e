"""Time and memory of exact top-k retrieval, beside the loop of the paper's release and two libraries.

The published stability code multiplies ten queries at a time with all candidates and partitions
each row of scores. `published` does the same here, from its description; it returns the k best
unordered, so it does less. The libraries are faiss (a flat index, single precision) and
implicit's `topk`. Run ``python benchmarks/retrieval.py``; a smaller run:
``python benchmarks/retrieval.py --candidates 30000``.
"""

import click
import faiss
import numpy as np
from implicit.cpu.topk import topk
from measuring import measure, table

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
    for dtype in (np.float64, np.float32):
        E = rows.astype(dtype)
        unit = E / np.linalg.norm(E, axis=1, keepdims=True)
        for similarity, theirs in (("cosine", unit), ("dot", E)):
            ways = [
                ("`top_k`", lambda E=E, s=similarity: top_k(E, asked, k, similarity=s)[0]),
                ("published loop", lambda E=theirs: published(E, asked, k)),
            ]
            if dtype == np.float32:
                index = faiss.IndexFlatIP(dim)
                index.add(theirs)
                ways += [
                    ("faiss flat index", lambda E=theirs, i=index: i.search(E[asked], k)[1]),
                    ("implicit `topk`", lambda E=theirs: topk(E, E[asked], k)[0]),
                ]
            out, lists = [], []
            for name, function in ways:
                seconds, peak, found = measure(function, repeats)
                lists.append(found)
                shared = np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, lists[0])])
                out.append((name, seconds, peak, f"{shared:.3%} of the indices shared"))
            table(
                f"Top {k} of {candidates:,} x {dim} for {queries:,} queries, "
                f"{similarity}, {np.dtype(dtype).name}",
                out,
            )


if __name__ == "__main__":
    main()

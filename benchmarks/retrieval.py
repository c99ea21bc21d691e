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

SIZES = ((1_000, 300_000, 128, 500), (20_000, 100_000, 64, 50))  # queries, candidates, dim, k


def published(E, queries, k, batch=10):
    indices = []
    for start in range(0, len(queries), batch):
        scores = E[queries[start : start + batch]] @ E.T
        indices.append(np.argpartition(scores, -k, axis=1)[:, -k:])
    return np.concatenate(indices)


def ways(E, queries, k, similarity):
    """Ours and, on rows that make their dot product the similarity, the others."""
    theirs = E / np.linalg.norm(E, axis=1, keepdims=True) if similarity == "cosine" else E
    yield "`top_k`", lambda: top_k(E, queries, k, similarity=similarity)[0]
    if E.dtype == np.float32:
        index = faiss.IndexFlatIP(E.shape[1])
        index.add(theirs)
        yield "faiss flat index", lambda: index.search(theirs[queries], k)[1]
        yield "implicit `topk`", lambda: topk(theirs, theirs[queries], k)[0]
    if len(queries) <= 1_000:
        yield "published loop", lambda: published(theirs, queries, k)


@click.command()
@click.option("--candidates", type=int, help="Of the first size, alone.  [default: both sizes]")
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(candidates, repeats, seed):
    """Compare on Gaussian rows with log-normal norms, in both precisions and similarities."""
    rng = np.random.default_rng(seed)
    sizes = SIZES if candidates is None else [(SIZES[0][0], candidates, *SIZES[0][2:])]
    for n_queries, n, dim, k in sizes:
        rows = rng.standard_normal((n, dim)) * np.exp(rng.standard_normal((n, 1)))
        queries = rng.choice(n, n_queries, replace=False)
        # many queries only beside the libraries, which take single precision
        for dtype in (np.float64, np.float32) if n_queries <= 1_000 else (np.float32,):
            for similarity in ("cosine", "dot"):
                out, ours = [], None
                for name, function in ways(rows.astype(dtype), queries, k, similarity):
                    seconds, peak, found = measure(function, 1 if name == "published loop" else repeats)
                    ours = found if ours is None else ours
                    shared = np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(found, ours)])
                    out.append((name, seconds, peak, f"{shared:.3%} of the indices shared"))
                table(
                    f"Top {k} of {n:,} x {dim} for {n_queries:,} queries, {similarity}, {np.dtype(dtype).name}",
                    out,
                )


if __name__ == "__main__":
    main()

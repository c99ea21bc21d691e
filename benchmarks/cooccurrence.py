"""PPMI from interactions, beside the same in SQL, and beside what a user would put together.

    python benchmarks/cooccurrence.py

The paper's pipeline counts pairs in a data warehouse; `warehouse` does so in DuckDB, from the
definition: a join of the interactions with themselves, a rank in each row, a join for the mutual
neighbours. `whole_product` forms X X' at once with scipy and then filters it. `sparse_dot_topn`
keeps the highest counts of each row in C++; where counts tie its choice is its own, so its
matrix may differ.
"""

import click
import duckdb
import numpy as np
import pandas as pd
import scipy.sparse as sp
from measuring import measure, table
from sparse_dot_topn import sp_matmul_topn

from spikylib import synthetic
from spikylib.ppmi import ppmi_matrix

SQL = """
WITH pairs AS (
    SELECT a.item AS i, b.item AS j, count(*) AS c
    FROM x AS a JOIN x AS b ON a.context = b.context AND a.item <> b.item
    GROUP BY 1, 2 HAVING count(*) >= $min_count),
ranked AS (SELECT i, j, c, row_number() OVER (PARTITION BY i ORDER BY c DESC, j) AS place FROM pairs),
size AS (SELECT item, count(*) AS c FROM x GROUP BY 1)
SELECT a.i, a.j, ln($contexts * a.c / (p.c * q.c)) AS m
FROM ranked AS a JOIN ranked AS b ON a.i = b.j AND a.j = b.i
JOIN size AS p ON p.item = a.i JOIN size AS q ON q.item = a.j
WHERE a.place <= $top_k AND b.place <= $top_k AND $contexts * a.c > p.c * q.c
"""


def warehouse(x, contexts, min_count=2, top_k=2000):
    with duckdb.connect() as db:
        db.register("x", x)
        return db.execute(SQL, {"min_count": min_count, "top_k": top_k, "contexts": contexts}).fetchnumpy()[
            "m"
        ]


def whole_product(X, min_count=2, top_k=2000):
    C = sp.csr_array(X @ X.T)
    C.setdiag(0)
    C.data[C.data < min_count] = 0
    C.eliminate_zeros()
    C.sort_indices()
    return weigh(C, first_k(C, top_k), X)


def top_n(X, min_count=2, top_k=2000):
    C = sp_matmul_topn(X, X.T, top_n=top_k + 1, threshold=min_count - 1, sort=False)
    C.setdiag(0)
    C.eliminate_zeros()
    listed = C.copy()
    listed.data[:] = 1
    return weigh(C, listed, X)


def first_k(C, top_k):
    listed = C.copy()
    for i in np.flatnonzero(np.diff(C.indptr) > top_k):
        row = slice(C.indptr[i], C.indptr[i + 1])
        order = np.argsort(-C.data[row], kind="stable")
        listed.data[row][order[top_k:]] = 0
    listed.data[listed.data > 0] = 1
    return listed


def weigh(C, listed, X):
    M = sp.coo_array(C.multiply(listed).multiply(listed.T))
    count = np.asarray(X.sum(axis=1)).ravel().astype(float)
    value = np.log(X.shape[1] * M.data / (count[M.row] * count[M.col]))
    return value[value > 0]


@click.command()
@click.option("--n-items", default=30_000, show_default=True)
@click.option("--n-contexts", default=100_000, show_default=True)
@click.option("--mean-length", default=25, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--seed", default=0, show_default=True)
def main(n_items, n_contexts, mean_length, repeats, seed):
    """Compare the four ways on a synthetic catalogue."""
    X = synthetic.clean_playlists(
        n_items=n_items, n_contexts=n_contexts, mean_length=mean_length, n_communities=300, seed=seed
    ).matrix
    item, context = X.nonzero()
    x = pd.DataFrame({"item": item, "context": context})
    rows, ours = [], None
    for name, function in (
        ("`ppmi_matrix`", lambda: ppmi_matrix(X)[0].data),
        ("`ppmi_matrix`, 64 MB to work in", lambda: ppmi_matrix(X, memory=2**26)[0].data),
        ("X X' at once, scipy", lambda: whole_product(X)),
        ("sparse_dot_topn", lambda: top_n(sp.csr_matrix(X))),
        ("SQL, DuckDB", lambda: warehouse(x, X.shape[1])),
    ):
        seconds, peak, values = measure(function, repeats)
        ours = values if ours is None else ours
        same = len(values) == len(ours) and np.isclose(values.sum(), ours.sum(), rtol=1e-9)
        rows.append((name, seconds, peak, "same matrix" if same else f"other matrix, {len(values)} entries"))
    table(
        f"PPMI matrix of {X.shape[0]:,} x {X.shape[1]:,}, {X.nnz:,} interactions: {len(ours):,} entries", rows
    )


if __name__ == "__main__":
    main()

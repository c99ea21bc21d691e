"""Claims of chapter 1: the factorisation, and what the pipeline before it does to popularity."""

from functools import lru_cache

import numpy as np
import scipy.sparse as sp
from scipy.linalg import subspace_angles

from spikylib import ppmi, retrieval, svd
from spikylib._arrays import sample_rows
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim

_FEW = 50  # neighbours left by a filter that bites on a catalogue of any size


@claim(
    "P4",
    expect="equal",
    margin=1e-6,
    unit="degrees",
    value="largest angle between the ten leading left singular vectors of X and those of XX'",
    against="the same space having",
)
def a_matrix_and_its_gram_matrix_share_u(study, seed):
    """The leading left singular vectors of X and of XX' span the same space.

    A random matrix a replicate. The space, not the vectors: signs, and axes of equal singular values,
    are free.
    """
    X = np.random.default_rng(seed).poisson(0.5, (60, 90)).astype(float)
    U, of_gram = (np.linalg.svd(A)[0][:, :10] for A in (X, X @ X.T))
    return round(np.degrees(subspace_angles(U, of_gram)).max(), 9), 0


@claim(
    "P15",
    expect="equal",
    margin=1e-10,
    value="largest error of the decomposition that the eigenpairs give",
    against="none being",
)
def eigenpairs_give_the_svd(study, seed):
    """The eigenpairs of a symmetric matrix give its truncated SVD, by the signs of the eigenvalues.

    A random symmetric matrix a replicate. The error: of the orthonormality of U and V, of the singular
    values, and of the product beside that of LAPACK's SVD.
    """
    A = np.random.default_rng(seed).standard_normal((60, 60))
    M, f = A + A.T, 10
    d, P = np.linalg.eigh(M)
    leading = np.argsort(-np.abs(d))[:f]
    U, s, V = P[:, leading], np.abs(d[leading]), P[:, leading] * np.sign(d[leading])
    U_M, s_M, Vt_M = np.linalg.svd(M)
    pairs = [(U.T @ U, np.eye(f)), (V.T @ V, np.eye(f)), (s, s_M[:f])]
    pairs.append(((U * s) @ V.T, (U_M[:, :f] * s_M[:f]) @ Vt_M[:f]))
    return round(max(np.abs(a - b).max() for a, b in pairs), 12), 0


# margins of P14, a percentage point: of the 5 to 20 % that the top 1 % of the items holds, and of recall@50


@claim(
    "P14",
    "top-k filter curbs popularity",
    needs={"interactions"},
    expect="less",
    margin=0.01,
    seeds=1,
    unit="%",
    value="share of the filtered counts that the most popular 1 % of the items holds",
    against="of all counts",
    holds_on=_controls.communities,
    fails_on=_controls.popular_noise,
)
def filter_curbs_popularity(study, seed):
    """Counts cut to each item's 50 strongest neighbours give the most popular items a smaller share than all counts do.

    One replicate: sums over the whole matrix. Reference: the counts before the filter.
    """
    shares = shares_of_top(study)
    return shares["filtered"], shares["counts"]


@claim(
    "P14",
    "PPMI curbs popularity",
    needs={"interactions"},
    expect="less",
    margin=0.01,
    seeds=1,
    unit="%",
    value="share of the PPMI matrix that the most popular 1 % of the items holds",
    against="of the counts",
    holds_on=_controls.communities,
    fails_on=_controls.uniform,
)
def ppmi_curbs_popularity(study, seed):
    """PPMI gives the most popular items a smaller share of the matrix than the counts do.

    One replicate: sums over the whole matrix. Reference: the counts themselves.
    """
    shares = shares_of_top(study)
    return shares["ppmi"], shares["counts"]


@claim(
    "P14",
    "PPMI helps retrieval",
    needs={"refit", "svd"},
    margin=0.01,
    heavy=True,
    unit="%",
    value="recall@50 from PPMI by cosine",
    against="from the counts",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def ppmi_helps_retrieval(study, seed):
    """Embeddings from PPMI find more of the hidden items by cosine than embeddings from the counts.

    Replicates are splits: one item of each context is hidden and asked for by another of its items.
    Reference: the SVD of the counts, of the same rank, on the same tests.
    """
    found = hits(study, seed)
    return found["ppmi"].mean(), found["counts"].mean()


@claim(
    "P14",
    "PPMI helps retrieval of the less popular",
    needs={"refit", "svd"},
    margin=0.01,
    heavy=True,
    unit="%",
    value="recall@50 of the less popular half of the hidden items, from PPMI by cosine",
    against="from the counts",
    holds_on=_controls.popular_noise,
    fails_on=_controls.three_communities,
)
def ppmi_helps_retrieval_of_the_less_popular(study, seed):
    """Embeddings from PPMI find more of the less popular half of the hidden items by cosine than those from the counts.

    As for all hidden items.
    """
    found = hits(study, seed)
    return found["ppmi"][found["rare"]].mean(), found["counts"][found["rare"]].mean()


@claim(
    "P14",
    "PPMI helps retrieval by dot product",
    needs={"refit", "svd"},
    margin=0.01,
    heavy=True,
    unit="%",
    value="recall@50 from PPMI by dot product",
    against="from the counts",
    holds_on=_controls.long_playlists,
    fails_on=_controls.shuffled,
)
def ppmi_helps_retrieval_by_dot_product(study, seed):
    """Embeddings from PPMI find more of the hidden items by dot product than embeddings from the counts.

    As by cosine.
    """
    found = hits(study, seed, "dot")
    return found["ppmi"].mean(), found["counts"].mean()


@claim(
    "P14",
    "top-k filter helps retrieval",
    needs={"refit", "svd"},
    margin=0.01,
    heavy=True,
    unit="%",
    value="recall@50 by cosine from PPMI of each item's 50 strongest neighbours",
    against="of all",
    holds_on=_controls.few_communities,
    fails_on=_controls.many_communities,
)
def filter_helps_retrieval(study, seed):
    """Embeddings from PPMI of each item's 50 strongest neighbours find more of the hidden items by cosine than from all.

    Replicates are splits, as for PPMI. Reference: the neighbours that the study keeps, 2000 by default.
    """
    found = hits(study, seed)
    return found["filtered"].mean(), found["ppmi"].mean()


@claim(
    "P14",
    "top-k filter helps retrieval of the less popular",
    needs={"refit", "svd"},
    margin=0.01,
    heavy=True,
    unit="%",
    value="recall@50 of the less popular half of the hidden items, by cosine from PPMI of each item's 50 strongest neighbours",
    against="of all",
    holds_on=_controls.long_playlists,
    fails_on=_controls.many_communities,
)
def filter_helps_retrieval_of_the_less_popular(study, seed):
    """PPMI of each item's 50 strongest neighbours finds more of the less popular half of the hidden items than PPMI of all.

    As for all hidden items.
    """
    found = hits(study, seed)
    return found["filtered"][found["rare"]].mean(), found["ppmi"][found["rare"]].mean()


@lru_cache(maxsize=1)
def shares_of_top(study):
    """Share of the counts, of the filtered counts and of PPMI that belongs to the most played 1 % of the items kept."""
    X, kept = study.interactions.matrix, study.kept
    plays = np.diff(X.indptr)[kept]
    top = np.argsort(-plays, kind="stable")[: max(1, len(kept) // 100)]
    mass = {
        "counts": ppmi.cooccurrence(X, top_k=X.shape[0]).sum(axis=1)[kept],
        "filtered": ppmi.cooccurrence(X, top_k=_FEW).sum(axis=1)[kept],
        "ppmi": study.M.sum(axis=1),
    }
    return {name: values[top].sum() / values.sum() for name, values in mass.items()}


@lru_cache(maxsize=2)
def hits(study, seed, similarity="cosine"):
    """Whether each of 5,000 hidden items is in the list of its query, by matrix; ``rare`` marks the less played half.

    An item that a matrix does not keep has no list and is in none.
    """
    split = study.split(seed)
    part, X = split.study, split.study.interactions.matrix
    tests = sample_rows(np.stack([part.rows[split.queries], part.rows[split.hidden]], axis=1), 5000, seed)
    if not len(tests):
        raise NotApplicable("a context of three items to hide one of")
    rank = np.argsort(np.argsort(np.diff(X.indptr)[tests[:, 1]], kind="stable"))
    found = {"rare": rank < len(tests) / 2}
    for name, (E, rows) in embedded(part).items():
        row = np.full(X.shape[0], -1)
        row[rows] = np.arange(len(rows))
        queries, hidden = row[tests].T
        asked, which = np.unique(queries, return_inverse=True)
        lists = retrieval.top_k(E, asked[asked >= 0], 50, similarity=similarity, exclude_self=True)[0]
        lists = np.concatenate([np.full((np.sum(asked < 0), lists.shape[1]), -1), lists])
        found[name] = retrieval.recall(lists, which, hidden) & (hidden >= 0)
    return found


@lru_cache(maxsize=1)
def embedded(part):
    """Embeddings of the same rank from PPMI, from the counts, and from PPMI of few neighbours, with the rows of each."""
    X, f = part.interactions.matrix, part.E.shape[1]
    C, kept = sp.csr_array(ppmi.cooccurrence(X), dtype=np.float64)[part.kept][:, part.kept], part.kept
    M, few = ppmi.ppmi_matrix(X, top_k=_FEW)
    # converged alike: the cosine of short rows would see what a looser tolerance leaves
    of_counts, of_few = (svd.truncated_svd(A, min(f, A.shape[0])).embeddings() for A in (C, M))
    return {"ppmi": (part.E, kept), "counts": (of_counts, kept), "filtered": (of_few, few)}

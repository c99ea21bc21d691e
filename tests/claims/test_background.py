"""Claims of chapter 1: their numbers by dense matrices and loops."""

import numpy as np
import pytest

from spikylib import synthetic
from spikylib.claims import _background
from spikylib.study import Study


@pytest.fixture(scope="module")
def study():
    data = synthetic.clean_playlists(n_items=250, n_contexts=700, n_communities=5, seed=1)
    return Study(data, f=16)


def counts(X):
    C = X @ X.T
    np.fill_diagonal(C, 0)
    return np.where(C >= 2, C, 0)


def cut(C, k):
    """Counts among the k highest of both their row and their column; of equal ones, those of lower index first."""
    kept = np.zeros(C.shape, dtype=bool)
    for i, row in enumerate(C):
        kept[i, sorted(range(len(row)), key=lambda j: (-row[j], j))[:k]] = True
    return np.where(kept & kept.T, C, 0)


def ppmi(C, X):
    plays = X.sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.maximum(np.log(X.shape[1] * C / np.outer(plays, plays)), 0)


def test_shares_of_the_most_played_by_dense_matrices(study):
    X = study.interactions.matrix.toarray().astype(int)
    C, plays = counts(X), X.sum(axis=1)
    kept = [i for i in range(len(X)) if C[i].any()]
    top = sorted(kept, key=lambda i: (-plays[i], i))[: len(kept) // 100]
    found = _background.shares_of_top(study)
    for name, matrix in {"counts": C, "filtered": cut(C, 50), "ppmi": ppmi(C, X)}.items():
        assert found[name] == pytest.approx(matrix[top].sum() / matrix.sum(), rel=1e-10), name


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_hits_are_those_of_lists_written_out(study, similarity):
    split = study.split(0)
    X = split.study.interactions.matrix.toarray().astype(int)
    queries, hidden = split.study.rows[split.queries], split.study.rows[split.hidden]
    C = counts(X)
    found = _background.hits(study, 0, similarity)
    for name, matrix in {"ppmi": ppmi(C, X), "counts": C, "filtered": ppmi(cut(C, 50), X)}.items():
        values, vectors = np.linalg.eigh(matrix)
        leading = np.argsort(-np.abs(values))[:16]
        E = vectors[:, leading] * np.abs(values[leading])
        E[~matrix.any(axis=1)] = 0
        score = E @ E.T
        if similarity == "cosine":
            norm = np.linalg.norm(E, axis=1) + 1e-300
            score = score / norm[:, None] / norm
        score[:, ~matrix.any(axis=1)] = -np.inf
        np.fill_diagonal(score, -np.inf)
        hit = [
            h in np.argsort(-score[q])[:50] and matrix[q].any() and matrix[h].any()
            for q, h in zip(queries, hidden)
        ]
        assert np.mean(found[name] != hit) < 0.005, name  # a tie or two
    plays = X.sum(axis=1)[hidden]
    assert found["rare"].mean() == pytest.approx(0.5, abs=1 / len(plays))
    assert plays[found["rare"]].max() <= plays[~found["rare"]].min()

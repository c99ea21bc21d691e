"""Claims on embeddings that people train, beside a literal computation on a small catalogue."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from spikylib import beyond, nulls, retrieval, synthetic
from spikylib._interactions import build
from spikylib.claims import _learned, parts
from spikylib.claims._registry import NotApplicable
from spikylib.spikes import cover
from spikylib.study import Study

F, SEED = 8, 3


@pytest.fixture(scope="module")
def study():
    return Study(synthetic.clean_playlists(n_items=300, n_contexts=1500, n_communities=6, seed=3))


def embedded(study, model, seed):
    """Vectors and rows of the interactions that a model gives of a split, and the split itself."""
    train, queries, hidden = retrieval.hide_one(study.interactions.matrix, seed=seed)
    data = replace(study.interactions, matrix=train, times=None)
    made = beyond.embed(data, seed, f=F, **_learned.MODELS[model][0])
    rows = pd.Index(data.items["id"]).get_indexer(made.ids)
    return made.vectors, rows, train, queries, hidden


def nearest(E, row, similarity):
    score = E @ E[row] / (1 if similarity == "dot" else np.linalg.norm(E, axis=1))
    order = np.argsort(-score, kind="stable")
    return order[order != row][:50]


@pytest.mark.parametrize("model", ["SVD", "EASE"])
def test_spk_and_correlations_are_those_of_the_training(study, model):
    E, rows, train, *_ = embedded(study, model, SEED)
    drawn = (
        nulls.gaussian(*E.shape, seed=SEED),
        nulls.like_normal(E, seed=SEED),
        nulls.same_spectrum(E, seed=SEED),
    )
    expected = cover(E).spk, min(cover(null).spk for null in drawn) / 2
    # like-normal rows are drawn in other axes, which moves their Spk by chance
    assert _learned.is_spiky(study, SEED, F, model) == pytest.approx(expected, abs=0.02)
    C = (train @ train.T).toarray()
    np.fill_diagonal(C, 0)
    norm = rankdata(np.linalg.norm(E, axis=1))
    for measure, other in (
        (_learned.norm_ranks_plays, train.sum(axis=1)[rows]),
        (_learned.norm_ranks_degrees, C.sum(axis=1)[rows]),
    ):
        value, bound = measure(study, SEED, F, model)
        assert (value, bound) == (pytest.approx(np.corrcoef(norm, rankdata(other))[0, 1]), 0.5)


@pytest.mark.parametrize("model", ["SVD", "EASE"])
def test_hits_counted_one_by_one(study, model):
    E, rows, train, queries, hidden = embedded(study, model, SEED)
    at = {row: k for k, row in enumerate(rows)}
    tests = [(at[q], at[h]) for q, h in zip(queries, hidden) if q in at and h in at]
    plays = train.sum(axis=1)[rows]
    median = np.median([plays[h] for _, h in tests])
    hits = {kind: [h in nearest(E, q, kind) for q, h in tests] for kind in ("dot", "cosine")}
    rare = np.array([plays[h] <= median for _, h in tests])
    expected = [np.mean(hits[kind]) for kind in ("dot", "cosine")]
    assert _learned.dot_finds_more(study, SEED, F, model) == pytest.approx(expected, abs=0.002)
    expected = [np.array(hits[kind])[rare].mean() for kind in ("dot", "cosine")]
    assert _learned.dot_finds_more_rare_items(study, SEED, F, model) == pytest.approx(expected, abs=0.004)


def test_lists_of_two_trainings_compared_one_by_one(study):
    (E, rows, *_), (other, others, *_) = (embedded(study, "SVD", SEED + k) for k in (0, 1))
    at = {row: k for k, row in enumerate(others)}
    both = [(k, at[row]) for k, row in enumerate(rows) if row in at]
    same = np.array(
        [
            len(set(rows[nearest(E, a, "cosine")]) & set(others[nearest(other, b, "cosine")])) / 50
            for a, b in both
        ]
    )
    norm = np.linalg.norm(E, axis=1)[[a for a, _ in both]]
    long = norm > np.median(norm)
    expected = same[long].mean(), same[~long].mean()
    assert _learned.lists_of_long_rows_repeat(study, SEED, F, "SVD") == pytest.approx(expected, abs=0.005)


def test_every_model_has_a_part_at_both_ranks_and_is_trained_on_the_most_played(study):
    names = {p.part for p in parts("L1")}
    assert names == {f"{model}, f = {f}" for model in _learned.MODELS for f in (32, 64)}
    items = np.concatenate([np.arange(3100), np.arange(50, 3100)])  # the first fifty have one play less
    many = Study(build(items, np.arange(len(items)) // 10, name="many"))
    left = _learned.trained(many, "SGNS", 8).interactions.items["id"].to_numpy()
    assert len(left) == 3000 and left.min() == 50


def test_few_items_are_not_compared(study):
    with pytest.raises(NotApplicable, match="400 items with neighbours"):
        _learned.is_spiky(study, SEED, 100, "SVD")

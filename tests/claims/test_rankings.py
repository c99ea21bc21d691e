"""Claims on other factorisations and on spike-aware rankings, beside a literal computation."""

from functools import cache

import numpy as np
import pytest

from spikylib import beyond, ppmi
from spikylib._interactions import build
from spikylib.claims import _controls, _rankings
from spikylib.claims._registry import NotApplicable, parts
from spikylib.datasets import Embeddings
from spikylib.spikes import cover
from spikylib.study import Study


def order(E, query, similarity):
    """All other items, the most similar first."""
    norm = np.linalg.norm(E, axis=1)
    score = E @ E[query] / (norm if similarity == "cosine" else 1)
    return [j for j in np.argsort(-np.round(score / np.abs(score).max(), 11), kind="stable") if j != query]


@cache
def best_250(query, similarity):
    return order(_controls.within_classes(0).split(5).study.E, query, similarity)[:250]


@pytest.mark.parametrize(
    ("part", "similarity", "own", "rarer"),
    [
        ("cosine, own spike first", "cosine", True, False),
        ("dot product, own spike first", "dot", True, False),
        ("dot product, own spike first, rarer half", "dot", True, True),
        ("dot product, one per spike", "dot", False, False),
    ],
)
def test_recall_is_counted_over_the_lists_that_a_rule_changes(part, similarity, own, rarer):
    study, seed = _controls.within_classes(0), 5
    split = study.split(seed)
    spike = cover(split.study.E, f=16, rho=0.8).spike
    some = np.random.default_rng(seed).permutation(len(split.queries))[:2000]
    plays = np.asarray(split.study.plays)[split.hidden[some]]
    changed, best_of = [], {query: best_250(query, similarity) for query in set(split.queries[some])}
    for test, often in zip(some, plays):
        query, hidden = split.queries[test], split.hidden[test]
        best = best_of[query]
        if own:
            front = [j for j in best if spike[j] == spike[query] >= 0]
        else:
            seen = set()
            front = [j for j in best if spike[j] < 0 or not (spike[j] in seen or seen.add(spike[j]))]
        again = (front + [j for j in best if j not in set(front)])[:50]
        if set(again) != set(best[:50]):
            changed.append((hidden in again, hidden in best[:50], often))
    counted = [c for c in changed if not rarer or c[2] <= np.median(plays)]
    measure = next(p.measure for p in parts("N9") if p.part == part)
    found, before = measure(study, seed)
    assert found == pytest.approx(np.mean([c[0] for c in counted]), abs=0.003)
    assert before == pytest.approx(np.mean([c[1] for c in counted]), abs=0.003)


def test_a_rule_that_changes_nothing_is_not_compared():
    # every list by cosine holds the query's own spike, and little else
    E = np.repeat(np.eye(4), 60, axis=0) * np.linspace(1, 2, 240)[:, None]
    contexts = np.arange(240).reshape(4, 20, 3).reshape(80, 3)
    data = build(contexts.ravel(), np.repeat(np.arange(80), 3), name="four spikes")
    study = Study(data, fit=lambda data, seed: Embeddings(data.items["id"].to_numpy(), E[data.items["id"]]))
    with pytest.raises(NotApplicable, match="50 lists that the rule changes"):
        _rankings.changed_hits(study, 0, "cosine", own=True)


def test_neighbours_are_those_of_one_sample_of_the_contexts():
    study, seed = _controls.few_items(0), 3
    X = study.resampled(seed).interactions.matrix
    M, kept = ppmi.ppmi_matrix(X)
    lists = []
    for method in ("nmf", "svd"):
        E = beyond.factorise(M, X[kept], 32, method=method, seed=seed)
        lists.append([set(order(E, i, "cosine")[:10]) for i in range(len(E))])
    expected = np.mean([len(a & b) for a, b in zip(*lists)]) / 10
    found, mixed = next(p.measure for p in parts("N8") if p.part == "NMF, neighbours")(study, seed)
    assert found == pytest.approx(expected, abs=0.002)
    assert mixed < found


def test_spk_is_set_against_the_lowest_null():
    study = _controls.few_items_shuffled(1)
    ratio, most = next(p.measure for p in parts("N8") if p.part == "NMF, spikes")(study, 0)
    (E, mixed), share = _rankings.embedded(study, 0, "nmf"), lambda E: cover(E).spk
    assert most == 0.5 and share(E) / share(mixed) <= ratio <= 1.5

"""Comparisons of two versions: what counts as a change, and what a gate does."""

import xml.etree.ElementTree as ET
from functools import cache

import numpy as np
import pytest

from spikylib import datasets
from spikylib.datasets import Embeddings
from spikylib.report import compare
from spikylib.study import Study, ppmi_svd


@cache
def version(seed):
    """The book's embedding of four of five contexts of one catalogue, drawn anew."""
    data = datasets.load("synthetic", n_items=1200, n_contexts=5000, n_communities=60)
    return ppmi_svd(datasets.resample(data, seed=seed), f=64)


def of(vectors, ids):
    return Study(embeddings=Embeddings(ids, vectors))


def planted(made, seed):
    """The same with 1 % of the items put on a direction of their own."""
    rng, E = np.random.default_rng(seed), made.vectors.copy()
    rows = rng.choice(len(E), max(6, len(E) // 100), replace=False)
    along = rng.standard_normal(E.shape[1])
    aside = 0.2 * rng.standard_normal((len(rows), E.shape[1])) / np.sqrt(E.shape[1])
    E[rows] = (along / np.linalg.norm(along) + aside) * np.linalg.norm(E[rows], axis=1)[:, None]
    return of(E, made.ids)


def mixed(made, seed):
    """The same with the rows of a fifth of the items dealt out among them."""
    rng, E = np.random.default_rng(seed), made.vectors.copy()
    rows = rng.choice(len(E), len(E) // 5, replace=False)
    E[rows] = E[rng.permutation(rows)]
    return of(E, made.ids)


def changed(change, n):
    """How often a change is called one, or, of no change, how often one is called."""
    called = 0
    for seed in range(n):
        a, b, again = (version(3 * seed + i) for i in range(3))
        new = change(b, seed) if change else of(b.vectors, b.ids)
        found = compare(of(a.vectors, a.ids), new, again=of(again.vectors, again.ids))
        called += found.content["changed"]
    return called


def test_resamples_of_one_source_are_no_change():
    assert changed(None, 4) == 0


@pytest.mark.parametrize("change", [planted, mixed])
def test_a_new_spike_and_a_shuffle_are_noticed(change):
    assert changed(change, 3) == 3


@pytest.mark.controls
@pytest.mark.parametrize(("change", "least", "most"), [(None, 0, 5), (planted, 90, 100), (mixed, 90, 100)])
def test_changes_are_called_as_often_as_promised(change, least, most):
    assert least <= changed(change, 100) <= most


def blocks(seed=0, n=300):
    rng = np.random.default_rng(seed)
    return np.repeat(np.eye(6), n // 6, axis=0) * rng.uniform(1, 3, (n, 1)) + 0.02 * rng.standard_normal(
        (n, 6)
    )


def test_neighbours_kept_are_those_of_a_literal_count():
    rng, ids = np.random.default_rng(0), np.arange(200)
    E, F = rng.standard_normal((200, 8)), rng.standard_normal((200, 8))
    found = compare(of(E, ids), of(F[::-1], ids[::-1])).content
    near = []
    for X in (E, F):
        unit = X / np.linalg.norm(X, axis=1)[:, None]
        cosine = unit @ unit.T
        np.fill_diagonal(cosine, -2)
        near.append(np.argsort(-cosine, axis=1)[:, :50])
    kept = np.mean([len(set(a) & set(b)) / 50 for a, b in zip(*near)])
    assert found["conditions"]["overlap_all"]["value"] == pytest.approx(kept, rel=1e-5)
    assert found["changed"] is None and "give --again" in found["verdict"]


def test_the_quintiles_go_from_the_shortest_to_the_longest():
    rng, ids = np.random.default_rng(0), np.arange(300)
    E = rng.standard_normal((300, 8))
    E *= np.linspace(1, 3, 300)[:, None] / np.linalg.norm(E, axis=1)[:, None]
    F = E.copy()
    F[:60] = rng.permutation(F[:60])
    kept = {k: row["value"] for k, row in compare(of(E, ids), of(F, ids)).content["conditions"].items()}
    assert kept["overlap_bottom_quintile"] < 0.4 < 0.7 < kept["overlap_quintile_2"]
    assert kept["overlap_top_quintile"] > 0.7


def test_spikes_born_dead_and_merged_are_named():
    E = blocks()
    F = E.copy()
    F[:50] = np.random.default_rng(1).standard_normal((50, 6))  # the first spike dissolves
    F[100:150] = F[150:200]  # the third moves onto the fourth
    found = compare(of(E, np.arange(300)), of(F, np.arange(300))).content
    assert [len(found[kind]) for kind in ("born", "dead", "merged")] == [0, 1, 1]
    assert found["dead"][0]["items"] == 50 and found["merged"][0]["items"] == 100
    back = compare(of(F, np.arange(300)), of(E, np.arange(300))).content
    assert [len(back[kind]) for kind in ("born", "dead")] == [1, 1]  # what was one is two


def test_a_gate_stops_and_says_why():
    a = of(blocks(), np.arange(300))
    other = of(blocks(1), np.arange(300))
    passed, failed = compare(
        a, a, again=other, fail_if=["overlap_all < floor", "items_common >= 300"]
    ).content["gates"]
    assert not passed["failed"] and failed["failed"]
    assert failed["sentence"] == "items_common is 300; the gate fails at >= 300 (items in both)."
    suite = ET.fromstring(compare(a, a, fail_if=["items_common >= 300"]).junit())
    assert suite.get("failures") == "1" and suite.find("testcase/failure").get("message").startswith(
        "items_common is 300"
    )


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("spk128 > 0.05", "conditions are items_common, "),
        ("overlap_all < floor", "there is no floor for overlap_all; give --again or --interactions"),
        ("overlap_all << 3", "a gate is NAME < VALUE"),
        ("overlap_all < a lot", "a gate is NAME < VALUE"),
        ("overlap_all < much", "a number or 'floor', got 'much'"),
        ("overlap_all < nan", "a number or 'floor', got 'nan'"),
    ],
)
def test_a_gate_that_cannot_be_read_is_an_error_in_words(gate, said):
    a = of(blocks(), np.arange(300))
    with pytest.raises(ValueError) as error:
        compare(a, a, fail_if=[gate])
    assert said in str(error.value)


def test_embeddings_without_common_items_are_refused():
    E = blocks()
    with pytest.raises(ValueError, match="no id of"):
        compare(of(E, np.arange(300)), of(E, np.arange(1000, 1300)))
    with pytest.raises(ValueError, match="have 50 items in common; at least 100"):
        compare(of(E, np.arange(300)), of(E, np.arange(250, 550)))


def test_a_floor_that_is_none_is_refused():
    a, ids = of(blocks(), np.arange(300)), np.arange(300)
    with pytest.raises(ValueError, match="train the model again"):
        compare(a, a, again=of(blocks(), ids))
    with pytest.raises(ValueError, match="has 5 dimensions"):
        compare(a, a, again=of(blocks()[:, :5], ids))


def test_the_names_that_a_gate_may_have_are_those_that_are_measured():
    a = of(np.tile(blocks(), (1, 3)), np.arange(300))
    with pytest.raises(ValueError, match="there is no condition 'x'; conditions are ") as error:
        compare(a, a, fail_if=["x < 1"])
    names = str(error.value).partition("conditions are ")[2].split(", ")
    assert names == list(compare(a, a).content["conditions"])

"""Claims on settings: that each is applied, and what is measured, against doing it by hand."""

import inspect

import numpy as np
import pytest

from spikylib import claims, retrieval, synthetic
from spikylib.claims import NotApplicable, _settings
from spikylib.study import Study

SEED = 3


@pytest.fixture(scope="module")
def study():
    """Items that all meet, so that every setting but one leaves other pairs."""
    data = synthetic.clean_playlists(n_items=300, n_contexts=1500, n_communities=6, noise=0.3, seed=SEED)
    return Study(data, f=64, seed=SEED)


@pytest.fixture(scope="module")
def part(study):
    return study.split(SEED).study


def ppmi_by_hand(X, *, min_count=2, top_k=2000, keep="mutual", shift=0.0):
    """The matrix of design: counts, those kept, and their information."""
    counts = X @ X.T
    np.fill_diagonal(counts, 0)
    counts[counts < min_count] = 0
    listed = np.zeros(counts.shape, dtype=bool)
    for i, row in enumerate(counts):
        others = np.arange(len(row)) if keep != "later" else np.arange(i + 1, len(row))
        first = others[np.argsort(-row[others], kind="stable")][:top_k]
        listed[i, first] = row[first] > 0
    kept = listed & listed.T if keep == "mutual" else listed | listed.T
    plays = X.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        information = np.log(X.shape[1] * counts / np.outer(plays, plays)) - shift
    return np.where(kept & (information > 0), information, 0.0)


@pytest.mark.parametrize("setting", _settings.SETTINGS)
def test_a_setting_is_applied_to_the_training_part(study, setting):
    whole = Study(study.interactions, f=64, top_k=60, seed=SEED)  # so that every setting changes something
    part = whole.split(SEED).study
    X = part.interactions.matrix.toarray()
    if setting == _settings.FIVE:
        X = X[:, study.interactions.matrix.toarray().sum(axis=0) >= 5]
    M = ppmi_by_hand(X, **({"top_k": 60} | _settings.SETTINGS[setting]))
    kept = np.flatnonzero(M.any(axis=1))
    value, vector = np.linalg.eigh(M[np.ix_(kept, kept)])
    first = np.argsort(-np.abs(value))[:64]
    other = _settings.refitted(whole, part, setting)
    assert other.rows.tolist() == kept.tolist()
    # U Sigma in any signs
    assert np.allclose(other.E @ other.E.T, (vector[:, first] * value[first] ** 2) @ vector[:, first].T)


@pytest.mark.parametrize("setting", ["top_k = 500", "top_k = 5000"])
def test_what_changes_nothing_is_not_applicable(study, setting):
    for measure in (_settings.spk_stays, _settings.recall_stays, _settings.knee_stays):
        with pytest.raises(NotApplicable, match="anything that this setting changes"):
            measure(study, SEED, setting)


def test_hidden_items_are_found_one_by_one(study, part):
    """Those of an item or a query without an embedding are not."""
    setting = "min_count = 5"
    other = _settings.refitted(study, part, setting)
    _, queries, hidden = retrieval.hide_one(study.interactions.matrix, seed=SEED)
    unit = other.E / np.linalg.norm(other.E, axis=1)[:, None]
    row = {item: k for k, item in enumerate(other.rows)}
    hits = []
    for query, item in zip(queries, hidden):
        nearest = np.argsort(-(unit @ unit[row[query]])) if query in row else []
        hits.append(item in row and row[item] in [k for k in nearest if k != row[query]][:50])
    assert len(row) < 300 and 0 < sum(hits) < len(hits) < _settings.N_TESTS
    usual, _ = _settings.effect(study, SEED).recall, _settings.recall_stays(study, SEED, setting)
    assert _settings.recall_stays(study, SEED, setting)[0] == pytest.approx(np.mean(hits) / usual)


def test_spk_and_the_knee_are_those_of_the_cover(study, part):
    setting = "top_k = 100"
    other = _settings.refitted(study, part, setting)
    change, none = _settings.spk_stays(study, SEED, setting)
    assert change == pytest.approx(np.log2(other.spk(64) / part.spk(64))) and none == 0
    ranks = [4, 8, 16, 32, 64]
    usual, moved = (retrieval.knee(ranks, [len(s.cover(f).peaks) for f in ranks])[0] for s in (part, other))
    assert _settings.knee_stays(study, SEED, setting) == (np.log2(moved / usual), 0.0)


def test_fewer_dimensions_are_not_applicable(study):
    with pytest.raises(NotApplicable, match="64 dimensions"):
        _settings.spk_stays(Study(study.interactions, f=32), SEED, "top_k = 100")


def test_a_part_for_each_setting_shows_the_one_measure():
    for id in ("H1", "H2", "H3"):
        own = claims.parts(id)
        assert [p.part for p in own] == list(_settings.SETTINGS)
        assert len({p.source for p in own}) == 1 and "for_settings" in inspect.getsource(own[0].measure)

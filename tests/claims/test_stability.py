"""Claims on stability in time: what they measure, beside a literal computation."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from spikylib import claims
from spikylib.claims import _controls, _stability
from spikylib.claims._registry import parts
from spikylib.datasets import Embeddings
from spikylib.study import Study


def measure(id, part):
    return next(p.measure for p in parts(id) if p.part == part)


def embeddings(seed, n, noise=0.0):
    rng = np.random.default_rng(7)
    E = rng.standard_normal((n, 5)) * rng.uniform(0.5, 2, (n, 1))
    return E + noise * np.random.default_rng(seed).standard_normal(E.shape)


@pytest.fixture(scope="module")
def given():
    """Four dated embeddings; the last lacks some ids and has others, and rows come in another order."""
    order = np.random.default_rng(3).permutation(140)
    dates = {
        "2021-01-01": Embeddings(np.arange(140), embeddings(0, 140)),
        "2021-05-01": Embeddings(np.arange(140), embeddings(1, 140, 9.0)),
        "2021-09-01": Embeddings(order, embeddings(2, 140, 0.1)[order]),
        "2022-01-01": Embeddings(np.arange(15, 155), embeddings(3, 155, 0.2)[15:]),
    }
    return Study(snapshots=dict(reversed(dates.items()))), dates


def top(E, item, pool, similarity):
    norm = np.linalg.norm(E, axis=1)
    score = E @ E[item] / (norm if similarity == "cosine" else 1)
    others = [j for j in pool if j != item]
    return set(sorted(others, key=lambda j: -score[j])[:10])


def quintiles(E):
    return np.array_split(np.argsort(np.linalg.norm(E, axis=1), kind="stable"), 5)


@pytest.mark.parametrize("similarity", ["cosine", "dot"])
@pytest.mark.parametrize(("when", "date"), [("half-way", "2021-09-01"), ("at the end", "2022-01-01")])
def test_given_snapshots_are_compared_at_their_middle_and_last_date(given, when, date, similarity):
    study, dates = given
    common = np.arange(15, 140)  # held by the three that are compared
    ids = set(np.random.default_rng(4).choice(common, 100, replace=False).tolist())
    kept = [i for i in common if i in ids]
    before, after = (
        pd.DataFrame(dates[d].vectors, dates[d].ids).loc[kept].to_numpy() for d in ("2021-01-01", date)
    )
    shares = []
    for part in quintiles(before):
        shared = [len(top(before, i, part, similarity) & top(after, i, part, similarity)) for i in part]
        shares.append(np.mean(shared) / 10)
    name = {"cosine": "cosine", "dot": "dot product"}[similarity]
    value, reference = measure("P31", f"{when}, {name}")(study, 4)
    assert value == pytest.approx(shares[-1] - shares[0]) and reference == 0
    if similarity == "cosine":
        value, chance = measure("P33", when)(study, 4)
        assert value == pytest.approx(max(abs(s - np.mean(shares)) for s in shares)) and chance > 0


def test_two_snapshots_have_no_date_half_way(given):
    dates = given[1]
    two = Study(snapshots={d: dates[d] for d in ("2021-01-01", "2022-01-01")})
    by_part = {found.part: found for found in claims.check("P31", two)}
    assert by_part["half-way, cosine"].needs_missing == "a date between the first and the last"
    assert by_part["at the end, cosine"].verdict in ("holds", "fails", "undecided")
    assert by_part["beyond chance"].verdict == "not applicable"


def test_wrong_ids_lose_the_lists(given):
    sound, faulty = measure("N3", "sound embeddings keep more")(given[0], 0)
    assert sound > 0.8 > 0.65 > faulty > 0.4  # quintiles have 20 items: half of a list is there by chance


def test_shuffled_items_keep_their_number_of_plays_and_the_dates():
    study = _controls.low_norms_change(0)
    drawn, (mixed, _) = _stability.drawn(study, study.seed), _stability.structureless(study)
    once = drawn.matrix.nnz - mixed.matrix.nnz  # pairs that come up twice count once
    plays, new = (np.sort(np.diff(data.matrix.indptr)) for data in (drawn, mixed))
    assert 0 <= once == (plays - new).sum() < 0.1 * drawn.matrix.nnz
    dates = dict(zip(drawn.matrix.indices, drawn.times))
    column = mixed.contexts["id"].to_numpy()[mixed.matrix.indices]
    assert all(dates[c] == t for c, t in zip(column, mixed.times))


def test_degree_is_correlated_with_the_share_kept_of_lists_of_all_items():
    study, seed = _controls.low_norms_change(1), 2
    (chosen, _), data = _stability.three_dates(study, seed), _stability.drawn(study, seed)
    first, _, last = (pd.DataFrame(e.vectors, e.ids) for e in chosen.values())
    common = [i for i in first.index if all(i in set(e.ids) for e in chosen.values())]
    begin = study.refit(_stability.stability.periods(data)[next(iter(chosen))])
    degree = pd.Series(np.asarray(begin.M.sum(axis=1)).ravel(), begin.items["id"])
    before, after = first.loc[common].to_numpy(), last.loc[common].to_numpy()
    everyone = range(len(common))
    shared = [len(top(before, i, everyone, "cosine") & top(after, i, everyone, "cosine")) for i in everyone]
    expected = spearmanr(degree[common], shared).statistic
    assert measure("P34", "at the end")(study, seed)[0] == pytest.approx(expected, abs=0.01)

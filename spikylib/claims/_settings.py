"""Claims on what the settings of the PPMI matrix do to Spk, recall and the knee, one setting at a time.

All others stay as the study has them. What is fitted is what `Study.split` leaves when an item of each
context is hidden, and one fit serves the three claims.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial, update_wrapper
from math import log
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from spikylib import retrieval, spikes
from spikylib._arrays import has_direction, row_norms
from spikylib.claims import _controls as on
from spikylib.claims._advice import GRID, N_TESTS, knee_in_spikes, listed, mixed
from spikylib.claims._registry import NotApplicable, claim
from spikylib.datasets import Interactions
from spikylib.study import Study, ppmi_svd

FIVE = "contexts of five or more"  # counted before an item is hidden
SETTINGS = {
    "a shift of ln 2": {"shift": log(2)},
    "a shift of ln 5": {"shift": log(5)},
    "a shift of ln 10": {"shift": log(10)},
    "top_k = 100": {"top_k": 100},
    "top_k = 500": {"top_k": 500},
    "top_k = 5000": {"top_k": 5000},
    "pairs that either item keeps": {"keep": "either"},
    "pairs that the earlier item keeps": {"keep": "later"},  # as in the SQL that the authors released
    "min_count = 1": {"min_count": 1},
    "min_count = 3": {"min_count": 3},
    "min_count = 5": {"min_count": 5},
    FIVE: {},
}
CONTROLLED = "a shift of ln 2"  # the setting that has controls: the measure is the same for all


def for_settings(id: str, value: str, *, holds_on: Callable, fails_on: Callable, **rule) -> Callable:
    """Register a part for each setting, which the measure takes as its last argument."""

    def register(measure):
        for setting in SETTINGS:
            controls = {"holds_on": holds_on, "fails_on": fails_on} if setting == CONTROLLED else {}
            rule_here = rule | controls | {"value": value.format(setting)}
            own = update_wrapper(partial(measure, setting=setting), measure)
            claim(id, setting, needs={"svd"}, expect="equal", heavy=True, **rule_here)(own)
        return measure

    return register


@for_settings(
    "H1",
    "doublings of Spk@64 with {}",
    margin=0.5,
    against="no change being",
    holds_on=on.communities,
    fails_on=on.blurred,
)
def spk_stays(study, seed, setting):
    """Another setting of the PPMI matrix changes Spk@64 by less than half a doubling.

    Half a doubling is less than what separates neighbouring ranks. At f = 128 small catalogues are
    near the largest Spk there can be, rho, which hides a change; at 64 they are not.
    """
    usual, other = effect(study, seed), effect(study, seed, setting)
    return np.log2(other.peaks[64] / other.n) - np.log2(usual.peaks[64] / usual.n), 0.0


@for_settings(
    "H2",
    "recall@50 by cosine with {} over that with the usual settings",
    margin=0.1,
    unit="%",
    against="no change being",
    holds_on=on.communities,
    fails_on=on.popular_noise,
)
def recall_stays(study, seed, setting):
    """Another setting of the PPMI matrix changes recall@50 by cosine by less than a tenth.

    The hidden items are the same with all settings; one that has no embedding, or whose query has
    none, is not found.
    """
    usual, other = effect(study, seed), effect(study, seed, setting)
    if not usual.recall:
        raise NotApplicable("hidden items that are found")
    return other.recall / usual.recall, 1.0


@for_settings(
    "H3",
    "octaves by which the knee of Spk moves with {}",
    margin=1.0,  # a step of the grid
    against="no change being",
    holds_on=on.linked,
    fails_on=on.blurred,
)
def knee_stays(study, seed, setting):
    """Another setting of the PPMI matrix moves the knee of Spk by an octave at most.

    Ranks are f = 4, 8, ... 128. With the usual settings the knee must lie in spikes, as in P30.
    """
    part = study.split(seed).study
    knee = knee_in_spikes(part, mixed(study, 1.0, study.seed), ranks(part))
    moved, _ = retrieval.knee(*zip(*effect(study, seed, setting).peaks.items()))
    return np.log2(moved / knee), 0.0


class Effect(NamedTuple):
    """Peaks by rank, rows, and recall@50 by cosine of hidden items, of an embedding."""

    peaks: dict[int, int]
    n: int
    recall: float


@lru_cache(maxsize=2 * len(SETTINGS))
def effect(study: Study, seed: int, setting: str | None = None) -> Effect:
    """What is measured of a setting, or of the usual ones."""
    part = study.split(seed).study
    part = part if setting is None else refitted(study, part, setting)
    needed = spikes.peaks(part.E, ranks(part), [part.cos_theta], [part.rho]).ravel()
    return Effect(dict(zip(ranks(part), needed.tolist())), len(part.E), recall(study, part, seed))


def ranks(part: Study) -> list[int]:
    """Ranks of the grid that an embedding has."""
    found = [f for f in GRID if f <= part.E.shape[1]]
    if 64 not in found:
        raise NotApplicable("64 dimensions")
    return found


def refitted(study: Study, part: Study, setting: str) -> Study:
    """The training part embedded with a setting; none where that changes nothing."""
    asked = {name: part.settings[name] for name in ("f", "min_count", "top_k")} | SETTINGS[setting]
    data = longer(study.interactions, part.interactions) if setting == FIVE else part.interactions
    made = ppmi_svd(data, part.seed, **asked)
    if made.vectors.shape == part.E.shape and np.allclose(made.vectors, part.E):
        raise NotApplicable("anything that this setting changes")
    return Study(data, made, cos_theta=part.cos_theta, rho=part.rho, seed=part.seed)


def longer(whole: Interactions, train: Interactions) -> Interactions:
    """The training part of contexts that hold five items or more in the whole."""
    chosen = np.bincount(whole.matrix.indices, minlength=whole.n_contexts) >= 5
    matrix = sp.csr_array(train.matrix.tocsc()[:, chosen])
    return replace(train, matrix=matrix, contexts=train.contexts[chosen].reset_index(drop=True))


def recall(study: Study, part: Study, seed: int) -> float:
    """Share of up to 4,000 hidden items that are among the 50 nearest of their query."""
    _, queries, hidden = retrieval.hide_one(study.interactions.matrix, seed=seed)
    drawn = np.random.default_rng(seed).permutation(len(hidden))[:N_TESTS]
    row = np.full(study.interactions.n_items, -1)
    able = np.flatnonzero(has_direction(row_norms("E", part.E)[0]))
    row[part.rows[able]] = able
    asked, found = row[queries[drawn]], row[hidden[drawn]]
    both = (asked >= 0) & (found >= 0)
    rows, own = np.unique(asked[both], return_inverse=True)
    return retrieval.recall(listed(part.E, rows, "cosine"), own, found[both]).sum() / len(drawn)

"""Claims on generated catalogues where the truth is known: each must hold on one and fail on another.

`make test` takes one part of each claim that is quick, with three replicates, and where these do not decide
rightly with all replicates on four seeds; `make controls` takes all parts, on twenty.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from spikylib import claims, nulls, synthetic
from spikylib.claims import _registry
from spikylib.study import Study

# by control, for all that is asked of one study shares its splits and resamples
CONTROLS = {}
for part in claims.parts():
    for expected in ("holds", "fails"):
        if control := getattr(part, f"{expected}_on"):
            CONTROLS.setdefault(control, []).append((part, expected))
QUICK = {part.id: part for part in claims.parts() if not part.heavy and part.holds_on and part.fails_on}


def wrong(control, asked, seeds):
    """How often each of the parts that have this control was called otherwise than it must be."""
    missed = Counter()
    for seed in seeds:
        found = _registry.checked([part for part, _ in asked], control(seed), seed)
        missed.update(pair[0] for pair, f in zip(asked, found) if f.verdict != pair[1])
    return missed


def named(missed):
    """Parts with the number of their wrong verdicts, of those that had more than one."""
    return {f"{p.id} {p.part}": count for p, count in missed.items() if count > 1}


# of rows without a direction, which some are made to have
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.mark.parametrize(
    "control",
    {control: None for part in QUICK.values() for control in (part.holds_on, part.fails_on)},
    ids=lambda control: control.__name__,
)
def test_the_verdict_is_right_at_once_or_on_three_of_four(control):
    asked = [pair for pair in CONTROLS[control] if pair[0] in QUICK.values()]
    few = [(replace(part, seeds=min(3, part.seeds)), expected) for part, expected in asked]
    missed = wrong(control, few, (100,))
    doubtful = [pair for pair, taken in zip(asked, few) if missed[taken[0]]]
    assert not (doubtful and named(wrong(control, doubtful, range(100, 104))))


@pytest.mark.controls
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_the_verdict_is_right_on_19_of_20(control):
    assert not named(wrong(control, CONTROLS[control], range(100, 120)))


@pytest.mark.controls
@pytest.mark.parametrize("id", ["P1", "P2", "P13", "P20", "P27", "P30", "P31"])
def test_claims_about_structure_do_not_hold_on_shuffled_data(id):
    holds = Counter()
    for seed in range(20):
        data = synthetic.playlists(seed=seed)
        mixed = replace(data, matrix=nulls.shuffle_items(data.matrix, seed=seed), times=None)
        # times are of contexts, which the shuffle leaves where they are
        days = data.times[np.unique(data.matrix.indices, return_index=True)[1]]
        mixed = replace(mixed, times=days[mixed.matrix.indices])
        found = claims.check(id, Study(mixed, seed=seed))
        holds.update(finding.part for finding in found if finding.verdict == "holds")
    assert all(count <= 1 for count in holds.values()), holds

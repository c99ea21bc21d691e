"""Claims on generated catalogues where the truth is known: each must hold on one and fail on another.

`make test` takes the claims that are quick, on four seeds; `make controls` all of them, on twenty.
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


def wrong(control, seeds, heavy):
    """How often each part that has this control was called otherwise than it must be."""
    asked = [(part, expected) for part, expected in CONTROLS[control] if heavy or not part.heavy]
    missed = Counter()
    for seed in seeds:
        found = _registry.checked([part for part, _ in asked], control(seed), seed)
        pairs = zip(asked, found)
        missed.update(f"{p.id} {p.part}" for (p, expected), f in pairs if f.verdict != expected)
    return missed


@pytest.mark.filterwarnings(
    "ignore::RuntimeWarning"
)  # of rows without a direction, which some are made to have
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_the_verdict_is_right_on_three_of_four_at_least(control):
    missed = wrong(control, range(100, 104), heavy=False)
    assert all(count <= 1 for count in missed.values()), missed


@pytest.mark.controls
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("control", CONTROLS, ids=lambda control: control.__name__)
def test_the_verdict_is_right_on_19_of_20(control):
    missed = wrong(control, range(100, 120), heavy=True)
    assert all(count <= 1 for count in missed.values()), missed


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

"""Claims of chapter 2: that there are spikes, and where."""

from spikylib.claims import _controls
from spikylib.claims._registry import claim
from spikylib.study import RANKS


@claim(
    "P1",
    fs=RANKS,
    needs={"E"},
    expect="less",
    seeds=5,
    value="Spk over that of the lowest draw of the nulls",
    against="the most that is called spiky being",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def spikes_appear(study, seed, f):
    """Spk is at most half of the lowest of five draws of every null.

    Replicates are draws of 80 % of the contexts. Nulls: independent normal rows, rows of the same
    spectrum, rows of the same mean and covariance, and the items shuffled over the contexts.
    """
    draws = study.spk_draws[f]
    return draws[seed % len(draws)] / study.null_spk[f].min(), 0.5

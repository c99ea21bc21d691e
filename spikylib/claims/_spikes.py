"""Claims of chapter 2: that there are spikes, and where."""

import numpy as np

from spikylib import spikes
from spikylib._arrays import sample_rows, unit_rows
from spikylib.claims import _controls
from spikylib.claims._registry import NotApplicable, claim, described
from spikylib.study import RANKS


@claim(
    "P1",
    fs=RANKS,
    needs={"E"},
    expect="less",
    unit="%",
    value="Spk as a share of that of the lowest draw of the nulls",
    against="the most that counts as spiky being",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def spikes_appear(study, seed, f):
    """Spk is at most half of the lowest of five draws of every null.

    Replicates are draws of 80 % of the contexts. Nulls: independent normal rows, rows of the same
    spectrum, rows of the same mean and covariance, and the items shuffled over the contexts.
    """
    part = redrawn(study, seed)
    own = spikes.spk(part.judged, f=f, cos_theta=study.cos_theta, rho=study.rho)
    return own / study.null_spk[f].min(), 0.5


@claim(
    "P2",
    "strongest in the leading dimensions",
    needs={"E"},
    expect="less",
    unit="%",
    value="Spk of the first sixteen dimensions over that of the last, as a share of the lowest such ratio of the nulls",
    against="the most that counts as stronger being",
    holds_on=_controls.communities,
    fails_on=_controls.shuffled,
)
def spikes_are_strongest_in_the_leading_dimensions(study, seed):
    """Spk rises from the first sixteen dimensions to the last sixteen at least twice as steeply as in every null.

    Replicates are draws of 80 % of the contexts. Nulls: five draws each, as for P1. In shuffled data
    the first dimensions are popularity, so that Spk rises there too.
    """
    part, null = redrawn(study, seed), study.null_spk
    first, last = ends_apart(part)
    return first / last / (null["first"] / null["last"]).min(), 0.5


@claim(
    "P2",
    "a cloud in the later dimensions",
    needs={"E"},
    unit="%",
    value="Spk of the last sixteen dimensions as a share of that of the lowest draw of the nulls",
    against="the least that counts as a cloud being",
    holds_on=_controls.communities,
    fails_on=_controls.more_communities_than_dimensions,
)
def later_dimensions_are_a_cloud(study, seed):
    """Spk of the last sixteen dimensions is at least half of the lowest of five draws of every null.

    Asked where the first sixteen dimensions are spiky by the same rule. Replicates are draws of 80 %
    of the contexts. Nulls: as for P1.
    """
    null = study.null_spk
    if ends_apart(study)[0] > 0.5 * null["first"].min():
        raise NotApplicable("spikes in the first sixteen dimensions, which could blur")
    return ends_apart(redrawn(study, seed))[1] / null["last"].min(), 0.5


@claim(
    "P3",
    needs={"E"},
    expect="less",
    seeds=1,
    unit="%",
    value="Spk@64",
    against="the lowest that the paper has for another catalogue being",
)
def deezer_and_spotify_are_cleanest(study, seed):
    """Spk@64 of Deezer's and of Spotify's catalogue is below that of every other catalogue of Table 1.

    One replicate: the value of the whole catalogue. No null: a comparison with published values.
    """
    if study.name not in ("deezer-songs", "spotify-mpd"):
        raise NotApplicable(
            "the songs of Deezer, which are mostly private, or Spotify's playlists, which take an account"
        )
    return study.spk(64), min(row[RANKS.index(64)] for row in described()["P9"]["table1"].values())


@claim(
    "P6",
    needs={"E"},
    expect="less",
    unit="%",
    value="distance from the origin of the line through a spike's items in 16 dimensions, as a share of the largest norm",
    against="half of what random directions within the same angle give being",
    holds_on=_controls.communities,
    fails_on=_controls.blobs,
)
def spikes_pass_through_the_origin(study, seed):
    """The free line through a spike passes at most half as far from the origin as the choice of its items by cosine makes it.

    Median over the spikes of ten items or more. Null: each item's direction drawn anew within the angle
    of its peak, its norm as it is. Replicates are draws of 80 % of the contexts.
    """
    E = sample_rows(redrawn(study, seed).E[:, :16], 10_000, seed)
    cover = spikes.cover(E, cos_theta=study.cos_theta, rho=study.rho)
    large = np.flatnonzero(np.bincount(cover.spike + 1)[1:] >= 10)
    if not len(large):
        raise NotApplicable("a spike of ten items")
    drawn = within_angle(E, cover, study.cos_theta, seed)
    own, of_chance = (np.median([miss(A[cover.spike == k]) for k in large]) for A in (E, drawn))
    return own, of_chance / 2


def redrawn(study, seed):
    """The study of 80 % of its contexts; the study itself where there is nothing to refit."""
    return study.resampled(seed) if "refit" in study.has else study


def ends_apart(study):
    """Spk of the first and the last sixteen dimensions, where they do not overlap."""
    if study.E.shape[1] < 32:
        raise NotApplicable("32 dimensions")
    return study.ends()


def miss(points):
    """Distance from the origin of the best straight line through the points, as a share of their largest norm."""
    centre = points.mean(axis=0)
    along = np.linalg.svd(points - centre, full_matrices=False)[2][0]
    return np.linalg.norm(centre - centre @ along * along) / np.linalg.norm(points, axis=1).max()


def within_angle(E, cover, cos_theta, seed):
    """Rows of the norms of E, with directions drawn evenly within the angle of their peaks; zero off spikes."""
    rng, on = np.random.default_rng(seed), np.flatnonzero(cover.spike >= 0)
    peak = unit_rows(E[cover.peaks])[cover.spike[on]]
    aside = rng.standard_normal(peak.shape)
    aside = unit_rows(aside - np.einsum("ij,ij->i", aside, peak)[:, None] * peak)
    # evenly over the disc of f - 1 dimensions that a narrow cone cuts from the sphere
    sine = np.sqrt(1 - cos_theta**2) * rng.random((len(on), 1)) ** (1 / (E.shape[1] - 1))
    drawn = np.zeros(E.shape)
    drawn[on] = (np.sqrt(1 - sine**2) * peak + sine * aside) * np.linalg.norm(E[on], axis=1)[:, None]
    return drawn

"""Ask on about spikes: what only chapters 9 to 11 need.

Concept. Spk is the size of one cover among many. Which rows a peak would capture is a symmetric
relation, :func:`neighbours`; on it :func:`ordered_cover` tries peaks in another order and
:func:`fewest` counts the fewest there could be. :func:`plane_gain` covers by planes through two
peaks as well as by half-lines. :func:`noise_law` predicts how many peaks noise makes necessary
beyond the K dimensions of K spikes, :func:`planted_runs` measures it. Whether spikes belong to the SVD
or to the data shows where :func:`factorise` embeds the same items otherwise; :func:`embed` makes any of it
the fit of a study, so that every claim can be asked of it. :func:`rerank` ranks lists again with spikes in mind.

Conventions. Those of :mod:`spikylib.spikes`: signed cosines, strictly above the threshold; rows
without a direction are never captured and count in n.
"""

from spikylib.beyond._factorisations import embed, factorise
from spikylib.beyond._noise import noise_law, planted_runs
from spikylib.beyond._orders import fewest, neighbours, ordered_cover
from spikylib.beyond._planes import plane_gain
from spikylib.beyond._reranking import rerank

__all__ = [
    "embed",
    "factorise",
    "fewest",
    "neighbours",
    "noise_law",
    "ordered_cover",
    "plane_gain",
    "planted_runs",
    "rerank",
]

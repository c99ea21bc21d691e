"""Take up further questions about spikes, for chapters 9 to 11.

Concept. Spk measures one cover among many. Which rows a peak would capture is a symmetric relation,
:func:`neighbours`; on it :func:`ordered_cover` tries peaks in another order and :func:`fewest` counts the
fewest there could be. :func:`plane_gain` covers by planes through two peaks as well as by half-lines.
:func:`noise_law` predicts how many peaks noise makes necessary beyond the K dimensions of K spikes,
:func:`planted_runs` measures it. :func:`factorise` embeds the same items by other methods, to show whether
spikes belong to the SVD or to the data; :func:`embed` makes each of them the fit of a study, so that every
claim can be tested on it. :func:`rerank` reorders lists by spikes.

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

"""Name a chapter's results once, keep them, and read back those of real data.

A chapter makes one :class:`Record` and hands it the numbers of its prose: each is rounded, glued
and kept for the result file in one step, so the three cannot disagree. A rerun with
``results_file`` set writes them as JSON; the files under ``book/results/`` are such reruns on real
data. :func:`read_results` hands them to a chapter's tables and figures, and the role ``{stored}``
to the prose.
"""

from spikylib._published import read_published
from spikylib.rerun._record import Record, footer, glue, provenance
from spikylib.rerun._results import read_results

__all__ = ["Record", "footer", "glue", "provenance", "read_published", "read_results"]

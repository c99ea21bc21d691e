"""Report on your own data: whether there are spikes, what follows for its use, and what has changed.

:func:`report` takes a :class:`~spikylib.study.Study` and :func:`compare` two; both return a
:class:`Report`, which is shown in a notebook, saved as a page and as JSON, or printed as Markdown.
The commands ``spiky report`` and ``spiky compare`` call them.
"""

from spikylib.report._compare import compare
from spikylib.report._report import Report, report

__all__ = ["Report", "compare", "report"]

"""Draw the figures of the book and of reports: results in, a matplotlib Figure out; nothing is computed.

One function per kind of figure. :func:`lines` is the general one: curves, points with errors, nulls and
reference lines, in one panel or several; :func:`forest` compares estimates with their intervals. One
look for all: seaborn's "colorblind" palette with a marker and a dash of its own for each category (for
a catalogue of the library the same in every figure), viridis for quantities, an opaque white ground,
and sizes that read at the width of a page. A notebook keeps the points of a figure with its picture, as
CSV. The interactive figures are Plotly's, turned into HTML by :func:`html`, which loads the book's one
copy of the script.
"""

from spikylib.plots._interactive import cover_profile_interactive, html, scatter3d_interactive
from spikylib.plots._lines import cover_profile, lines, stability_curves
from spikylib.plots._scatter import cover_in_plane, scatter, scatter3d
from spikylib.plots._tables import forest, heatmap

__all__ = [
    "cover_in_plane",
    "cover_profile",
    "cover_profile_interactive",
    "forest",
    "heatmap",
    "html",
    "lines",
    "scatter",
    "scatter3d",
    "scatter3d_interactive",
    "stability_curves",
]

"""The figures that a reader can turn and steer: Plotly's, with controls in figures.js."""

import io
import json
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from itertools import cycle
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from spikylib.plots._style import PALETTE

if TYPE_CHECKING:  # loaded when an interactive figure is made, and not before
    import plotly.graph_objects as go
    from IPython.display import HTML

# what a page needs besides the data: its frame, style and controls, and the look on white as a Plotly template
_FRAME, _CSS, _JS, _LOOK = (
    Path(__file__).with_name(f"figures.{kind}").read_text("utf-8") for kind in ("html", "css", "js", "json")
)


def scatter3d_interactive(
    E: np.ndarray, names: Sequence, *, labels: Sequence, covers: Sequence
) -> "go.Figure":
    """Scatter an embedding in 3-D so that a reader can turn it (see :func:`scatter3d`).

    Parameters
    ----------
    E : array, shape (n, d)
        Rows to draw, and the columns that a reader may choose from; the first three are shown first.
    names : sequence of int, length d
        Number of each column, as written on the axes.
    labels : sequence of str, length n
        Shown on hovering.
    covers : sequence of (sequence of int, array of int of shape (n,), sequence of str)
        Colourings to choose from: the dimensions that it is about, the spike of each row (0 to 9;
        the rest is grey), and the label of each spike's peak. Of those dimensions, the ones that
        stand in `names` switch to it.

    Returns
    -------
    plotly.graph_objects.Figure
        What the controls of :func:`html` choose from is in its ``layout.meta``.
    """
    import plotly.graph_objects as go

    columns = [_rounded(column) for column in np.asarray(E, dtype=np.float64).T]
    choices = [
        {
            "name": f"of dimensions {dimensions[0]} to {dimensions[-1]}",
            "dimensions": [int(d) for d in dimensions],
            "spike": [int(k) if 0 <= k < 10 else -1 for k in spike],
            "peaks": [str(peak) for peak in peaks][:10],
        }
        for dimensions, spike, peaks in covers
    ]
    # a scale of eleven steps: the controls then send a small number a point, not a colour
    shades = ["#bfbfbf", *map(to_hex, PALETTE)]
    scale = [[(k + side) / 11, shade] for k, shade in enumerate(shades) for side in (0, 1)]
    marker = {"size": 3, "color": choices[0]["spike"], "colorscale": scale, "cmin": -1.5, "cmax": 9.5}
    # without a width of its own Plotly draws a pale line around a point, which hides one this small
    marker["line"] = {"width": 0}
    points = go.Scatter3d(**dict(zip("xyz", columns)), mode="markers", marker=marker)
    points.update(text=[str(label) for label in labels], hovertemplate="%{text}<extra></extra>")
    figure = go.Figure(points, layout={"template": json.loads(_LOOK), "margin": dict.fromkeys("lrtb", 0)})
    titles = {f"{axis}axis_title_text": f"dim {name}" for axis, name in zip("xyz", names)}
    figure.update_scenes(titles, camera_eye={"x": 1.6, "y": 1.6, "z": 0.9})
    meta = {"kind": "scatter3d", "dimensions": [int(n) for n in names], "columns": columns, "covers": choices}
    return figure.update_layout(meta=meta)


def cover_profile_interactive(covers: dict, *, rhos: Sequence, start: tuple[float, float]) -> "go.Figure":
    """Draw cover profiles with a slider for each of the two thresholds (see :func:`cover_profile`).

    Parameters
    ----------
    covers : dict of float to dict of str to spikylib.spikes.SpikeCover
        Covers by cos_theta, then by label; each was run to the largest of `rhos` at least, since a
        smaller share stops the same cover earlier. A line is thinned to some eighty steps.
    rhos : sequence of float
        Positions of the slider, rising.
    start : (float, float)
        The cos_theta and the rho shown first, each one of the positions.

    Returns
    -------
    plotly.graph_objects.Figure
        What the controls of :func:`html` choose from is in its ``layout.meta``.
    """
    import plotly.graph_objects as go

    cos_thetas, rhos, shown = list(covers), list(rhos), covers[start[0]]
    curves = [[_steps(cover, rhos) for cover in by_label.values()] for by_label in covers.values()]
    place = [cos_thetas.index(start[0]), rhos.index(start[1])]
    margin = {"l": 60, "r": 10, "t": 10, "b": 45}
    figure = go.Figure(layout={"template": json.loads(_LOOK), "margin": margin, "showlegend": True})
    dashes = cycle(("solid", "dash", "dashdot", "longdashdot"))
    for label, curve, colour, dash in zip(shown, curves[place[0]], cycle(PALETTE), dashes):
        line = {"shape": "hv", "color": to_hex(colour), "dash": dash}
        points = {"x": curve["peaks"], "y": curve["share"], "mode": "lines", "name": label, "line": line}
        figure.add_scatter(**points, hovertemplate="%{x} peaks capture %{y:.1%}<extra></extra>")
    most = max(curve["needed"][-1] for by_label in curves for curve in by_label)
    x_range = [0, float(np.ceil(10 * np.log10(most)) / 10)]  # the same at every position of the sliders
    figure.update_xaxes(type="log", range=x_range, dtick=1, title_text="number of peaks")
    ticks = {"tickvals": [k / 5 for k in range(6)], "ticktext": [f"{20 * k} %" for k in range(6)]}
    figure.update_yaxes(range=[0, 1], title_text="share of rows captured", **ticks)
    figure.add_hline(y=start[1], line_dash="dash", line_color="#666", line_width=1)
    thresholds = {"cos_theta": [float(c) for c in cos_thetas], "rho": [float(r) for r in rhos]}
    n, labels = len(next(iter(shown.values())).spike), list(shown)
    meta = {"kind": "profile", "n": n, "labels": labels, "start": place, "curves": curves}
    return figure.update_layout(meta=meta | thresholds)


def html(figure: "go.Figure", name: str, *, still: Figure, alt: str) -> "HTML":
    """Turn an interactive figure into HTML for a page of the book, with no load from the network.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        From :func:`scatter3d_interactive` or :func:`cover_profile_interactive`.
    name : str
        Identifier of the figure on its page, so that two runs give the same text.
    still : matplotlib.figure.Figure
        Its twin: shown in print, and where there is no WebGL or no Plotly.
    alt : str
        Alternative text of the picture and its twin.

    Returns
    -------
    IPython.display.HTML
        The controls are ordinary form fields, so the keyboard and a screen reader reach them; a sentence
        below describes their state.
    """
    from IPython.display import HTML

    png = io.BytesIO()
    # no version of Matplotlib in the file: the same figure is the same text
    still.savefig(png, format="png", dpi=80, metadata={"Software": None})
    data = figure.to_json().replace("<", "\\u003c")  # a label cannot end the script element
    parts = {"name": escape(name), "alt": escape(alt), "png": b64encode(png.getvalue()).decode()}
    return HTML(Template(_FRAME).substitute(parts, data=data, css=_CSS, js=_JS).strip())


def _rounded(values):
    """Numbers with three digits of the largest, which is more than a screen shows."""
    largest = np.abs(values).max()
    digits = 2 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    return (np.round(values, digits) + 0.0).tolist()  # + 0.0 makes a zero of -0.0


def _steps(cover, rhos):
    """A profile of some eighty steps, among them the peaks needed for each share."""
    n, total = len(cover.spike), len(cover.peaks)
    # the first peak at which the captured rows are rho n, as spikes.cover stops
    needed = 1 + np.searchsorted(cover.captured, np.ceil(np.asarray(rhos) * n - 1e-9))
    needed = np.minimum(needed, total)
    peaks = np.union1d(np.geomspace(1, total, 80).round().astype(int), needed)
    share = np.round(cover.captured[peaks - 1] / n, 4)
    return {"peaks": peaks.tolist(), "share": share.tolist(), "needed": needed.tolist()}

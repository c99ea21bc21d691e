"""Curves: the general chart of lines, and three that take a result of the library as it is."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from spikylib.plots._style import GREY, THRESHOLD, finish, looks_of, panel_axes, set_panel
from spikylib.spikes import SpikeCover

_MOST_MARKERS = 40  # a curve of more points is drawn without markers, which would hide it


def lines(
    curves: dict | pd.DataFrame,
    *,
    points: dict | None = None,
    dotted: dict | None = None,
    dotted_label: str = "null",
    vertical: dict | None = None,
    notes: dict[str, list[str]] | None = None,
    styles: dict[str, dict] | None = None,
    columns: int = 2,
    **axes,
) -> Figure:
    """Draw labelled curves, points with errors, nulls and reference lines, in one panel or several.

    A *layer* is a dict of label to (x, y), or to (x, y, low, high) with an interval; or a DataFrame with x
    as its index and one curve per column. For several panels it is a dict of panel title to one of these;
    otherwise it is drawn in every panel. A label has one colour, marker and dash in all layers and panels,
    and a public catalogue has its own in the whole book.

    Parameters
    ----------
    curves : layer
        Lines, with a marker at each point if there are at most 40; intervals are bands. May be empty.
    points : layer, optional
        Markers without a line; intervals are error bars.
    dotted : layer, optional
        Dotted lines in the colour of the same label elsewhere, as of a null or a law; grey if the
        label is nowhere else.
    dotted_label : str, default "null"
        Name in the legend of the dotted lines that share a label.
    vertical : dict of str to float, or dict of title to such a dict, optional
        Thin grey lines at an x, labelled where they are.
    notes : dict of str to list of str, optional
        Text beside each point of a curve, by label.
    styles : dict of str to dict, optional
        Matplotlib's properties of a line that a label has instead of the usual ones.
    columns : int, default 2
        Panels side by side, at most; 1 stacks them.
    **axes
        Arguments of matplotlib's ``Axes.set``, for all panels or a list of one per panel: `xlabel`
        and `ylabel` (with units), ``xscale="log"``, `ylim` ... One `ylabel` for all shares the axis;
        a title that repeats a label of its panel is not written.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> peaks = pd.DataFrame({"triplej": [28, 43, 468, 1267]}, index=[16, 32, 64, 128])
    >>> fig = lines(
    ...     peaks,
    ...     dotted={"triplej": ([16, 128], [1400, 2300])},
    ...     xlabel="truncation rank f",
    ...     ylabel="peaks for half of the items",
    ...     yscale="log",
    ... )
    >>> [text.get_text() for text in fig.legends[0].get_texts()]
    ['triplej', 'null']
    """
    curves, points, dotted, vertical = map(_by_title, (curves, points, dotted, vertical))
    titles = list(filter(None, curves | points | dotted)) or [""]
    usual = looks_of([label for panel in (*curves.values(), *points.values()) for label in panel], styles)
    sharey = not isinstance(axes.get("ylabel"), list)
    fig, panels = panel_axes(len(titles), columns, 3.3 if len(titles) <= columns else 2.6, sharey=sharey)
    looks, data = {}, []  # of the labels in the legend, and of the points

    for i, (ax, title) in enumerate(zip(panels, titles)):
        measured = _of(points, title)
        for label, (x, y, *interval) in _of(curves, title).items():
            hide_markers = label in measured or len(x) > _MOST_MARKERS
            looks[label] = usual[label] | ({"marker": ""} if hide_markers else {})
            data.append(_rows(title, label, x, y, *interval))
            ax.plot(x, y, **looks[label])
            if interval:
                ax.fill_between(x, *interval, color=usual[label]["color"], alpha=0.2, linewidth=0)
            for note, *at in zip((notes or {}).get(label, []), x, y):
                ax.annotate(note, at, xytext=(5, 5), textcoords="offset points", fontsize="small")
        for label, (x, y, *interval) in measured.items():
            error = [np.subtract(y, interval[0]), np.subtract(interval[1], y)] if interval else None
            look = usual[label] | {"linestyle": "none"}
            data.append(_rows(title, label, x, y, *interval))
            ax.errorbar(x, y, error, **look, capsize=2)
            looks[label] = look | looks.get(label, {}) | {"marker": look["marker"]}
        for label, (x, y) in _of(dotted, title).items():
            known = label in usual
            ax.plot(x, y, linestyle=":", color=usual[label]["color"] if known else GREY)
            data.append(_rows(title, f"{label}, {dotted_label}" if known else label, x, y))
            looks[dotted_label if known else label] = {"linestyle": ":", "color": "0.2" if known else GREY}
        for label, x in _of(vertical, title).items():
            ax.axvline(x, **THRESHOLD)
            at = {"transform": ax.get_xaxis_transform(), "ha": "right", "va": "top"}
            ax.text(x, 0.99, f"{label} ", rotation=90, fontsize="small", color="0.3", **at)
        set_panel(ax, i, axes)
        ax.set_title("" if title in (ax.get_xlabel(), ax.get_ylabel()) else title)
        if sharey and i % columns:
            ax.set_ylabel("")
    return finish(fig, looks, data)


def cover_profile(
    covers: dict[str, SpikeCover], *, rho: float, nulls: dict[str, SpikeCover] | None = None
) -> Figure:
    """Draw the share of rows captured as peaks are added, one curve per cover.

    Parameters
    ----------
    covers : dict of str to spikylib.spikes.SpikeCover
    rho : float
        Share at which the covers stop, drawn as a thin grey line.
    nulls : dict of str to spikylib.spikes.SpikeCover, optional
        Covers drawn as dotted lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    curves, dotted = map(_profiles, (covers, nulls or {}))
    styles = {label: {"marker": "", "drawstyle": "steps-post"} for label in curves}
    labels = {"xlabel": "number of peaks", "ylabel": "share of rows captured"}
    fig = lines(curves, dotted=dotted, styles=styles, xscale="log", **labels)
    fig.axes[0].axhline(rho, **THRESHOLD)
    return fig


def stability_curves(table: pd.DataFrame, *, others: pd.DataFrame | None = None) -> Figure:
    """Draw the overlap with the reference by date: one panel per similarity, one curve per part of the norms.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`spikylib.stability.curves`, with one k. Its 95 % intervals are shaded.
    others : pandas.DataFrame, optional
        Black lines to compare with, one per column, by similarity and date: the first is dashed, the
        second dotted.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = ["date", "overlap", "overlap_low", "overlap_high"]
    curves, styles, others = {}, {}, pd.DataFrame() if others is None else others
    shades = plt.get_cmap("viridis")(np.linspace(0, 0.88, table["part"].max() + 1))
    for (kind, part), rows in table.groupby(["similarity", "part"], sort=False):
        label = "norm {norm_low:.3g} to {norm_high:.3g}".format(**rows.iloc[0])
        curves.setdefault(kind, {})[label] = [rows[column] for column in columns]
        styles[label] = {"color": shades[part], "linestyle": "-"}
    for label, dash in zip(others, ("--", ":")):
        styles[label] = {"color": "black", "linestyle": dash, "marker": ""}
        for kind in curves:
            curves[kind][label] = (others.loc[kind].index, others.loc[kind, label])
    ylabel = f"overlap@{table['k'].iloc[0]} with the reference"
    return lines(curves, styles=styles, xlabel="end of the window", ylabel=ylabel, ylim=(0, 1))


def _by_title(layer):
    """A layer by panel title; one without titles stands under the empty title."""
    if not isinstance(layer, dict) or not any(isinstance(v, dict | pd.DataFrame) for v in layer.values()):
        layer = {"": {} if layer is None else layer}
    return {
        title: {label: (panel.index, panel[label]) for label in panel} if hasattr(panel, "columns") else panel
        for title, panel in layer.items()
    }


def _of(layer, title):
    """What a layer has for a panel: its own, or what is for every panel."""
    return layer.get(title, layer.get("", {}))


def _rows(panel, label, x, y, low=np.nan, high=np.nan):
    """The points of one curve, for the table behind the figure."""
    return {"panel": panel, "label": label, "x": np.asarray(x), "y": np.asarray(y), "low": low, "high": high}


def _profiles(covers):
    """By label, which names the number of peaks, the share captured by the first 1, 2, ... of them."""
    return {
        f"{label}: {len(c.peaks)} peaks": (np.arange(1, len(c.peaks) + 1), c.captured / len(c.spike))
        for label, c in covers.items()
    }

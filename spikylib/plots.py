"""Draw the figures of the book: results in, a matplotlib Figure out; nothing is computed.

One look for all: seaborn's "colorblind" palette for categories, viridis for quantities, an
opaque white ground, and sizes that read at the width of a page. Interactive twins are Plotly
figures turned into HTML by :func:`html`, which loads the book's one copy of the script.
"""

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import to_hex
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

PALETTE = sns.color_palette("colorblind")
GREY = "0.65"
_PLOTLY = "../_static/plotly.min.js"  # where the book keeps it, seen from a notebook's page

sns.set_theme(
    style="ticks",
    palette="colorblind",
    rc={
        "figure.facecolor": "white",
        "savefig.facecolor": "white",
        "figure.dpi": 110,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "legend.frameon": False,
    },
)


def matrices(arrays, *, titles, cmap="viridis", xlabel="item", ylabel="item"):
    """Show small matrices side by side as images, each with its own colour bar.

    Parameters
    ----------
    arrays : sequence of array, shape (n, m)
    titles : sequence of str
    cmap : str, default "viridis"
        A diverging map is centred on zero.
    xlabel, ylabel : str or sequence of str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(arrays)
    fig, axes = plt.subplots(1, n, figsize=(3.3 * n, 3.2), layout="constrained")
    xlabels = [xlabel] * n if isinstance(xlabel, str) else xlabel
    ylabels = [ylabel] * n if isinstance(ylabel, str) else ylabel
    for ax, array, title, x, y in zip(np.atleast_1d(axes), arrays, titles, xlabels, ylabels):
        limit = np.abs(array).max()
        limits = {"vmin": -limit, "vmax": limit} if cmap in ("RdBu_r", "vlag") else {}
        image = ax.imshow(array, cmap=cmap, aspect="auto", interpolation="nearest", **limits)
        ax.set(title=title, xlabel=x, ylabel=y)
        fig.colorbar(image, ax=ax, shrink=0.8)
    return _done(fig)


def lines(
    series, *, xlabel, ylabel, logx=False, logy=False, marker="o", bands=None, nulls=None, reference=None
):
    """Draw labelled curves on common axes.

    Parameters
    ----------
    series : dict of str to (x, y)
        One curve per label.
    xlabel, ylabel : str
        With units.
    logx, logy : bool
    marker : str, default "o"
    bands : dict of str to (low, high), optional
        An interval around a curve, by its label.
    nulls : dict of str to (x, y), optional
        A dotted companion of a curve, by its label, in the same colour.
    reference : (y, label), optional
        A dashed horizontal line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    markers, dashes = "osD^vPX*", ["-", "--", "-.", ":"]
    for i, (label, (x, y)) in enumerate(series.items()):
        style = {"marker": markers[i % len(markers)], "markersize": 4} if marker else {}
        style["linestyle"] = dashes[i % len(dashes)]
        (drawn,) = ax.plot(x, y, label=label, **style)
        if bands and label in bands:
            ax.fill_between(x, *bands[label], color=drawn.get_color(), alpha=0.2, linewidth=0)
        if nulls and label in nulls:
            ax.plot(*nulls[label], color=drawn.get_color(), linestyle=":", label=f"{label}: null")
    if reference is not None:
        ax.axhline(reference[0], color=GREY, linestyle="--", label=reference[1])
    ax.set(xlabel=xlabel, ylabel=ylabel)
    for axis, log in ((ax.xaxis, logx), (ax.yaxis, logy)):
        if log:
            _log(axis)
    if len(series) > 1 or reference is not None:
        ax.legend()
    return _done(fig)


def distributions(panels):
    """Show how quantities are spread: share of items at or above each value, on log axes.

    Parameters
    ----------
    panels : dict of str to array, shape (n_items,)
        Positive quantities, by the label of their axis, one panel each.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        1, len(panels), figsize=(3.4 * len(panels), 3.2), layout="constrained", sharey=True
    )
    for ax, (label, values), colour in zip(np.atleast_1d(axes), panels.items(), PALETTE):
        values = np.sort(values)
        ax.plot(values, 1 - np.arange(len(values)) / len(values), color=colour)
        ax.set_xlabel(label)
        _log(ax.xaxis)
        _log(ax.yaxis)
    np.atleast_1d(axes)[0].set_ylabel("share of items at or above")
    return _done(fig)


def scatter(x, y, *, xlabel, ylabel, colour=None, colour_label=None, logx=False, logy=False):
    """Scatter one quantity against another.

    Parameters
    ----------
    x, y : array, shape (n,)
    xlabel, ylabel : str
    colour : array, shape (n,), optional
        A third quantity, on the viridis map, named by `colour_label`.
    logx, logy : bool

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.0, 3.8), layout="constrained")
    points = ax.scatter(
        x, y, s=6, c=colour if colour is not None else [PALETTE[0]], cmap="viridis", alpha=0.6
    )
    ax.set(
        xlabel=xlabel, ylabel=ylabel, xscale="log" if logx else "linear", yscale="log" if logy else "linear"
    )
    if colour is not None:
        fig.colorbar(points, ax=ax, label=colour_label)
    return _done(fig)


def heatmap(frame, *, xlabel, ylabel, label, fmt=".2g"):
    """Show a table of numbers as an annotated heat map.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows go down, columns across; their names are the ticks.
    xlabel, ylabel, label : str
        Axes and colour bar, with units.
    fmt : str, default ".2g"
        How a cell's number is written.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(
        figsize=(1.6 + 0.9 * frame.shape[1], 1.2 + 0.5 * frame.shape[0]), layout="constrained"
    )
    sns.heatmap(frame, annot=True, fmt=fmt, cmap="viridis", ax=ax, cbar_kws={"label": label}, linewidths=0.5)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.tick_params(axis="y", rotation=0)
    return _done(fig)


def slices(E, windows, *, colour=None, names=None):
    """Scatter an embedding in 3-D, one panel per choice of three dimensions (Figure 1).

    Parameters
    ----------
    E : array, shape (n, f)
        Rows to draw.
    windows : sequence of (int, int, int)
        Columns of each panel, counted from 0.
    colour : array of int, shape (n,) or (len(windows), n), optional
        Spike or community of each row, for all panels or for each; negative or above 9 is
        drawn grey.
    names : sequence of int, optional
        Number of each column of E on the axes. Default: counted from 1.

    Returns
    -------
    matplotlib.figure.Figure
    """
    names = np.arange(np.shape(E)[1]) + 1 if names is None else names
    colour = [colour] * len(windows) if np.ndim(colour) < 2 else colour
    rows = -(-len(windows) // 2)
    fig = plt.figure(figsize=(7.0, 3.3 * rows))
    for j, (window, shade) in enumerate(zip(windows, colour)):
        ax = fig.add_subplot(rows, 2, j + 1, projection="3d")
        points = np.asarray(E)[:, list(window)]
        ax.scatter(*points.T, s=5, c=_shades(shade, len(E)), depthshade=False, linewidths=0)
        ax.scatter([0], [0], [0], s=40, c="black", marker="+")
        ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
        ax.set_box_aspect(None, zoom=1.05)
        for axis, dimension in zip("xyz", window):
            getattr(ax, f"set_{axis}label")(f"dim {names[dimension]}", labelpad=-10)
    fig.subplots_adjust(left=0.0, right=0.96, bottom=0.03, top=0.99, wspace=0.16, hspace=0.05)
    return _done(fig)


def definition(points, cover, *, cos_theta):
    """Draw a cover of points in the plane: peaks, the cone of each, and what it captured.

    Parameters
    ----------
    points : array, shape (n, 2)
    cover : spikylib.spikes.SpikeCover
    cos_theta : float
        Cosine of the half-angle of the cones.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(5.2, 4.6), layout="constrained")
    reach, half = 1.1 * np.linalg.norm(points, axis=1).max(), np.arccos(cos_theta)
    shade = _shades(cover.spike, len(points))
    for k, peak in enumerate(cover.peaks):
        angle = np.arctan2(*points[peak][::-1])
        arc = np.linspace(angle - half, angle + half, 40)
        cone = reach * np.array([[0, 0], *np.column_stack([np.cos(arc), np.sin(arc)])])
        ax.fill(*cone.T, color=PALETTE[k % 10], alpha=0.12, linewidth=0)
        beyond = 1.02 * reach * np.array([np.cos(angle), np.sin(angle)])
        ax.annotate(f"peak {k + 1}", beyond, color=PALETTE[k % 10], ha="center", va="center")
    ax.scatter(*points.T, c=shade, s=16)
    ax.scatter(*points[cover.peaks].T, facecolors="none", edgecolors="black", s=70)
    ax.scatter([0], [0], c="black", marker="+", s=60)
    ax.set(xlabel="dimension 1", ylabel="dimension 2", aspect="equal")
    return _done(fig)


def cover_profile(covers, *, rho):
    """Draw the share of rows captured as peaks are added, one curve per cover.

    Parameters
    ----------
    covers : dict of str to spikylib.spikes.SpikeCover
    rho : float
        Share at which the covers stop, drawn as a line.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    for i, (label, cover) in enumerate(covers.items()):
        n = len(cover.spike)
        peaks = np.arange(1, len(cover.peaks) + 1)
        style = (
            {"color": GREY, "linestyle": ":"} if label.startswith("N(0, 1)") else {"color": PALETTE[i % 10]}
        )
        ax.step(peaks, cover.captured / n, where="post", label=f"{label}: {len(peaks)} peaks", **style)
    ax.axhline(rho, color=GREY, linestyle="--", linewidth=1)
    ax.set(xlabel="number of peaks", ylabel="share of rows captured", ylim=(0, None))
    _log(ax.xaxis)
    fig.legend(loc="outside lower center", ncols=2)
    return _done(fig)


def turning(E, dimensions, *, labels, colour=None, title=None):
    """Scatter an embedding in 3-D so that a reader can turn it (the twin of :func:`slices`).

    Parameters
    ----------
    E : array, shape (n, f)
    dimensions : (int, int, int)
        Counted from 0.
    labels : sequence of str, length n
        Shown on hovering.
    colour : array of int, shape (n,), optional
        As for :func:`slices`.
    title : str, optional

    Returns
    -------
    plotly.graph_objects.Figure
    """
    import plotly.graph_objects as go

    x, y, z = np.round(np.asarray(E, dtype=np.float64)[:, list(dimensions)], 2).T.tolist()
    shade = [to_hex(rgb) for rgb in _shades(colour, len(E))]
    points = go.Scatter3d(
        x=x,
        y=y,
        z=z,
        mode="markers",
        text=list(labels),
        hovertemplate="%{text}<extra></extra>",
        marker={"size": 2, "color": shade},
    )
    names = [f"dim {d + 1}" for d in dimensions]
    return go.Figure(
        points,
        layout={
            "scene": {f"{a}axis": {"title": {"text": name}} for a, name in zip("xyz", names)},
            "margin": {"l": 0, "r": 0, "t": 30 if title else 0, "b": 0},
            "title": {"text": title} if title else None,
            "height": 460,
            "showlegend": False,
            "paper_bgcolor": "white",
        },
    )


def html(figure, name):
    """Turn a Plotly figure into HTML for a page of the book, with no load from the network.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    name : str
        Identifier of the figure on its page, so that two runs give the same text.

    Returns
    -------
    IPython.display.HTML
    """
    from IPython.display import HTML

    return HTML(
        figure.to_html(
            full_html=False,
            include_plotlyjs=_PLOTLY,
            include_mathjax=False,
            div_id=name,
            config={"displaylogo": False, "responsive": True},
        )
    )


def _log(axis):
    """A logarithmic axis with plain numbers, one to three a decade depending on its length."""
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _shades(colour, n):
    """A colour per row: one of ten for 0 to 9, grey for the rest."""
    if colour is None:
        return np.tile(PALETTE[0], (n, 1))
    table = np.array([*PALETTE[:10], (0.75, 0.75, 0.75)])
    colour = np.asarray(colour)
    return table[np.where((colour >= 0) & (colour < 10), colour, 10)]


def _done(fig):
    """The figure, withdrawn from pyplot so that a notebook shows it once."""
    plt.close(fig)
    return fig

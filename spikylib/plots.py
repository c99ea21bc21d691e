"""Draw the figures of the book: results in, a matplotlib Figure out; nothing is computed.

One look for all: seaborn's "colorblind" palette for categories, viridis for quantities, an
opaque white ground, and sizes that read at the width of a page. Interactive twins are Plotly
figures turned into HTML by :func:`html`, which loads the book's one copy of the script.
"""

import io
from base64 import b64encode
from html import escape
from pathlib import Path

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns
from matplotlib.colors import to_hex
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

PALETTE = sns.color_palette("colorblind")
GREY = "0.65"
_MARKERS, _DASHES = "osD^vPX*", ["-", "--", "-.", ":"]
_PART_MARKERS = "ovsD^P*X<>"
_PLOTLY = "../_static/plotly.min.js"  # where the book keeps it, seen from a notebook's page
_PLOTLY_DASHES = ["solid", "dash", "dashdot", "dot"]
_INTERACTIVE = {  # the common look: on white, dark text, a tooltip that reads on any colour
    "template": "none",
    "autosize": True,
    "paper_bgcolor": "white",
    "font": {"size": 13, "color": "#1a1a1a"},
    "showlegend": False,
    "hoverlabel": {
        "bgcolor": "white",
        "bordercolor": "#333",
        "font": {"size": 14, "color": "#1a1a1a"},
        "align": "left",
        "namelength": -1,
    },
}

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
    for i, (label, (x, y)) in enumerate(series.items()):
        style = {"marker": _MARKERS[i % len(_MARKERS)], "markersize": 4} if marker else {}
        style["linestyle"] = _DASHES[i % len(_DASHES)]
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
    columns = min(len(windows), 2)
    rows = -(-len(windows) // 2)
    fig = plt.figure(figsize=(7.0, 3.3 * rows) if columns == 2 else (6.4, 5.2))
    for j, (window, shade) in enumerate(zip(windows, colour)):
        ax = fig.add_subplot(rows, columns, j + 1, projection="3d")
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


def turning(E, names, *, labels, covers):
    """Scatter an embedding in 3-D so that a reader can turn it (the twin of :func:`slices`).

    Parameters
    ----------
    E : array, shape (n, d)
        Rows to draw, and the columns that a reader may choose from; the first three are shown first.
    names : sequence of int, length d
        Number of each column, as written on the axes.
    labels : sequence of str, length n
        Shown on hovering.
    covers : sequence of (sequence of int, array of int of shape (n,), sequence of str)
        Colourings to choose from: the dimensions that each is about, the spike of each row (0 to 9;
        the rest is grey), and the label of each spike's peak. Of those dimensions, the ones that
        stand in `names` switch to it.

    Returns
    -------
    plotly.graph_objects.Figure
        What the controls of :func:`html` choose from is in its ``layout.meta``.
    """
    import plotly.graph_objects as go

    columns = [_short(column) for column in np.asarray(E, dtype=np.float64).T]
    choices = [
        {
            "name": f"of dimensions {dimensions[0]} to {dimensions[-1]}",
            "dimensions": [int(d) for d in dimensions],
            "spike": [int(k) if 0 <= k < 10 else -1 for k in spike],
            "peaks": [str(peak) for peak in peaks][:10],
        }
        for dimensions, spike, peaks in covers
    ]
    shades = ["#bfbfbf", *map(to_hex, PALETTE[:10])]
    points = go.Scatter3d(
        **dict(zip("xyz", columns)),
        mode="markers",
        text=[str(label) for label in labels],
        hovertemplate="%{text}<extra></extra>",
        marker={
            "size": 3,
            "color": choices[0]["spike"],
            "cmin": -1.5,
            "cmax": 9.5,
            "colorscale": [[(k + side) / 11, c] for k, c in enumerate(shades) for side in (0, 1)],
            "line": {"width": 0},
        },
    )
    axis = {"showticklabels": False, "showspikes": False, "gridcolor": "#ddd", "zerolinecolor": "#555"}
    axes = {f"{a}axis": axis | {"title": {"text": f"dim {name}"}} for a, name in zip("xyz", names)}
    return go.Figure(
        points,
        layout={
            **_INTERACTIVE,
            "scene": axes | {"aspectmode": "cube", "camera": {"eye": {"x": 1.6, "y": 1.6, "z": 0.9}}},
            "margin": {"l": 0, "r": 0, "t": 0, "b": 0},
            "meta": {
                "kind": "turning",
                "dimensions": [int(name) for name in names],
                "columns": columns,
                "covers": choices,
            },
        },
    )


def sliding_profile(covers, *, rhos, start):
    """Draw cover profiles whose two thresholds a reader can slide (the twin of :func:`cover_profile`).

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

    labels = list(next(iter(covers.values())))
    n = len(next(iter(covers[start[0]].values())).spike)
    curves = [[_steps(cover, rhos) for cover in by_label.values()] for by_label in covers.values()]
    shown = curves[list(covers).index(start[0])]
    lines = [
        go.Scatter(
            x=curve["peaks"],
            y=curve["share"],
            mode="lines",
            name=label,
            line={"shape": "hv", "color": to_hex(PALETTE[i % 10]), "dash": _PLOTLY_DASHES[i % 4]},
            hovertemplate="%{x} peaks capture %{y:.1%}<extra></extra>",
        )
        for i, (label, curve) in enumerate(zip(labels, shown))
    ]
    most = max(curve["needed"][-1] for by_label in curves for curve in by_label)
    return go.Figure(
        lines,
        layout={
            **_INTERACTIVE,
            "margin": {"l": 60, "r": 10, "t": 10, "b": 45},
            "plot_bgcolor": "white",
            "xaxis": {
                "type": "log",
                "range": [0, float(np.ceil(10 * np.log10(most)) / 10)],
                "title": {"text": "number of peaks"},
                "dtick": 1,
                "showline": True,
                "linecolor": "#333",
                "gridcolor": "#e5e5e5",
            },
            "yaxis": {
                "range": [0, 1],
                "title": {"text": "share of rows captured"},
                "tickformat": ".0%",
                "showline": True,
                "linecolor": "#333",
                "gridcolor": "#e5e5e5",
            },
            "shapes": [
                {
                    "type": "line",
                    "xref": "paper",
                    "x0": 0,
                    "x1": 1,
                    "y0": start[1],
                    "y1": start[1],
                    "line": {"dash": "dash", "color": "#666", "width": 1},
                }
            ],
            "showlegend": True,
            "legend": {"x": 0.01, "y": 0.99, "bgcolor": "rgba(255, 255, 255, 0.85)"},
            "meta": {
                "kind": "profile",
                "n": n,
                "labels": labels,
                "cos_theta": [float(c) for c in covers],
                "rho": [float(r) for r in rhos],
                "start": [list(covers).index(start[0]), list(rhos).index(start[1])],
                "curves": curves,
            },
        },
    )


def html(figure, name, *, still, alt):
    """Turn an interactive figure into HTML for a page of the book, with no load from the network.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
        From :func:`turning` or :func:`sliding_profile`.
    name : str
        Identifier of the figure on its page, so that two runs give the same text.
    still : matplotlib.figure.Figure
        Its twin: shown in print, and where there is no WebGL or no Plotly.
    alt : str
        What is seen, for the picture and its twin.

    Returns
    -------
    IPython.display.HTML
        The controls are ordinary form fields, so the keyboard and a screen reader reach them; a
        sentence below tells what they show.
    """
    from IPython.display import HTML

    png = io.BytesIO()
    still.savefig(png, format="png", dpi=80, metadata={"Software": None})
    style, script = (Path(__file__).with_name(f"figures.{kind}").read_text("utf-8") for kind in ("css", "js"))
    data = figure.to_json().replace("<", "\\u003c")
    alt = escape(alt)
    return HTML(
        f'<div class="spiky-figure" id="{escape(name)}"><style>\n{style}</style>\n'
        f'<img class="spiky-twin" alt="{alt}" src="data:image/png;base64,{b64encode(png.getvalue()).decode()}">\n'
        '<p class="spiky-still"></p>\n'
        '<div class="spiky-live"><div class="spiky-controls"></div>'
        f'<div class="spiky-plot" role="img" aria-label="{alt}"></div>'
        '<output class="spiky-told" aria-live="polite"></output></div>\n'
        f'<script type="application/json">{data}</script>\n'
        f'<script defer src="{_PLOTLY}"></script>\n<script>\n{script}</script></div>'
    )


def theorem(E, spike, directions, blocks):
    """Draw spikes with their directions beside the matrix that they make (Figure 2).

    Parameters
    ----------
    E : array, shape (n, 3)
        Embeddings.
    spike : array of int, shape (n,)
        Spike of each row, -1 (grey) for none.
    directions : array, shape (K, 3)
        Unit vectors, drawn as arrows as long as the longest row of their spike.
    blocks : array, shape (n, n)
        The absolute values of M-hat, rows in an order that keeps communities together.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig = plt.figure(figsize=(8.6, 4.0))
    ax = fig.add_subplot(1, 2, 1, projection="3d")
    ax.scatter(*np.asarray(E).T, s=9, c=_shades(spike, len(E)), depthshade=False, linewidths=0)
    length = np.linalg.norm(E, axis=1)
    for k, direction in enumerate(directions):
        tip = 1.12 * length[np.asarray(spike) == k].max() * direction
        ax.plot(*np.stack([np.zeros(3), tip], axis=1), color="black", linewidth=0.6)
        ax.text(*tip, f"$s_{k + 1}$", color=PALETTE[k % 10], fontsize=13)
    ax.scatter([0], [0], [0], s=18, c="black", marker="+")
    ax.set(xticklabels=[], yticklabels=[], zticklabels=[])
    for axis, name in zip("xyz", ("dim 1", "dim 2", "dim 3")):
        getattr(ax, f"set_{axis}label")(name, labelpad=-10)
    ax = fig.add_subplot(1, 2, 2)
    image = ax.imshow(blocks, cmap="viridis", interpolation="nearest")
    ax.set(xlabel="item", ylabel="item")
    fig.colorbar(image, ax=ax, shrink=0.8, label="|M-hat|")
    fig.subplots_adjust(left=0.0, right=0.94, bottom=0.14, top=0.95, wspace=0.2)
    return _done(fig)


def stacked(groups, *, xlabel, ylabels, marks=None, logx=True, logy=()):
    """Draw curves over one common axis, one panel per quantity, stacked.

    Parameters
    ----------
    groups : sequence of dict of str to (x, y)
        Curves by label, one dict per panel; a label keeps its colour in all panels.
    xlabel : str
    ylabels : sequence of str
        With units, one per panel.
    marks : dict of str to float, optional
        Vertical lines by label, across all panels.
    logx : bool, default True
    logy : sequence of int
        Panels whose y axis is logarithmic.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        len(groups), 1, figsize=(6.4, 2.5 * len(groups)), layout="constrained", sharex=True, squeeze=False
    )
    labels = list(dict.fromkeys(label for group in groups for label in group))
    for p, (ax, group, ylabel) in enumerate(zip(axes[:, 0], groups, ylabels)):
        for label, (x, y) in group.items():
            i = labels.index(label)
            ax.plot(x, y, label=label, color=PALETTE[i % 10], marker="osD^vPX*"[i % 8], markersize=4)
        for i, (label, x) in enumerate((marks or {}).items()):
            ax.axvline(x, color="0.35", linestyle=("--", ":", "-.")[i % 3], label=label if p == 0 else None)
        ax.set(ylabel=ylabel, xscale="log" if logx else "linear", yscale="log" if p in logy else "linear")
        ax.legend(fontsize="small")
    axes[-1, 0].set_xlabel(xlabel)
    return _done(fig)


def tradeoff(paths, *, xlabel, ylabel, point_label):
    """Draw how two measures trade off along a setting, one path per label.

    Parameters
    ----------
    paths : dict of str to (x, y, settings)
        Equally long sequences; each point is annotated with its setting.
    xlabel, ylabel : str
        With units.
    point_label : str
        Name of the setting, put before the first point's value.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
    for i, (label, (x, y, settings)) in enumerate(paths.items()):
        ax.plot(x, y, color=PALETTE[i % 10], marker="osD^v"[i % 5], markersize=5, label=label)
        for j, (px, py, setting) in enumerate(zip(x, y, settings)):
            text = f"{point_label} = {setting:g}" if j == 0 else f"{setting:g}"
            ax.annotate(text, (px, py), xytext=(5, 5), textcoords="offset points", fontsize=8)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    if len(paths) > 1:
        ax.legend()
    return _done(fig)


def tail(values, fits, *, xmin, xlabel):
    """Draw the share of items at or above each value on log axes, with fitted tails.

    Parameters
    ----------
    values : array, shape (n,)
        Positive quantities.
    fits : dict of str to (x, y)
        Fitted shares, by label, on the scale of the whole sample.
    xmin : float
        Where the fitted tail starts, drawn as a vertical line.
    xlabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, ax = plt.subplots(figsize=(6.4, 3.8), layout="constrained")
    values = np.sort(values)
    ax.plot(values, 1 - np.arange(len(values)) / len(values), color="black", label="items")
    for i, (label, (x, y)) in enumerate(fits.items()):
        ax.plot(x, y, color=PALETTE[i], linestyle=("--", "-.", ":")[i % 3], linewidth=2, label=label)
    ax.axvline(xmin, color=GREY, linewidth=1, label="start of the tail")
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel="share of items at or above")
    ax.set_ylim(0.5 / len(values), 1.5)
    ax.legend()
    return _done(fig)


def stability_curves(table, *, measure="overlap", chance=True, title=None):
    """Draw the similarity to the reference by date, a panel per similarity, a curve per part.

    Parameters
    ----------
    table : pandas.DataFrame
        From :func:`spikylib.stability.curves`, with one k.
    measure : {"overlap", "jaccard"}, default "overlap"
    chance : bool, default True
        Dot the overlap of lists drawn at random (overlap only).
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Shaded: 95 % intervals. Dashed: the mean of the parts.
    """
    kinds = list(dict.fromkeys(table["similarity"]))
    fig, axes = plt.subplots(
        1, len(kinds), figsize=(4.1 * len(kinds) + 0.4, 4.3), sharey=True, layout="constrained", squeeze=False
    )
    parts = sorted(table["part"].unique())
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.88, len(parts)))
    for ax, kind in zip(axes[0], kinds):
        shown = table[table["similarity"] == kind]
        for part, colour in zip(parts, colours):
            rows = shown[shown["part"] == part]
            low, high = rows["norm_low"].iloc[0], rows["norm_high"].iloc[0]
            marker = _PART_MARKERS[part % len(_PART_MARKERS)]
            label = f"{low:.3g} to {high:.3g}"
            ax.plot(rows["date"], rows[measure], color=colour, marker=marker, markersize=4, label=label)
            ax.fill_between(
                rows["date"],
                rows[f"{measure}_low"],
                rows[f"{measure}_high"],
                color=colour,
                alpha=0.2,
                linewidth=0,
            )
        mean = shown.groupby("date")[measure].mean()
        ax.plot(mean.index, mean, color="black", linestyle="--", linewidth=1.2, label="mean of the parts")
        if chance and measure == "overlap":
            ax.axhline(
                (table["k"] / table["n_candidates"]).mean(),
                color=GREY,
                linestyle=":",
                label="lists at random",
            )
        ax.set(title=kind, ylim=(0, 1), xlabel="end of the window")
        _months(ax)
    axes[0, 0].set_ylabel(f"{measure}@{table['k'].iloc[0]} with the reference")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    order = [*range(len(parts))[::-1], *range(len(parts), len(handles))]
    fig.legend(
        [handles[i] for i in order],
        [labels[i] for i in order],
        loc="outside lower center",
        ncols=4,
        title="norm in the reference",
        fontsize=9,
    )
    if title is not None:
        fig.suptitle(title)
    return _done(fig)


def loss_and_noise(losses):
    """Draw the loss of overlap beside the losses that chance gives, by part.

    Parameters
    ----------
    losses : dict of str to pandas.DataFrame
        By the label of the bars: columns ``similarity``, ``part``, ``loss``. The first is what is
        to be explained.

    Returns
    -------
    matplotlib.figure.Figure
    """
    first = next(iter(losses.values()))
    kinds = list(dict.fromkeys(first["similarity"]))
    fig, axes = plt.subplots(
        1, len(kinds), figsize=(4.1 * len(kinds), 3.9), sharey=True, layout="constrained", squeeze=False
    )
    width = 0.8 / len(losses)
    for ax, kind in zip(axes[0], kinds):
        for i, (label, table) in enumerate(losses.items()):
            rows = table[table["similarity"] == kind]
            at = rows["part"] + (i - (len(losses) - 1) / 2) * width
            hatch = None if i == 0 else ("///", "...", "xx")[(i - 1) % 3]
            ax.bar(
                at,
                rows["loss"],
                width,
                label=label,
                color=PALETTE[i],
                hatch=hatch,
                edgecolor="white",
                linewidth=0,
            )
        last = int(first["part"].max())
        ax.set(title=kind, ylim=(0, 1), xlabel="part of the items, by norm", xticks=range(last + 1))
        ax.set_xticklabels(["lowest", *([""] * (last - 1)), "highest"])
    axes[0, 0].set_ylabel("loss of overlap (1 - overlap)")
    fig.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(losses), fontsize=9
    )
    return _done(fig)


def neighbour_ranks(lists, labels, *, title=None):
    """Draw who is in one item's list, date by date: a line per neighbour, the nearest on top.

    Parameters
    ----------
    lists : pandas.DataFrame
        From :func:`spikylib.stability.follow`.
    labels : dict of id to str
        Names of the neighbours.
    title : str, optional

    Returns
    -------
    matplotlib.figure.Figure
        Neighbours of the first date are blue, newcomers orange.
    """
    fig, ax = plt.subplots(figsize=(7.4, 4.2), layout="constrained")
    dates, k = sorted(lists["date"].unique()), int(lists["rank"].max())
    at_first = set(lists.loc[lists["date"] == dates[0], "id"])
    ranks = lists.pivot(index="date", columns="id", values="rank").reindex(dates)
    for name in ranks:
        old = name in at_first
        ax.plot(
            ranks.index,
            ranks[name],
            color=PALETTE[0] if old else PALETTE[1],
            marker="o" if old else "s",
            markersize=5,
            linestyle="-" if old else "--",
            linewidth=1.5,
            alpha=0.85,
        )
    for date, side, offset in ((dates[0], "right", -8), (dates[-1], "left", 8)):
        for rank, name in lists[lists["date"] == date].set_index("rank")["id"].items():
            colour = PALETTE[0] if name in at_first else PALETTE[1]
            ax.annotate(
                labels[name][:30],
                (date, rank),
                xytext=(offset, 0),
                textcoords="offset points",
                ha=side,
                va="center",
                fontsize=8,
                color=colour,
            )
    ax.set(
        ylim=(k + 0.6, 0.4),
        yticks=range(1, k + 1),
        ylabel="rank in the list",
        xlabel="end of the window",
        title=title,
    )
    ax.margins(x=0.45)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    span = (dates[0], dates[-1])
    ax.set_xticks(_few(dates), [f"{d:%b %Y}" for d in _few(dates)], rotation=30, ha="right", fontsize=9)
    ax.spines["bottom"].set_bounds(*mdates.date2num(span))
    return _done(fig)


def panels(series, *, xlabels, ylabel, points=None, logx=(), ylim=(0, 1.03)):
    """Draw curves, and measured points with two standard errors, in panels side by side.

    Parameters
    ----------
    series : dict of str to dict of str to (x, y)
        Panel title to label to curve. A label has one colour in all panels; a title that
        repeats the x axis is not written.
    xlabels : str or sequence of str
        One for all, or one a panel.
    ylabel : str
        Common to all.
    points : dict of str to dict of str to (x, y, error), optional
        Panel title to label to points; a label that is also a curve's takes its colour.
    logx : sequence of int
        Panels with a logarithmic x axis, from 0.
    ylim : (float, float), default (0, 1.03)

    Returns
    -------
    matplotlib.figure.Figure
    """
    points = points or {}
    labels = list(dict.fromkeys(label for part in (*series.values(), *points.values()) for label in part))
    n = len(series)
    columns = min(n, 2)
    rows = -(-n // columns)
    fig, axes = plt.subplots(
        rows, columns, figsize=(3.7 * columns, 2.9 * rows + 0.5), layout="constrained", sharey=True
    )
    xlabels = [xlabels] * n if isinstance(xlabels, str) else xlabels
    handles = {}
    for i, (ax, (title, curves), xlabel) in enumerate(zip(np.ravel(axes), series.items(), xlabels)):
        for label, (x, y) in curves.items():
            at = labels.index(label)
            style = {"color": PALETTE[at], "linestyle": _DASHES[at % len(_DASHES)]}
            if label not in points.get(title, {}):
                style |= {"marker": _MARKERS[at], "markersize": 3.5}
            handles[label] = ax.plot(x, y, **style)[0]
        for label, (x, y, error) in points.get(title, {}).items():
            at = labels.index(label)
            drawn = ax.errorbar(
                x, y, 2 * np.asarray(error), fmt=_MARKERS[at], color=PALETTE[at], markersize=4, capsize=2
            )
            handles.setdefault(label, drawn)
        ax.set(title="" if title == xlabel else title, xlabel=xlabel, ylim=ylim)
        if i in logx:
            _log(ax.xaxis)
    for ax in np.ravel(axes)[n:]:
        ax.set_axis_off()
    for ax in np.ravel(axes)[:n:columns]:
        ax.set_ylabel(ylabel)
    fig.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(handles), 4))
    return _done(fig)


def bars(frame, *, xlabel):
    """Draw a table as horizontal bars: a group a row, a colour a column.

    Parameters
    ----------
    frame : pandas.DataFrame
        Missing values leave no bar.
    xlabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    n, m = frame.shape
    fig, ax = plt.subplots(figsize=(6.4, 0.9 + 0.16 * n * (m + 1)), layout="constrained")
    height = 0.8 / m
    for j, column in enumerate(frame.columns):
        at = np.arange(n) + (j - (m - 1) / 2) * height
        ax.barh(at, frame[column], height, label=str(column), color=PALETTE[j], edgecolor="white")
    ax.set(xlabel=xlabel, yticks=np.arange(n), yticklabels=frame.index)
    ax.invert_yaxis()
    if m > 1:
        ax.legend()
    return _done(fig)


def space(groups, *, marked=None, title=None, labels=("factor 1", "factor 2", "factor 3")):
    """Show groups of points in three dimensions, from two sides, as the slides do.

    Parameters
    ----------
    groups : dict of str to array, shape (n, 3)
        Points of each group. The label "" is drawn small and grey, as a backdrop.
    marked : dict of str to array, shape (m, 3), optional
        Points to be marked on top.
    title : str, optional
    labels : sequence of three str

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig = plt.figure(figsize=(7.6, 3.9), layout="constrained")
    named = [label for label in groups if label]
    for side, azimuth in enumerate((-60, 30)):
        ax = fig.add_subplot(1, 2, side + 1, projection="3d")
        ax.view_init(elev=18, azim=azimuth)
        if "" in groups:
            ax.scatter(*groups[""].T, s=4, color=GREY, alpha=0.5, linewidth=0, depthshade=False)
        for i, label in enumerate(named):
            ax.scatter(
                *groups[label].T, s=24, color=PALETTE[i], marker=_MARKERS[i], label=label, depthshade=False
            )
        for i, (label, at) in enumerate((marked or {}).items(), start=len(named)):
            ax.scatter(
                *at.T, s=70, color=PALETTE[i], marker="X", edgecolor="black", label=label, depthshade=False
            )
        ax.set(xlabel=labels[0], ylabel=labels[1], zlabel=labels[2])
        ax.set_box_aspect((1, 1, 1), zoom=0.9)
        ax.tick_params(labelsize=7, pad=-1)
        ax.zaxis.labelpad = 2
        if side == 0:
            handles, texts = ax.get_legend_handles_labels()
    fig.legend(handles, texts, loc="outside lower center", ncols=min(len(texts), 4))
    if title:
        fig.suptitle(title)
    return _done(fig)


def intervals(panels, *, xlabels, logx=(), zero=(), marks=None):
    """Draw values with intervals: a row per thing compared, a panel per measure, a colour per group.

    Parameters
    ----------
    panels : sequence of dict of str to pandas.DataFrame
        One per measure: by group a table with columns ``value``, ``low`` and ``high``, and a row
        per thing compared. The rows of the first table give the order, downwards.
    xlabels : sequence of str
        With units, one per panel.
    logx : sequence of int
        Panels with a logarithmic x axis, from 0.
    zero : sequence of int
        Panels with a vertical line at 0.
    marks : dict of int to (label, dict of str to pandas.Series), optional
        For a panel, values to set beside those of the groups, as vertical ticks.

    Returns
    -------
    matplotlib.figure.Figure
    """
    groups = list(panels[0])
    rows = list(panels[0][groups[0]].index)
    fig, axes = plt.subplots(
        1,
        len(panels),
        figsize=(1.3 + 2.1 * len(panels), 1.3 + len(rows) * (0.24 + 0.1 * len(groups))),
        layout="constrained",
        sharey=True,
        squeeze=False,
    )
    for p, (ax, panel, xlabel) in enumerate(zip(axes[0], panels, xlabels)):
        if p in zero:
            ax.axvline(0, color=GREY, linewidth=1)
        for g, (group, table) in enumerate(panel.items()):
            at = np.array([rows.index(row) for row in table.index]) + 0.7 * ((g + 0.5) / len(groups) - 0.5)
            colour = PALETTE[groups.index(group) % 10]
            ax.hlines(at, table["low"], table["high"], color=colour, linewidth=1.5)
            ax.plot(table["value"], at, _MARKERS[g % 8], color=colour, markersize=4.5, label=group)
            if p in (marks or {}):
                ax.plot(marks[p][1][group], at, "|", color=colour, markersize=9, markeredgewidth=1.2)
        ax.set(xlabel=xlabel, yticks=range(len(rows)), yticklabels=rows)
        ax.tick_params(axis="x", labelsize="small")
        for line in np.arange(0.5, len(rows) - 1):
            ax.axhline(line, color="0.92", linewidth=0.6, zorder=0)
        if p in logx:
            _log(ax.xaxis)
    axes[0, 0].set_ylim(len(rows) - 0.4, -0.6)
    for label, _ in (marks or {}).values():
        axes[0, 0].plot([], [], "|", color="0.2", markersize=9, label=label)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    named = dict(zip(labels, handles))
    if len(named) > 1:
        fig.legend(named.values(), named.keys(), loc="outside lower center", ncols=min(len(named), 3))
    return _done(fig)


def measured_and_told(panels, *, xlabel, ylabel):
    """Show measurements as points and what a law tells as dotted curves, on log axes.

    Parameters
    ----------
    panels : dict of (str, float) to dict of str to dict
        Title and marked x of each panel; in it, by label, the points ``measured`` and the curve
        ``told``, each (x, y). A label keeps its colour.
    xlabel, ylabel : str
        With units.

    Returns
    -------
    matplotlib.figure.Figure
    """
    columns = min(len(panels), 2)
    rows = -(-len(panels) // columns)
    fig, axes = plt.subplots(
        rows,
        columns,
        figsize=(3.6 * columns, 2.6 * rows + 0.5),
        layout="constrained",
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    labels, handles = list(dict.fromkeys(label for groups in panels.values() for label in groups)), {}
    for ax, ((title, mark), groups) in zip(np.ravel(axes), panels.items()):
        for label, group in groups.items():
            i = labels.index(label)
            handles[label] = ax.plot(
                *group["measured"], color=PALETTE[i], marker=_MARKERS[i], markersize=4, linestyle="none"
            )[0]
            handles["law"] = ax.plot(*group["told"], color=PALETTE[i], linestyle=":")[0]
        ax.axvline(mark, color=GREY, linestyle="--", linewidth=1, zorder=0)
        ax.set_title(title)
        _log(ax.xaxis)
        _log(ax.yaxis)
    for ax in np.ravel(axes)[len(panels) :]:
        ax.set_axis_off()
    handles["law"] = handles.pop("law")
    fig.supxlabel(xlabel, fontsize="medium")
    fig.supylabel(ylabel, fontsize="medium")
    fig.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=len(handles))
    return _done(fig)


def clouds(groups, *, colour_label):
    """Scatter groups of points in the plane side by side, seen from the origin, with a colour.

    Parameters
    ----------
    groups : dict of str to (points, colour)
        By title: points of shape (n, 2), and a quantity of shape (n,), on the viridis map.
    colour_label : str
        What the colour is, with its unit.

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, axes = plt.subplots(
        1, len(groups), figsize=(2.6 * len(groups) + 0.6, 2.9), layout="constrained", squeeze=False
    )
    low = min(np.min(colour) for _, colour in groups.values())
    high = max(np.max(colour) for _, colour in groups.values())
    for ax, (title, (points, colour)) in zip(axes[0], groups.items()):
        drawn = ax.scatter(*np.asarray(points).T, c=colour, s=8, cmap="viridis", vmin=low, vmax=high)
        ax.scatter([0], [0], c="black", marker="+", s=60)
        ax.set(title=title, xlabel="strongest dimension", aspect="equal", adjustable="datalim")
    axes[0, 0].set_ylabel("second strongest")
    fig.colorbar(drawn, ax=axes, label=colour_label)
    return _done(fig)


def _few(dates):
    return [dates[i] for i in sorted({0, len(dates) // 3, 2 * len(dates) // 3, len(dates) - 1})]


def _months(ax):
    ax.xaxis.set_major_locator(mdates.AutoDateLocator(minticks=3, maxticks=7))
    low, high = mdates.num2date(ax.get_xlim())
    years = (high - low).days > 4 * 365
    ax.xaxis.set_major_formatter(mdates.DateFormatter("%Y" if years else "%b %Y"))
    ax.tick_params(axis="x", rotation=35)
    for label in ax.get_xticklabels():
        label.set_ha("right")


def _log(axis):
    """A logarithmic axis with plain numbers, one to three a decade depending on its length."""
    getattr(axis.axes, f"set_{axis.axis_name}scale")("log")
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _short(values):
    """Numbers with three digits of the largest, which is more than a screen shows."""
    largest = np.abs(values).max()
    digits = 2 - int(np.floor(np.log10(largest))) if largest > 0 else 0
    return (np.round(values, digits) + 0.0).tolist()


def _steps(cover, rhos):
    """A profile of at most eighty steps, and where it reaches each share."""
    n, total = len(cover.spike), len(cover.peaks)
    thin = np.unique(np.geomspace(1, total, 80).round().astype(int))
    needed = 1 + np.searchsorted(cover.captured, np.ceil(np.asarray(rhos) * n - 1e-9))
    needed = np.minimum(needed, total)
    return {
        "peaks": thin.tolist(),
        "share": np.round(cover.captured[thin - 1] / n, 4).tolist(),
        "needed": needed.tolist(),
        "reached": np.round(cover.captured[needed - 1] / n, 4).tolist(),
    }


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

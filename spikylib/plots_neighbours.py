"""Draw the figures of the chapters on averages and playlists: results in, a Figure out."""

import matplotlib.pyplot as plt
import numpy as np

from spikylib.plots import GREY, PALETTE, _done, _log

_MARKERS, _DASHES = "osD^vPX*", ["-", "--", "-.", ":"]


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

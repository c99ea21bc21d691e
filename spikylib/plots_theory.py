"""Draw the figures of the theorem and of the practical advice: results in, a Figure out."""

import matplotlib.pyplot as plt
import numpy as np

from spikylib.plots import GREY, PALETTE, _done, _shades


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


def panels(groups, *, xlabel, ylabels, marks=None, logx=True, logy=()):
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

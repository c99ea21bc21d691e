"""Points in the plane and in space, seen from the origin (a black +)."""

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from spikylib.plots._style import PALETTE, WIDTH, category_colours, finish, panel_axes, set_panel
from spikylib.spikes import SpikeCover


def scatter(panels: dict, *, colour_label: str, **axes) -> Figure:
    """Scatter points in the plane, coloured by a quantity on one scale for all panels.

    Parameters
    ----------
    panels : dict of str to (points, colour)
        By title: points of shape (n, 2), and a quantity of shape (n,), on the viridis map.
    colour_label : str
        What the colour is, with its unit.
    **axes
        Arguments of matplotlib's ``Axes.set``: `xlabel`, `ylabel` ...

    Returns
    -------
    matplotlib.figure.Figure
    """
    fig, figure_axes = panel_axes(len(panels), len(panels), 2.2)
    quantities = np.concatenate([colour for _, colour in panels.values()])
    limits = {"vmin": quantities.min(), "vmax": quantities.max()}
    for i, (ax, (title, (points, colour))) in enumerate(zip(figure_axes, panels.items())):
        drawn = ax.scatter(*np.transpose(points), c=colour, s=8, cmap="viridis", **limits)
        ax.scatter([0], [0], c="black", marker="+", s=60)
        set_panel(ax, i, {"title": title, "aspect": "equal", "adjustable": "datalim"} | axes)
    fig.colorbar(drawn, ax=figure_axes, label=colour_label)
    data = [
        {"panel": title, "x": points[:, 0], "y": points[:, 1], colour_label: colour}
        for title, (points, colour) in panels.items()
    ]
    return finish(fig, data=data)


def cover_in_plane(points: np.ndarray, cover: SpikeCover, *, cos_theta: float) -> Figure:
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
    fig, (ax,) = panel_axes(1, 1, 4.8)
    # points of the plane as complex numbers: a length is abs, a direction an angle
    z = points @ [1, 1j]
    reach, arc = 1.1 * np.abs(z).max(), np.linspace(-1, 1, 40) * np.arccos(cos_theta)
    for k, angle in enumerate(np.angle(z[cover.peaks])):
        cone = reach * np.exp(1j * (angle + arc))
        ax.fill([0, *cone.real], [0, *cone.imag], color=PALETTE[k % 10], alpha=0.12, linewidth=0)
        tip = 1.02 * reach * np.exp(1j * angle)
        ax.annotate(f"peak {k + 1}", (tip.real, tip.imag), ha="center", va="center")
    ax.scatter(*points.T, c=category_colours(cover.spike), s=16)
    ax.scatter(*points[cover.peaks].T, facecolors="none", edgecolors="black", s=70)
    ax.scatter([0], [0], c="black", marker="+", s=60)
    ax.set(xlabel="dimension 1", ylabel="dimension 2", aspect="equal")
    return finish(fig, data=[{"x": points[:, 0], "y": points[:, 1], "spike": cover.spike}])


def scatter3d(
    E: np.ndarray,
    windows: Sequence = ((0, 1, 2),),
    *,
    category: np.ndarray | int = 0,
    names: Sequence[str] | None = None,
    azimuths: tuple[float, ...] = (-60,),
    markers: str = "",
) -> Figure:
    """Scatter an embedding in 3-D, one panel per choice of three dimensions (the paper's Figure 1).

    Parameters
    ----------
    E : array, shape (n, f)
        Rows to draw.
    windows : sequence of (int, int, int), default the first three
        Columns of each panel, counted from 0.
    category : array of int, shape (n,) or (len(windows), n), default 0
        Spike or community of each row, for all panels or per panel; negative or above 9 is grey.
    names : sequence of str, optional
        Names of the columns of E, for the axes. Default: "dim 1", "dim 2", ...
    azimuths : tuple of float, default (-60,)
        Angles, in degrees, from which each window is seen, one panel per angle.
    markers : str, optional
        Markers of categories 0, 1, ..., which are then drawn large.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> E = np.random.default_rng(0).standard_normal((40, 6))
    >>> fig = scatter3d(E, [(0, 1, 2), (3, 4, 5)], category=np.arange(40) % 3)
    >>> fig.axes[1].get_zlabel()
    'dim 6'
    """
    E = np.asarray(E)
    names = [f"dim {d + 1}" for d in range(E.shape[1])] if names is None else names
    categories = np.broadcast_to(category, (len(windows), len(E)))
    views = [(*view, azimuth) for view in zip(windows, categories) for azimuth in azimuths]
    rows, columns = -(-len(views) // 2), min(len(views), 2)
    fig = plt.figure(figsize=(WIDTH, 3.3 * rows) if columns == 2 else (6.4, 5.2))
    for i, (window, of_rows, azimuth) in enumerate(views):
        # in the order of drawing: by depth, a few marked points would vanish behind the rest
        ax = fig.add_subplot(rows, columns, i + 1, projection="3d", azim=azimuth, computed_zorder=False)
        points = E[:, list(window)]
        _draw_in_space(ax, points, of_rows, [names[d] for d in window])
        for k, marker in enumerate(markers):
            look = {"color": PALETTE[k], "marker": marker, "edgecolor": "black", "linewidth": 0.6}
            ax.scatter(*points[of_rows == k].T, s=50, depthshade=False, **look)
    fig.subplots_adjust(left=0.0, right=0.96, bottom=0.03, top=0.99, wspace=0.16, hspace=0.05)
    return finish(fig)


def _draw_in_space(ax, points, category, names):
    """Points coloured by category and the origin, on axes without numbers."""
    ax.scatter(*points.T, s=6, c=category_colours(category), depthshade=False, linewidths=0)
    ax.scatter([0], [0], [0], s=40, c="black", marker="+")
    ax.set_box_aspect(None, zoom=1.05)
    for axis, name in zip((ax.xaxis, ax.yaxis, ax.zaxis), names):
        axis.set_ticklabels([])
        axis.set_label_text(name)
        axis.labelpad = -10

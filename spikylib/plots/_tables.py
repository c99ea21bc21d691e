"""Estimates with intervals, a row a thing compared; and tables and matrices as colours."""

from textwrap import fill

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from spikylib.plots._style import GREY, MARKERS, PALETTE, finish, panel_axes, set_panel


def forest(
    panels: dict[str, pd.DataFrame], *, vertical: float | None = None, reference: str = "reference", **axes
) -> Figure:
    """Draw estimates with their intervals: a row a thing compared, a panel a measure, a colour a group.

    Parameters
    ----------
    panels : dict of str to pandas.DataFrame
        By x label, with its unit, a table with a column ``estimate`` and, where known, ``low``,
        ``high`` and ``reference`` (a null, drawn as a tick). Its index holds the rows, or pairs of
        row and group; rows and groups are drawn in order of first appearance, downwards.
    vertical : float, optional
        An x to draw a line at in every panel, such as 0 for differences.
    reference : str, default "reference"
        What the ticks are, for the legend.
    **axes
        What ``Axes.set`` of matplotlib takes, for all panels or as a list of one a panel, such as
        ``xscale=["log", "linear"]``.

    Returns
    -------
    matplotlib.figure.Figure
        As high as its rows need: a row of several groups spreads them, a row of one does not.

    Examples
    --------
    >>> spk = pd.DataFrame(
    ...     {"estimate": [0.02, 0.31], "low": [0.01, 0.28], "high": [0.03, 0.36], "reference": 0.5},
    ...     index=pd.MultiIndex.from_tuples([("triplej", "music"), ("gowalla", "places")]),
    ... )
    >>> fig = forest({"Spk@32 (share of items)": spk}, reference="Gaussian rows")
    >>> [text.get_text() for text in fig.legends[0].get_texts()]
    ['music', 'places', 'Gaussian rows']
    """
    tables = [t if t.index.nlevels == 2 else t.set_index([t.index, [""] * len(t)]) for t in panels.values()]
    pairs = pd.concat(tables).index.unique()
    rows, groups = (pairs.get_level_values(level).unique() for level in (0, 1))
    # the groups that a row has share its height, whichever they are
    of_row = pd.Series(0, pairs).groupby(level=0, sort=False)
    place = 0.7 * ((of_row.cumcount() + 0.5) / of_row.transform("size") - 0.5)
    place += rows.get_indexer(pairs.get_level_values(0))
    height = 0.9 + 0.18 * len(rows) + 0.11 * len(pairs)
    fig, figure_axes = panel_axes(len(tables), len(tables), height, sharey=True)
    looks, tick = {}, {}

    for i, (ax, xlabel, table) in enumerate(zip(figure_axes, panels, tables)):
        for j, group in enumerate(groups):
            part = table[table.index.get_level_values(1) == group]
            at, colour = place[part.index], PALETTE[j % 10]
            looks[group] = {"color": colour, "marker": MARKERS[j % 8], "linestyle": "none", "markersize": 5}
            ax.plot(part["estimate"], at, **looks[group])
            if "low" in part:
                ax.hlines(at, part["low"], part["high"], color=colour)
            if "reference" in part:
                tick = {"marker": "|", "linestyle": "none", "markersize": 9, "markeredgewidth": 1.2}
                ax.plot(part["reference"], at, color=colour, **tick)
        if vertical is not None:
            ax.axvline(vertical, color=GREY, linewidth=1, zorder=0)
        for between in range(1, len(rows)):
            ax.axhline(between - 0.5, color="0.92", linewidth=0.6, zorder=0)
        set_panel(ax, i, {"xlabel": fill(xlabel, 54 // len(tables)), "ylim": (len(rows) - 0.4, -0.6)} | axes)
        ax.set_yticks(range(len(rows)), rows)
    return finish(fig, looks | ({reference: tick | {"color": "0.2"}} if tick else {}))


def heatmap(
    tables: pd.DataFrame | dict, *, label: str = "", fmt: str | None = None, columns: int = 3, **axes
) -> Figure:
    """Show tables or matrices as colours, each with its own colour bar.

    Parameters
    ----------
    tables : pandas.DataFrame, or dict of str to array of shape (n, m) or DataFrame
        One panel, or panels by title. The names of a DataFrame's rows and columns are the ticks, else
        their numbers; of twelve or more only about four are written, unless `fmt` is given.
    label : str, optional
        What the colour is, with its unit.
    fmt : str, optional
        Format of the number written in each cell, such as ".2g". Default: none is written.
    columns : int, default 3
        Panels side by side, at most.
    **axes
        `xlabel`, `ylabel` ..., as ``Axes.set`` of matplotlib takes them, for all panels or as a list
        of one a panel.

    Returns
    -------
    matplotlib.figure.Figure
    """
    tables = tables if isinstance(tables, dict) else {"": tables}
    # a cell with a number needs half an inch
    height = 0.7 + 0.5 * max(map(len, tables.values())) if fmt else 2.3
    fig, figure_axes = panel_axes(len(tables), columns, height)
    for i, (ax, (title, table)) in enumerate(zip(figure_axes, tables.items())):
        table = pd.DataFrame(table).rename(columns=lambda name: str(name).replace(", ", "\n"))
        # names of many rows or columns would run into each other
        y_step, x_step = (1 if fmt or n < 12 else n // 4 for n in table.shape)
        look = {"cmap": "viridis", "annot": bool(fmt), "fmt": fmt or "", "cbar_kws": {"label": label}}
        sns.heatmap(table, ax=ax, yticklabels=y_step, xticklabels=x_step, **look)
        ax.tick_params(rotation=0)
        set_panel(ax, i, {"title": title} | axes)
    return finish(fig)

"""Estimates with intervals, one row per thing compared; and tables and matrices as colours."""

from dataclasses import asdict
from textwrap import fill

import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from spikylib.claims import Finding, Terms
from spikylib.plots._style import CATALOGUES, THRESHOLD, finish, looks_of, panel_axes, set_panel


def forest(
    findings: list[Finding] | dict[str, pd.DataFrame],
    *,
    xlabel: str | None = None,
    columns: int | None = None,
    vertical: float | None = None,
    reference: str = "reference",
    **axes,
) -> Figure:
    """Draw estimates with their intervals: one row per thing compared, panel per measure, colour per group.

    Parameters
    ----------
    findings : list of Finding, or dict of str to pandas.DataFrame
        Findings of up to three parts of claims, as of :func:`spikylib.claims.stored`: one panel per part,
        one row per catalogue, by domain, with the verdict as a letter at the right end. Those without a
        number are left out. Or, by x label, with its unit, a table with a column ``estimate`` and, where
        known, ``low``, ``high`` and ``reference`` (a null, drawn as a tick). Its index contains the rows,
        or pairs of row and group; rows and groups are drawn in order of first appearance, downwards.
    xlabel : str, optional
        Of findings: what is measured, with its unit.
    columns : int, optional
        Panels side by side, at most. Default: 1 for findings, all for tables.
    vertical : float, optional
        An x to draw a line at in every panel, such as 0 for differences.
    reference : str, default "reference"
        What the ticks of tables are, for the legend. Those of findings are named above each panel: what
        the estimate must pass, or lie between, for the claim to hold.
    **axes
        Arguments of matplotlib's ``Axes.set``, for all panels or a list of one per panel, such as
        ``xscale=["log", "linear"]``.

    Returns
    -------
    matplotlib.figure.Figure
        As high as its rows need; a row spreads its groups if it has several.

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
    judged = not isinstance(findings, dict)
    panels = _tables_of(findings) if judged else findings
    tables = [t if t.index.nlevels == 2 else t.set_index([t.index, [""] * len(t)]) for t in panels.values()]
    whole = pd.concat(tables)
    pairs = (whole.sort_values("order") if judged else whole).index.unique()
    rows, groups = (pairs.get_level_values(level).unique() for level in (0, 1))
    # the groups that a row has share its height, whichever they are
    of_row = pd.Series(0, pairs).groupby(level=0, sort=False)
    place = 0.7 * ((of_row.cumcount() + 0.5) / of_row.transform("size") - 0.5)
    place += rows.get_indexer(pairs.get_level_values(0))
    height = 0.9 + 0.18 * max(len(rows), 8 * judged) + 0.11 * len(pairs)  # titles of findings need room
    columns = columns or (1 if judged else len(tables))
    fig, figure_axes = panel_axes(len(tables), columns, height, sharey=True)
    usual, looks, data = looks_of(groups), {}, []

    for i, (ax, title, table) in enumerate(zip(figure_axes, panels, tables)):
        numbers = table.rename_axis(["row", "group"]).filter(regex="^(estimate|low|high|ref|needs_|verdict)")
        data.append((numbers.droplevel(1) if judged else numbers).reset_index().assign(panel=title))
        for group in groups:
            part = table[table.index.get_level_values(1) == group]
            at, look = place[part.index], usual[group] | {"linestyle": "none"}
            ax.plot(part["estimate"], at, **look)
            if "low" in part:
                ax.hlines(at, part["low"], part["high"], color=look["color"])
            tick = {"marker": "|", "linestyle": "none", "markersize": 9, "markeredgewidth": 1.2}
            for column in part.columns.intersection(["needs_low", "needs_high"] if judged else ["reference"]):
                ax.plot(part[column], at, color="0.2" if judged else look["color"], **tick)
            for y, verdict in zip(at, part["verdict"] if judged else ()):
                letter = rf"$\mathbf{{{verdict[0].upper()}}}$"
                looks[verdict] = {"marker": letter, "markeredgewidth": 0, "linestyle": "none", "color": "0.2"}
                ax.plot(1.04, y, transform=ax.get_yaxis_transform(), clip_on=False, **looks[verdict])
            looks |= {} if judged else {group: look}
        if vertical is not None:
            ax.axvline(vertical, **THRESHOLD)
        for between in range(1, len(rows)):
            ax.axhline(between - 0.5, color="0.92", linewidth=0.6, zorder=0)
        shown = {"xlabel": fill(title, 54 // columns)}
        if judged:
            measured, unit, needed = table[["measured", "unit", "needed"]].iloc[0]
            shown["xlabel"] = fill(xlabel or unit.replace("%", "share (%)"), 54 // columns)
            shown["title"] = "\n".join(fill(text, 60 // columns) for text in (measured, f"| {needed}"))
        set_panel(ax, i, shown | {"ylim": (len(rows) - 0.4, -0.6)} | axes)
        ax.title.set_fontsize("small" if judged else "medium")
        ax.set_yticks(range(len(rows)), rows)
        if judged and i % columns == 0:
            _name_domains(ax, rows)
    named = {reference: tick | {"color": "0.2"}} if not judged and "reference" in whole else {}
    return finish(fig, looks | named, data)


def _tables_of(findings):
    """A table a part of a claim: what was measured on each catalogue, and its place among them."""
    order = [*CATALOGUES, *(found.data for found in findings)]
    table = pd.DataFrame([asdict(f) | Terms.of(f)._asdict() for f in findings])
    table = table.dropna(subset="estimate").assign(row=table["data"], order=table["data"].map(order.index))
    table.update(100 * table[table["unit"] == "%"].filter(regex="^(estimate|low|high|reference|needs_[lh])"))
    groups = list(table.groupby(["id", "part"], sort=False))
    if not 1 <= len(groups) <= 3:
        raise ValueError(f"{len(groups)} parts have numbers; give the findings of one to three parts")
    return {", ".join(filter(None, key)): part.set_index(["row", "data"]) for key, part in groups}


def _name_domains(ax, rows):
    """The domain to the left of the first of its catalogues, beyond the longest name."""
    place = {"xytext": (-6.2 * max(map(len, rows)) - 14, 0), "textcoords": "offset points"}
    look = {"ha": "right", "va": "center", "color": "0.4", "style": "italic", "fontsize": "small"}
    domains = [CATALOGUES.get(row, ("",))[0] for row in rows]
    for y, domain in enumerate(domains):
        if domain not in domains[:y]:
            ax.annotate(domain, (0, y), xycoords=ax.get_yaxis_transform(), **place, **look)
            ax.axhline(y - 0.5, color="0.6", linewidth=0.6)


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
        Arguments of matplotlib's ``Axes.set``, for all panels or a list of one per panel: `xlabel`,
        `ylabel` ...

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

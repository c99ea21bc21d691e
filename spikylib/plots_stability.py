"""Draw the figures of the stability chapter: results in, a matplotlib Figure out.

The look is that of :mod:`spikylib.plots`.
"""

import matplotlib.dates as mdates
import matplotlib.pyplot as plt
import numpy as np

from spikylib.plots import GREY, PALETTE, _done

_MARKERS = "ovsD^P*X<>"


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
            marker = _MARKERS[part % len(_MARKERS)]
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

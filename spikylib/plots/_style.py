"""The look that all figures share: colours, markers, logarithmic axes, panels, legends, and their data."""

from collections.abc import Iterable
from itertools import cycle

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

PALETTE = sns.color_palette("colorblind")
GREY = "0.65"
MARKERS = "osD^vPX*"
# none of them dotted: a dotted line is a null, chance or a law; and a thin grey one is a threshold
DASHES = ("-", "--", "-.", (0, (6, 2, 1, 2, 1, 2)))
THRESHOLD = {"color": "0.4", "linewidth": 0.8, "zorder": 0}
# A catalogue looks the same in the whole book: its colour of the palette (10 is dark grey), which relatives
# share, and a marker and a dash of its own. Its domain groups it in a forest.
CATALOGUES = {
    name: (domain, colour, MARKERS[(first + i) % 8], DASHES[i % 4])
    for domain, colour, first, names in (
        ("music", 0, 0, "cornell-yes-small cornell-yes-big cornell-yes-complete released-cornell"),
        ("music", 1, 3, "triplej aotm-2011 spotify-mpd deezer-songs released-aotm"),
        ("music", 2, 4, "lastfm-2k lastfm-360k item2vec-sgns item2vec-cbow released-lastfm"),
        ("films", 3, 5, "movielens-small movielens-25m released-movielens"),
        ("groceries", 4, 6, "complete-journey"),
        ("products", 4, 2, "amazon-beauty s3rec-beauty"),
        ("businesses", 5, 1, "yelp"),
        ("places", 5, 3, "gowalla"),
        ("papers", 9, 7, "citeulike-a"),
        ("words", 9, 5, "glove-50d"),
        ("generated", 10, 0, "synthetic synthetic-clean synthetic-dated"),
    )
    for i, name in enumerate(names.split())
}
COLOURS = (*PALETTE, (0.25, 0.25, 0.25))
WIDTH = 7.0  # inches at 110 dpi: a little more than the page, so that text is shrunk by a tenth at most

# set once, at import: ticks are made when a figure is first shown, after an rc_context would have ended
sns.set_theme(style="ticks", palette="colorblind")  # on opaque white
plt.rcParams |= {
    "figure.dpi": 110,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "date.converter": "concise",
}
pd.set_option("display.max_colwidth", None)  # tables beside the figures name every catalogue


def panel_axes(n: int, columns: int, row_height: float, *, sharey: bool = False) -> tuple[Figure, list]:
    """A figure as wide as the page and its n axes, left to right and down."""
    columns = min(columns, n)
    rows = -(-n // columns)
    size = (WIDTH, row_height * rows + 0.4)
    fig, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False, sharey=sharey)
    for ax in grid.flat[n:]:
        ax.set_axis_off()
    return fig, list(grid.flat[:n])


def set_panel(ax, i: int, settings: dict) -> None:
    """Set what `ax.set` takes, from settings for all panels or lists of one per panel."""
    ax.set(**{name: value[i] if isinstance(value, list) else value for name, value in settings.items()})
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            # plain numbers, one to three a decade depending on its length
            low, high = sorted(axis.get_view_interval())
            axis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())


def looks_of(labels: Iterable[str], styles: dict[str, dict] | None = None) -> dict[str, dict]:
    """By label the properties of its line: a catalogue's own, else the first that no other label has.

    A catalogue is known by its name, also before " (this run)"; `styles` has what is asked for.
    """
    labels = dict.fromkeys(labels)
    known = {label: CATALOGUES.get(label.removesuffix(" (this run)")) for label in labels}
    taken = {look[1] for look in known.values() if look}
    others = [k for k in range(10) if k not in taken]
    free = zip(cycle(others or [8]), cycle(MARKERS), cycle(DASHES))
    looks = {}
    for label in labels:
        k, marker, dash = known[label][1:] if known[label] else next(free)
        usual = {"color": COLOURS[k], "marker": marker, "markersize": 5, "linestyle": dash}
        looks[label] = usual | (styles or {}).get(label, {})
    return looks


def finish(fig: Figure, looks: dict[str, dict] | None = None, data: Iterable[dict] = ()) -> Figure:
    """The figure with a legend of more than one label, withdrawn from pyplot so that it is shown once.

    The legend is below the panels, where it hides no data; `looks` has the properties of its lines.
    `data` are the points drawn, as columns of a table: a notebook keeps them with the picture,
    and the book offers them for download.
    """
    if looks and len(looks) > 1:
        # some 80 characters fit, and the sample of a line is as wide as six
        columns = max(1, min(len(looks), 80 // (6 + max(map(len, looks)))))
        handles = [Line2D([], [], **look) for look in looks.values()]
        fig.legend(handles, list(looks), loc="outside lower center", ncols=columns)
    plt.close(fig)
    if data := list(map(pd.DataFrame, data)):
        table = pd.concat(data, ignore_index=True)
        table = table.loc[:, ~table.isin(["", np.nan]).all()]
        text = table.to_csv(index=False, float_format="%.4g", lineterminator="\n")
        if len(table) <= 2000 and len(text) <= 20_000:  # no cloud of points
            fig._repr_mimebundle_ = lambda **_: ({}, {"text/csv": text})  # type: ignore[attr-defined]
    return fig


def category_colours(category: np.ndarray) -> np.ndarray:
    """A colour per row: one of ten for 0 to 9, grey for the rest."""
    return np.array([*PALETTE, (0.75, 0.75, 0.75)])[np.where((category >= 0) & (category < 10), category, 10)]

"""The look that all figures share: palette, markers, logarithmic axes, panels and legends."""

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
# none of them dotted: a dotted line is a null, chance or a law
DASHES = ("-", "--", "-.", (0, (6, 2, 1, 2, 1, 2)))
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
    """Set what `ax.set` takes, from settings for all panels or lists of one a panel."""
    ax.set(**{name: value[i] if isinstance(value, list) else value for name, value in settings.items()})
    for axis in (ax.xaxis, ax.yaxis):
        if axis.get_scale() == "log":
            # plain numbers, one to three a decade depending on its length
            low, high = sorted(axis.get_view_interval())
            axis.set_major_locator(LogLocator(subs=(1,) if high > 100 * low else (1, 2, 5)))
            axis.set_major_formatter(StrMethodFormatter("{x:g}"))
            axis.set_minor_formatter(NullFormatter())


def finish(fig: Figure, looks: dict[str, dict] | None = None) -> Figure:
    """The figure with a legend of more than one label, withdrawn from pyplot so that it is shown once.

    The legend is below the panels, where it hides no data; `looks` has the properties of its lines.
    """
    if looks and len(looks) > 1:
        # some 80 characters fit, and the sample of a line is as wide as six
        columns = max(1, min(len(looks), 80 // (6 + max(map(len, looks)))))
        handles = [Line2D([], [], **look) for look in looks.values()]
        fig.legend(handles, list(looks), loc="outside lower center", ncols=columns)
    plt.close(fig)
    return fig


def category_colours(category: np.ndarray) -> np.ndarray:
    """A colour per row: one of ten for 0 to 9, grey for the rest."""
    return np.array([*PALETTE, (0.75, 0.75, 0.75)])[np.where((category >= 0) & (category < 10), category, 10)]

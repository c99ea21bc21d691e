"""Figures: what they are given is what they show, and a notebook shows each once."""

import json
from base64 import b64decode

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from spikylib import claims, datasets, plots, spikes
from spikylib.plots._style import CATALOGUES, looks_of

E = np.random.default_rng(0).standard_normal((40, 6))
NAMES = {"xlabel": "f", "ylabel": "Spk (share of items)"}


def legend(fig):
    return [text.get_text() for text in fig.legends[0].get_texts()] if fig.legends else []


def test_lines_label_curves_bands_nulls_and_verticals():
    fig = plots.lines(
        {"a": ([1, 2], [3, 4], [2, 3], [4, 5]), "b": ([1, 2], [5, 6])},
        dotted={"b": ([1, 2], [9, 9]), "chance": ([1, 2], [1, 1])},
        vertical={"knee": 2},
        notes={"b": ["γ = 0", "0.25"]},
        styles={"a": {"color": "black"}},
        xscale="log",
        yscale="log",
        **NAMES,
    )
    (ax,) = fig.axes
    a, b, null, chance, knee = ax.lines
    assert legend(fig) == ["a", "b", "null", "chance"]
    assert a.get_color() == "black" and b.get_color() == null.get_color() != chance.get_color()
    assert (list(b.get_xdata()), list(b.get_ydata()), list(null.get_ydata())) == ([1, 2], [5, 6], [9, 9])
    assert null.get_linestyle() == chance.get_linestyle() == ":" != b.get_linestyle()
    assert list(knee.get_xdata()) == [2, 2]
    (band,) = ax.collections[0].get_paths()
    assert (min(band.vertices[:, 1]), max(band.vertices[:, 1])) == (2, 5), "the band of a"
    assert [note.get_text() for note in ax.texts] == ["γ = 0", "0.25", "knee "]
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("f", "Spk (share of items)")
    assert plt.get_fignums() == [], "withdrawn from pyplot"
    assert not legend(plots.lines({"a": ([1, 2], [3, 4])}, **NAMES))


def test_a_label_looks_the_same_in_all_panels_and_layers():
    fig = plots.lines(
        {"peaks": {"a": ([1, 2], [3, 4])}, "recall": {"b": ([1, 2], [5, 6]), "a": ([1, 2], [7, 8])}},
        points={"recall": {"b": ([1, 2], [5, 7], [4, 6], [6, 9])}},
        vertical={"peaks": {"K": 2}},
        xlabel=["recall", "f"],
        ylabel=["peaks", "share"],
        yscale=["log", "linear"],
        columns=1,
    )
    above, below = fig.axes
    assert above.get_yscale() == "log" and below.get_yscale() == "linear"
    b, a, measured = below.lines[:3]
    assert above.lines[0].get_color() == a.get_color() != b.get_color() == measured.get_color()
    assert above.lines[0].get_marker() == a.get_marker() != measured.get_marker()
    assert b.get_marker() == "" and measured.get_linestyle() == "None"
    (bars,) = below.containers[0][2]
    np.testing.assert_allclose([s[:, 1] for s in bars.get_segments()], [[4, 6], [6, 9]])
    assert legend(fig) == ["a", "b"] and [text.get_text() for text in above.texts] == ["K "]
    alone = plots.lines({}, points={"a": ([1], [2]), "b": ([1], [3])}, **NAMES)
    colours = [line.get_color() for line in alone.legends[0].get_lines()]
    assert colours == [line.get_color() for line in alone.axes[0].lines] and colours[0] != colours[1]
    assert [ax.get_title() for ax in fig.axes] == ["", "recall"]
    assert [(ax.get_xlabel(), ax.get_ylabel()) for ax in fig.axes] == [("recall", "peaks"), ("f", "share")]


def test_a_catalogue_looks_the_same_in_every_figure_and_like_no_other():
    known = datasets.catalogue().set_index("name")["domain"].to_dict()
    assert {name: look[0] for name, look in CATALOGUES.items()} == known
    assert len({look[1:3] for look in CATALOGUES.values()}) == len(CATALOGUES)
    alone = looks_of(["triplej (this run)"])["triplej (this run)"]
    looks = looks_of(["a chance", "another", "triplej", "yelp"])
    assert looks["triplej"] == alone
    colours = {tuple(look["color"]) for look in looks.values()}
    assert len(colours) == 4, "what is no catalogue has none of their colours"


def test_a_notebook_keeps_the_points_of_a_figure_and_no_cloud():
    def kept(fig):
        data, metadata = fig._repr_mimebundle_(include=None, exclude=None)
        assert data == {}
        return metadata["text/csv"].splitlines()

    curve = {"a": ([1, 2], [1 / 3, 12345.678], [0, 1], [1, 2.5e4])}
    fig = plots.lines(curve, points={"b": ([1], [2])}, dotted={"a": ([1], [9])}, **NAMES)
    assert kept(fig) == [
        "label,x,y,low,high",
        "a,1,0.3333,0,1",
        "a,2,1.235e+04,1,2.5e+04",
        "b,1,2,,",
        '"a, null",1,9,,',
    ]
    assert kept(plots.scatter({"left": (E[:1, :2], E[:1, 2])}, colour_label="t"))[0] == "panel,x,y,t"
    cloud = plots.scatter({"": (np.zeros((2001, 2)), np.zeros(2001))}, colour_label="t")
    assert not hasattr(cloud, "_repr_mimebundle_")


def test_panels_with_one_y_label_share_the_axis_and_no_title_repeats_a_label():
    curve = {"a": ([1, 2], [3, 4])}
    fig = plots.lines({"d": curve, "n": curve, "k": curve}, xlabel=["d", "n", "items"], ylabel="share")
    assert [ax.get_title() for ax in fig.axes[:3]] == ["", "", "k"]
    assert [ax.get_ylabel() for ax in fig.axes[:3]] == ["share", "", "share"]
    assert not fig.axes[3].axison, "an unfilled place is empty"
    flat = plots.lines({"n": curve, "k": curve}, dotted={"b": ([1, 2], [0, 0])}, **NAMES)
    assert [len(ax.lines) for ax in flat.axes] == [2, 2], "a layer without titles is in every panel"
    dense = plots.lines({"a": (np.arange(41), np.arange(41))}, **NAMES).axes[0].lines[0]
    assert dense.get_marker() == "" != plots.lines(curve, **NAMES).axes[0].lines[0].get_marker()


def test_cover_profile_steps_through_the_captured_rows():
    cover = spikes.cover(E, rho=0.8)
    fig = plots.cover_profile({"f = 6": cover}, rho=0.8, nulls={"null": spikes.cover(E[:, :3], rho=0.8)})
    profile, null, rho = fig.axes[0].lines
    np.testing.assert_allclose(profile.get_ydata(), cover.captured / 40)
    assert profile.get_drawstyle() == "steps-post" and null.get_linestyle() == ":"
    assert list(rho.get_ydata()) == [0.8, 0.8]
    assert f"f = 6: {len(cover.peaks)} peaks" in legend(fig)


def test_stability_curves_have_a_panel_a_similarity_and_a_curve_a_part():
    dates = pd.to_datetime(["2022-05-21", "2022-06-21"])
    rows = [(s, p, d) for s in ("dot", "cosine") for d in dates for p in range(2)]
    table = pd.DataFrame(rows, columns=["similarity", "part", "date"])
    table = table.assign(k=5, norm_low=table["part"], norm_high=table["part"] + 1)
    table["overlap"] = np.linspace(0.1, 0.8, 8)
    table = table.assign(overlap_low=table["overlap"] - 0.1, overlap_high=table["overlap"] + 0.1)
    means = table.groupby(["similarity", "date"])[["overlap"]].mean().assign(chance=0.2)
    fig = plots.stability_curves(table, others=means)
    assert [ax.get_title() for ax in fig.axes] == ["dot", "cosine"]
    assert legend(fig) == ["norm 0 to 1", "norm 1 to 2", "overlap", "chance"]
    first, second, mean, chance = fig.axes[0].lines
    np.testing.assert_allclose(first.get_ydata(), [0.1, 0.3])
    np.testing.assert_allclose(second.get_ydata(), [0.2, 0.4])
    np.testing.assert_allclose(mean.get_ydata(), [0.15, 0.35])
    assert (mean.get_linestyle(), chance.get_linestyle()) == ("--", ":")
    assert fig.axes[0].get_ylabel() == "overlap@5 with the reference"
    assert len(plots.stability_curves(table).axes[0].lines) == 2


def test_forest_spreads_the_groups_of_a_row_and_keeps_their_colours():
    index = pd.MultiIndex.from_tuples([("SVD", "triplej"), ("SVD", "yes"), ("ALS", "yes")])
    spk = pd.DataFrame({"estimate": [0.02, 0.3, 0.5], "reference": 0.6}, index=index)
    spk = spk.assign(low=spk["estimate"] - 0.01, high=spk["estimate"] + 0.02)
    panels = {"Spk": spk, "recall": spk[["estimate"]][::-1]}
    fig = plots.forest(panels, xscale=["log", "linear"], vertical=0.1, reference="null")
    left, right = fig.axes
    assert [t.get_text() for t in left.get_yticklabels()] == ["SVD", "ALS"]
    assert left.get_ylim()[0] > left.get_ylim()[1], "the first row is on top"
    triplej, ticks, yes = left.lines[:3]
    assert list(triplej.get_xdata()) == [0.02] and list(yes.get_xdata()) == [0.3, 0.5]
    assert triplej.get_ydata()[0] < 0 < yes.get_ydata()[0] and yes.get_ydata()[1] == 1
    assert list(ticks.get_xdata()) == [0.6] and ticks.get_color() == triplej.get_color()
    np.testing.assert_allclose(
        [s[:, 0] for s in left.collections[1].get_segments()], [[0.29, 0.32], [0.49, 0.52]]
    )
    assert right.lines[1].get_color() == yes.get_color() and not right.collections
    assert sorted(right.lines[1].get_ydata()) == sorted(yes.get_ydata())
    assert (left.get_xscale(), right.get_xscale(), left.get_xlabel()) == ("log", "linear", "Spk")
    assert legend(fig) == ["triplej", "yes", "null"]
    (ax,) = plots.forest({"Spk": spk.loc["SVD"]}).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["triplej", "yes"]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0, 1], atol=1e-12)


def test_forest_groups_findings_by_domain_and_ends_with_their_verdicts():
    def finding(data, estimate, verdict, part="P25, more is found", unit="%"):
        return claims.Finding(*part.split(", "), data, 9, 2, 0, estimate, 0.1, 0.3, 0.2, unit, verdict)

    found = [finding("yelp", 0.15, "undecided"), finding("lastfm-2k", 0.25, "holds")]
    found += [finding("triplej", 0.1, "fails"), finding("gowalla", np.nan, "not applicable")]
    (ax,) = plots.forest(found).axes
    assert [t.get_text() for t in ax.get_yticklabels()] == ["triplej", "lastfm-2k", "yelp"]
    assert [t.get_text() for t in ax.texts] == ["music", "businesses"]
    assert (ax.get_xlabel(), ax.get_title()) == (
        "share (%)",
        "Recall@50 of all hidden items by dot product\n| by cosine + 1 point",
    )
    marks = {line.get_marker(): line for line in ax.lines if line.get_marker() in ("^", "v", "s")}
    assert [list(marks[m].get_xdata()) for m in "^vs"] == [[10], [25], [15]]
    letters = {
        line.get_ydata()[0]: line.get_marker() for line in ax.lines if "mathbf" in str(line.get_marker())
    }
    assert [letters[k][-3] for k in range(3)] == ["F", "H", "U"]
    fig = plots.forest([*found, finding("triplej", 3, "holds", "P13, ", "")], xlabel="x", columns=2)
    assert sorted(legend(fig)) == ["fails", "holds", "undecided"]
    tick = next(line for line in fig.axes[1].lines if line.get_marker() == "|")
    assert tick.get_xdata().tolist() == [1.2]  # reference 0.2, and the claim needs at least 1 more
    assert [ax.get_xlabel() for ax in fig.axes] == ["x", "x"]
    with pytest.raises(ValueError, match="0 parts have numbers"):
        plots.forest(found[-1:])


def test_heatmap_shows_the_values_names_and_units():
    table = pd.DataFrame([[1.0, 2.0]], index=["row"], columns=["SVD, dot", "b"])
    fig = plots.heatmap(table, xlabel="rho", ylabel="theta", label="percent", fmt=".1f")
    assert fig.axes[0].get_xlabel() == "rho" and fig.axes[1].get_ylabel() == "percent"
    assert [t.get_text() for t in fig.axes[0].texts] == ["1.0", "2.0"]
    assert [t.get_text() for t in fig.axes[0].get_xticklabels()] == ["SVD\ndot", "b"]
    fig = plots.heatmap({"a": E, "b": -E}, xlabel=["item", "context"])
    assert [ax.get_title() for ax in fig.axes[:2]] == ["a", "b"] and not fig.axes[0].texts
    assert [ax.get_xlabel() for ax in fig.axes[:2]] == ["item", "context"]
    np.testing.assert_array_equal(fig.axes[1].collections[0].get_array(), -E)
    assert [t.get_text() for t in fig.axes[0].get_yticklabels()] == ["0", "10", "20", "30"]


def test_scatter_shares_one_scale_of_colour():
    fig = plots.scatter(
        {"a": (E[:, :2], np.arange(40)), "b": (E[:, 2:4], np.full(40, 7.0))}, colour_label="t"
    )
    left, right = fig.axes[:2]
    np.testing.assert_array_equal(left.collections[0].get_offsets(), E[:, :2])
    assert left.collections[0].get_clim() == right.collections[0].get_clim() == (0, 39)
    assert fig.axes[2].get_ylabel() == "t"


def test_a_cover_in_the_plane_has_a_cone_around_each_peak():
    points = E[:, :2]
    cover = spikes.cover(points, rho=0.5)
    (ax,) = plots.cover_in_plane(points, cover, cos_theta=0.9).axes
    assert [t.get_text() for t in ax.texts] == [f"peak {k + 1}" for k in range(len(cover.peaks))]
    edge = ax.patches[0].get_xy()[1]
    peak = points[cover.peaks[0]]
    assert edge @ peak / np.linalg.norm(edge) / np.linalg.norm(peak) == pytest.approx(0.9)


def test_scatter3d_draws_every_row_in_every_panel():
    fig = plots.scatter3d(
        E, [(0, 1, 2), (3, 4, 5)], category=np.full(40, -1), names=[f"dim {d}" for d in range(10, 16)]
    )
    first, second = fig.axes
    assert len(first.collections[0].get_offsets()) == 40
    assert (first.get_xlabel(), second.get_zlabel()) == ("dim 10", "dim 15")
    assert len(plots.scatter3d(E).axes) == 1
    views = plots.scatter3d(
        E[:, :3], category=np.arange(40) % 3 - 1, names="abc", azimuths=(0, 90), markers="oX"
    )
    assert not views.axes[0].computed_zorder, "the marked ones are drawn over the rest"
    assert [ax.azim for ax in views.axes] == [0, 90] and views.axes[0].get_xlabel() == "a"
    assert [len(c.get_offsets()) for c in views.axes[1].collections] == [40, 1, 13, 13]


LABELS = [f"item {i}" for i in range(39)] + ["</script>"]
COVERS = [(range(1, 17), np.arange(40) % 12, ["a", "b"]), (range(4, 7), np.full(40, -1), [])]


def test_scatter3d_interactive_keeps_every_column_and_greys_the_eleventh_spike():
    figure = plots.scatter3d_interactive(E * 100, [1, 2, 3, 65, 66, 67], labels=LABELS, covers=COVERS)
    (points,) = figure.data
    meta = figure.layout.meta
    assert meta["dimensions"] == [1, 2, 3, 65, 66, 67]
    np.testing.assert_allclose(np.transpose(meta["columns"]), E * 100, atol=0.5)
    assert list(points.z) == meta["columns"][2] and figure.layout.scene.zaxis.title.text == "dim 3"
    assert [c["dimensions"] for c in meta["covers"]] == [list(range(1, 17)), [4, 5, 6]]
    assert [c["name"] for c in meta["covers"]] == ["of dimensions 1 to 16", "of dimensions 4 to 6"]
    assert list(points.marker.color)[9:13] == [9, -1, -1, 0]
    lowest, first = points.marker.colorscale[0], points.marker.colorscale[2]
    assert lowest == (0, "#bfbfbf") and first == (pytest.approx(1 / 11), "#0173b2")


def test_html_is_the_same_every_time_and_asks_nothing_of_the_network():
    def page():
        figure = plots.scatter3d_interactive(E, range(1, 7), labels=LABELS, covers=COVERS)
        return plots.html(figure, "turn", still=plots.scatter3d(E), alt='rays "through" <0>').data

    assert page() == page()
    soup = BeautifulSoup(page(), "html.parser")
    (data,) = soup.find_all("script", type="application/json")
    data = json.loads(data.string)
    assert data["data"][0]["text"] == LABELS, "a label cannot end the script"
    assert data["layout"]["template"]["layout"]["paper_bgcolor"] == "white"
    assert [s["src"] for s in soup.find_all("script", src=True)] == ["../_static/plotly.min.js"]
    assert soup.div["id"] == "turn"
    assert soup.img["alt"] == soup.find(role="img")["aria-label"] == 'rays "through" <0>'
    assert b64decode(soup.img["src"].partition(",")[2]).startswith(b"\x89PNG")


def test_cover_profile_interactive_knows_the_peaks_needed_at_every_position():
    rhos = [0.1, 0.5, 0.8]
    covers = {c: {"f = 3": spikes.cover(E, f=3, cos_theta=c, rho=0.8)} for c in (0.5, 0.9)}
    figure = plots.cover_profile_interactive(covers, rhos=rhos, start=(0.9, 0.5))
    meta = figure.layout.meta
    assert (meta["n"], meta["labels"], meta["start"]) == (40, ["f = 3"], [1, 1])
    for c, (curve,) in zip(covers, meta["curves"]):
        alone = [spikes.cover(E, f=3, cos_theta=c, rho=r) for r in rhos]
        assert curve["needed"] == [len(cover.peaks) for cover in alone]
        shares = dict(zip(curve["peaks"], curve["share"]))
        assert [shares[p] for p in curve["needed"]] == [cover.captured[-1] / 40 for cover in alone]
        assert curve["peaks"][0] == 1 and curve["peaks"][-1] == len(alone[-1].peaks)
    assert figure.layout.shapes[0].y0 == 0.5


def test_cover_profile_interactive_thins_a_long_profile():
    cover = spikes.cover(np.eye(1000), rho=0.9)
    (curve,) = plots.cover_profile_interactive({0.9: {"f": cover}}, rhos=[0.9], start=(0.9, 0.9)).data
    assert len(curve.x) <= 81
    np.testing.assert_allclose(curve.y, np.array(curve.x) / 1000, atol=1e-4)

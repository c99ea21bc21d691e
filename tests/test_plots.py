"""Figures: what they are given is what they show, and a notebook shows each once."""

import json
from base64 import b64decode

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from spikylib import plots, spikes, synthetic
from spikylib.svd import truncated_svd


def test_theorem_shows_the_matrix_and_a_direction_per_spike():
    M, spike = synthetic.planted_spikes(sizes=(5, 4), n_off=3)
    E = truncated_svd(M, f=3).embeddings()
    directions = np.eye(3)[:2]
    fig = plots.theorem(E, spike, directions, M)
    assert isinstance(fig, Figure)
    space, image = fig.axes[:2]
    assert [t.get_text() for t in space.texts] == ["$s_1$", "$s_2$"]
    np.testing.assert_array_equal(image.images[0].get_array(), M)


def test_panels_keep_the_colour_of_a_label():
    fig = plots.stacked(
        [{"a": ([1, 2], [3, 4])}, {"b": ([1, 2], [5, 6]), "a": ([1, 2], [7, 8])}],
        xlabel="f",
        ylabels=["peaks", "recall"],
        marks={"knee": 2},
        logy=(0,),
    )
    above, below = fig.axes
    assert above.get_yscale() == "log" and below.get_yscale() == "linear"
    assert above.lines[0].get_color() == below.lines[1].get_color() != below.lines[0].get_color()
    assert above.lines[1].get_xdata() == [2, 2]
    assert (above.get_ylabel(), below.get_ylabel(), below.get_xlabel()) == ("peaks", "recall", "f")


def test_tradeoff_names_every_setting():
    fig = plots.tradeoff(
        {"data": ([1.0, 0.5], [0.1, 0.2], [0.0, 0.25])}, xlabel="coverage", ylabel="recall", point_label="γ"
    )
    (ax,) = fig.axes
    assert [t.get_text() for t in ax.texts] == ["γ = 0", "0.25"]
    assert ax.get_legend() is None


def test_tail_falls_from_one():
    fig = plots.tail([3.0, 1.0, 2.0, 4.0], {"fit": ([2, 4], [0.7, 0.2])}, xmin=2, xlabel="degree")
    (ax,) = fig.axes
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3, 4])
    assert ax.lines[0].get_ydata() == pytest.approx([1, 0.75, 0.5, 0.25])
    assert ax.get_xscale() == ax.get_yscale() == "log"


E = np.random.default_rng(0).standard_normal((40, 6))


def test_a_figure_is_withdrawn_from_pyplot():
    plots.lines({"a": ([1, 2], [3, 4])}, xlabel="x", ylabel="y")
    assert plt.get_fignums() == []


def test_lines_label_curves_nulls_and_reference():
    fig = plots.lines(
        {"a": ([1, 2], [3, 4]), "b": ([1, 2], [5, 6])},
        nulls={"b": ([1, 2], [9, 9])},
        bands={"a": ([2, 3], [4, 5])},
        reference=(1.0, "chance"),
        xlabel="f",
        ylabel="Spk (share of items)",
        logx=True,
        logy=True,
    )
    (ax,) = fig.axes
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["a", "b", "b: null", "chance"]
    assert ax.lines[1].get_color() == ax.lines[2].get_color()
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("f", "Spk (share of items)")


def test_cover_profile_steps_through_the_captured_rows():
    cover = spikes.cover(E, rho=0.8)
    (ax,) = plots.cover_profile({"f = 6": cover}, rho=0.8).axes
    np.testing.assert_allclose(ax.lines[0].get_ydata(), cover.captured / 40)
    assert f"f = 6: {len(cover.peaks)} peaks" in ax.lines[0].get_label()


def test_slices_draw_every_row_in_every_panel():
    fig = plots.slices(E, [(0, 1, 2), (3, 4, 5)], colour=np.full(40, -1), names=np.arange(6) + 10)
    first, second = fig.axes
    assert len(first.collections[0].get_offsets()) == 40
    assert (first.get_xlabel(), second.get_zlabel()) == ("dim 10", "dim 15")
    assert len(plots.slices(E, [(0, 1, 2)]).axes) == 1


def test_definition_circles_the_peaks():
    points = E[:, :2]
    cover = spikes.cover(points, rho=0.5)
    (ax,) = plots.definition(points, cover, cos_theta=0.9).axes
    assert [t.get_text() for t in ax.texts] == [f"peak {k + 1}" for k in range(len(cover.peaks))]


def test_heatmap_matrices_and_distributions_carry_their_units():
    fig = plots.heatmap(pd.DataFrame([[1.0, 2.0]]), xlabel="rho", ylabel="theta", label="percent")
    assert fig.axes[0].get_xlabel() == "rho" and fig.axes[1].get_ylabel() == "percent"
    fig = plots.matrices([E, -E], titles=["a", "b"], cmap="RdBu_r")
    assert [ax.get_title() for ax in fig.axes[:2]] == ["a", "b"]
    low, high = fig.axes[0].images[0].get_clim()
    assert low == -high, "a diverging map is centred on zero"
    (ax,) = plots.distributions({"plays": np.array([4, 1, 2])}).axes
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 4]
    assert ax.lines[0].get_ydata() == pytest.approx([1, 2 / 3, 1 / 3])


LABELS = [f"item {i}" for i in range(39)] + ["</script>"]
COVERS = [(range(1, 17), np.arange(40) % 12, ["a", "b"]), (range(4, 7), np.full(40, -1), [])]


def written(page):
    """The figure that a page's HTML holds, and the HTML around it."""
    soup = BeautifulSoup(page.data, "html.parser")
    (script,) = soup.find_all("script", type="application/json")
    return json.loads(script.string), soup


def test_turning_keeps_every_column_to_choose_from_and_greys_the_eleventh_spike():
    figure = plots.turning(E * 100, [1, 2, 3, 65, 66, 67], labels=LABELS, covers=COVERS)
    (points,) = figure.data
    meta = figure.layout.meta
    assert meta["dimensions"] == [1, 2, 3, 65, 66, 67]
    np.testing.assert_allclose(np.transpose(meta["columns"]), E * 100, atol=0.5)
    assert list(points.z) == meta["columns"][2]
    assert [c["dimensions"] for c in meta["covers"]] == [list(range(1, 17)), [4, 5, 6]]
    assert [c["name"] for c in meta["covers"]] == ["of dimensions 1 to 16", "of dimensions 4 to 6"]
    assert list(points.marker.color)[9:13] == [9, -1, -1, 0]
    lowest, first = points.marker.colorscale[0], points.marker.colorscale[2]
    assert lowest == (0, "#bfbfbf") and first == (pytest.approx(1 / 11), "#0173b2")


def test_html_is_the_same_every_time_and_asks_nothing_of_the_network():
    def page():
        figure = plots.turning(E, range(1, 7), labels=LABELS, covers=COVERS)
        return plots.html(figure, "turn", still=plots.slices(E, [(0, 1, 2)]), alt='rays "through" <0>')

    assert page().data == page().data
    data, soup = written(page())
    assert data["data"][0]["text"] == LABELS, "a label cannot end the script"
    assert [s["src"] for s in soup.find_all("script", src=True)] == ["../_static/plotly.min.js"]
    assert soup.div["id"] == "turn"
    assert soup.img["alt"] == soup.find(role="img")["aria-label"] == 'rays "through" <0>'
    assert b64decode(soup.img["src"].partition(",")[2]).startswith(b"\x89PNG")


def test_sliding_profile_knows_the_peaks_needed_at_every_position():
    rhos = [0.1, 0.5, 0.8]
    covers = {c: {"f = 3": spikes.cover(E, f=3, cos_theta=c, rho=0.8)} for c in (0.5, 0.9)}
    figure = plots.sliding_profile(covers, rhos=rhos, start=(0.9, 0.5))
    meta = figure.layout.meta
    assert (meta["n"], meta["labels"], meta["start"]) == (40, ["f = 3"], [1, 1])
    for (c, _), ((curve,)) in zip(covers.items(), meta["curves"]):
        alone = [spikes.cover(E, f=3, cos_theta=c, rho=r) for r in rhos]
        assert curve["needed"] == [len(cover.peaks) for cover in alone]
        assert curve["reached"] == [cover.captured[-1] / 40 for cover in alone]
        assert curve["peaks"][0] == 1 and curve["peaks"][-1] == len(alone[-1].peaks)
    assert figure.layout.shapes[0].y0 == 0.5


def test_sliding_profile_thins_a_long_profile():
    cover = spikes.cover(np.eye(1000), rho=0.9)
    (curve,) = plots.sliding_profile({0.9: {"f": cover}}, rhos=[0.9], start=(0.9, 0.9)).data
    assert len(curve.x) <= 80
    np.testing.assert_allclose(curve.y, np.array(curve.x) / 1000, atol=1e-4)


def test_a_law_is_drawn_in_the_colour_of_what_was_measured():
    group = {"measured": ([2, 4], [1, 3]), "told": ([4, 8], [2, 5])}
    fig = plots.measured_and_told(
        {("K = 3", 3): {"low": group, "high": group}, ("K = 5", 5): {"high": group}},
        xlabel="f",
        ylabel="peaks",
    )
    first, second = fig.axes
    assert [ax.get_title() for ax in fig.axes] == ["K = 3", "K = 5"]
    assert first.lines[0].get_color() == first.lines[1].get_color() != first.lines[2].get_color()
    assert second.lines[0].get_color() == first.lines[2].get_color(), "a label keeps its colour"
    assert second.lines[0].get_marker() == first.lines[2].get_marker()
    assert list(first.lines[1].get_ydata()) == [2, 5] and list(first.lines[-1].get_xdata()) == [3, 3]
    assert [t.get_text() for t in fig.legends[0].get_texts()] == ["low", "high", "law"]


def test_clouds_share_one_scale_of_colour():
    fig = plots.clouds({"a": (E[:, :2], np.arange(40)), "b": (E[:, 2:4], np.full(40, 7.0))}, colour_label="t")
    left, right = fig.axes[:2]
    np.testing.assert_array_equal(left.collections[0].get_offsets(), E[:, :2])
    assert left.collections[0].get_clim() == right.collections[0].get_clim() == (0, 39)
    assert fig.axes[2].get_ylabel() == "t"

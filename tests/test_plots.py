"""Figures: what they are given is what they show, and a notebook shows each once."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from spikylib import dcbm, plots, spikes
from spikylib.svd import truncated_svd


def test_theorem_shows_the_matrix_and_a_direction_per_spike():
    M, spike = dcbm.planted_spikes(sizes=(5, 4), n_off=3)
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


def test_definition_circles_the_peaks():
    points = E[:, :2]
    cover = spikes.cover(points, rho=0.5)
    (ax,) = plots.definition(points, cover, cos_theta=0.9).axes
    assert [t.get_text() for t in ax.texts] == [f"peak {k + 1}" for k in range(len(cover.peaks))]


def test_heatmap_matrices_scatter_and_distributions_carry_their_units():
    fig = plots.heatmap(pd.DataFrame([[1.0, 2.0]]), xlabel="rho", ylabel="theta", label="percent")
    assert fig.axes[0].get_xlabel() == "rho" and fig.axes[1].get_ylabel() == "percent"
    fig = plots.matrices([E, -E], titles=["a", "b"], cmap="RdBu_r")
    assert [ax.get_title() for ax in fig.axes[:2]] == ["a", "b"]
    low, high = fig.axes[0].images[0].get_clim()
    assert low == -high, "a diverging map is centred on zero"
    fig = plots.scatter(
        [1, 10], [1, 10], xlabel="plays", ylabel="norm", colour=[0, 1], colour_label="d", logx=True
    )
    assert fig.axes[0].get_xscale() == "log"
    (ax,) = plots.distributions({"plays": np.array([4, 1, 2])}).axes
    assert ax.lines[0].get_xdata().tolist() == [1, 2, 4]
    assert ax.lines[0].get_ydata() == pytest.approx([1, 2 / 3, 1 / 3])


def test_turning_is_the_same_text_every_time_and_asks_nothing_of_the_network():
    figure = plots.turning(E, (0, 1, 2), labels=[f"item {i}" for i in range(40)], colour=np.arange(40) % 12)
    text = plots.html(figure, "turn").data
    assert (
        text
        == plots.html(
            plots.turning(E, (0, 1, 2), labels=[f"item {i}" for i in range(40)], colour=np.arange(40) % 12),
            "turn",
        ).data
    )
    assert 'src="../_static/plotly.min.js"' in text
    assert 'src="http' not in text
    assert "item 39" in text

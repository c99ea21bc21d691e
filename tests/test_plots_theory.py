"""Figures of the theorem and the advice: what they are given is what they show."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from spikylib import dcbm, plots_theory
from spikylib.svd import truncated_svd


def test_theorem_shows_the_matrix_and_a_direction_per_spike():
    M, spike = dcbm.planted_spikes(sizes=(5, 4), n_off=3)
    E = truncated_svd(M, f=3).embeddings()
    directions = np.eye(3)[:2]
    fig = plots_theory.theorem(E, spike, directions, M)
    assert isinstance(fig, Figure)
    space, image = fig.axes[:2]
    assert [t.get_text() for t in space.texts] == ["$s_1$", "$s_2$"]
    np.testing.assert_array_equal(image.images[0].get_array(), M)


def test_panels_keep_the_colour_of_a_label():
    fig = plots_theory.panels(
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
    fig = plots_theory.tradeoff(
        {"data": ([1.0, 0.5], [0.1, 0.2], [0.0, 0.25])}, xlabel="coverage", ylabel="recall", point_label="γ"
    )
    (ax,) = fig.axes
    assert [t.get_text() for t in ax.texts] == ["γ = 0", "0.25"]
    assert ax.get_legend() is None


def test_tail_falls_from_one():
    fig = plots_theory.tail([3.0, 1.0, 2.0, 4.0], {"fit": ([2, 4], [0.7, 0.2])}, xmin=2, xlabel="degree")
    (ax,) = fig.axes
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2, 3, 4])
    assert ax.lines[0].get_ydata() == pytest.approx([1, 0.75, 0.5, 0.25])
    assert ax.get_xscale() == ax.get_yscale() == "log"

"""The six songs that the book follows: what is stored agrees with itself, and with the catalogues."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spikylib import datasets
from spikylib.study import Study
from tools import songs as tool

SIX = datasets.songs()


def test_ppmi_by_hand_is_the_matrix_of_the_pipeline():
    c = SIX["songs"]["playlists"].to_numpy()
    counts = SIX["C"].to_numpy()
    by_hand = np.zeros((6, 6))
    for i, j in np.argwhere(counts >= 2):
        by_hand[i, j] = max(0.0, np.log(SIX["n_contexts"] * counts[i, j] / (c[i] * c[j])))
    assert np.count_nonzero(by_hand) == 6
    np.testing.assert_allclose(SIX["M"], by_hand, atol=1e-6)


def test_playlists_contain_both_songs_of_a_format():
    X, of = SIX["X"].to_numpy(), SIX["songs"]["format"]
    assert (X.sum(axis=0) == 2).all() and (X.sum(axis=1) == 3).all()
    assert all(of[column == 1].nunique() == 1 for column in X.T)


@pytest.mark.parametrize("name", ["C", "M", "cosine", "dot"])
def test_pairs_have_no_order(name):
    table = SIX[name]
    assert table.index.tolist() == table.columns.tolist() == SIX["songs"].index.tolist()
    np.testing.assert_array_equal(table, table.T)


def test_the_songs_lie_on_three_rays():
    norm, cosine = SIX["songs"]["norm"].to_numpy(), SIX["cosine"].to_numpy()
    np.testing.assert_allclose(cosine * np.outer(norm, norm), SIX["dot"], atol=0.2)
    same = np.kron(np.eye(3), np.ones((2, 2))) == 1
    assert cosine[same].min() > 0.9 and abs(cosine[~same]).max() < 0.01
    assert SIX["C"].to_numpy()[~same].max() == 0
    # each format has one axis, on which its popular song lies farther out
    axes = SIX["axes"].to_numpy()
    assert abs(axes[~same[:, ::2]]).max() < 0.2
    assert (np.diff(axes[same[:, ::2]].reshape(3, 2)) < 0).all()
    assert (np.diff(norm.reshape(3, 2)) < 0).all()


def test_the_front_page_names_a_hit_a_rare_song_and_one_of_another_format():
    text = (Path(__file__).resolve().parents[1] / "book" / "intro.md").read_text(encoding="utf-8")
    titles = SIX["songs"].index[[0, 1, 3]]
    assert list(dict.fromkeys(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)))[:3] == list(titles)
    assert SIX["songs"]["playlists"].iloc[0] > SIX["songs"]["playlists"].iloc[1]


def test_dot_product_finds_longer_neighbours_of_the_rare_songs():
    near = SIX["neighbours"]
    length = near["norm"].groupby([near.index, near["similarity"]]).mean().unstack()
    assert (length["dot"] >= length["cosine"]).all()
    assert (length["dot"] > length["cosine"])[SIX["songs"].index[1::2]].all()
    of = SIX["songs"]["norm"][near.index].to_numpy()
    cosine = near["score"].where(near["similarity"] == "cosine", near["score"] / (of * near["norm"]))
    assert cosine.between(0.6, 1).all()


def test_songs_of_triplej_stay_drift_and_vanish():
    time = datasets.songs("triplej")
    fate = time["songs"]["fate"]
    last = time["kept"]["last"]
    assert last[fate == "stays"].min() > 0.5 > 0.1 > last[fate == "drifts"].max()
    assert (time["contexts"]["last"] == 0).equals(fate == "vanishes")
    assert time["norm"]["last"].isna().equals(fate == "vanishes")
    assert time["songs"]["quintile"].between(1, 5).all()


def test_another_name_is_refused():
    with pytest.raises(ValueError, match="name must be 'cornell-yes-small' or 'triplej', got 'yelp'"):
        datasets.songs("yelp")


@pytest.mark.real
def test_the_catalogues_give_what_is_stored(data_home, monkeypatch):
    monkeypatch.setenv("SPIKYLIB_DATA", str(data_home))
    made = {"cornell-yes-small": tool.cornell(Study.load("cornell-yes-small")), "triplej": tool.triplej()}
    for name, parts in made.items():
        stored = datasets.songs(name)
        assert stored.keys() == parts.keys()
        for key, part in parts.items():
            if isinstance(part, pd.DataFrame):
                # the last digit is rounded, and depends on the machine
                pd.testing.assert_frame_equal(
                    part, stored[key], atol=0.011, check_dtype=False, check_names=False
                )
            else:
                assert part == stored[key]

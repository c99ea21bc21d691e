"""What every module asks of a matrix of rows."""

import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from spikylib import _arrays, spikes

PLAIN = np.random.default_rng(0).standard_normal((60, 4))


@pytest.mark.parametrize("kind", [np.matrix, np.ma.masked_array, pd.DataFrame, np.asfortranarray, "f2", "f4"])
def test_array_likes_give_what_the_array_gives(kind):
    E = np.round(PLAIN, 2) if isinstance(kind, str) else PLAIN
    like = E.astype(kind) if isinstance(kind, str) else kind(E)
    assert type(_arrays.checked_rows("E", like)) is np.ndarray
    assert spikes.cover(like).peaks.tolist() == spikes.cover(np.asarray(like)).peaks.tolist()


@pytest.mark.parametrize(
    ("like", "message"),
    [
        (np.ma.masked_invalid(np.where(np.eye(60, 4) > 0, np.nan, PLAIN)), r"masked entries: \[0, 0\]"),
        (pd.DataFrame(PLAIN).assign(id=np.arange(60)), "has the column 'id', not a dimension"),
        (pd.DataFrame(PLAIN).assign(trackId=np.arange(60.0)), "has the column 'trackId'"),
        (pd.DataFrame(PLAIN).assign(title="a"), "has the column 'title'"),
        (pd.DataFrame(PLAIN).assign(song=np.arange(60)), "has the column 'song'"),
        (PLAIN.astype(object), r"got dtype object; make it numbers with astype\(float\)"),
        (sp.csr_array(PLAIN), r"is a sparse matrix; pass its toarray\(\)"),
        (PLAIN[0], "must be a non-empty array"),
    ],
)
def test_what_is_no_matrix_of_numbers_is_refused(like, message):
    with pytest.raises(ValueError, match=message):
        spikes.cover(like)


def test_memory_maps_stay_so(tmp_path):
    np.save(tmp_path / "e.npy", PLAIN)
    assert isinstance(_arrays.checked_rows("E", np.load(tmp_path / "e.npy", mmap_mode="r")), np.memmap)


def test_an_offset_that_holds_nearly_all_rows_is_warned_of():
    E = np.random.default_rng(0).standard_normal((300, 16))
    quantised = np.clip(np.round(E * 30) + 128, 0, 255).astype(np.uint8)
    with pytest.warns(RuntimeWarning, match=r"nearly all rows of E point the same way"):
        spikes.cover(quantised)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        spikes.cover(E)
        spikes.cover(quantised, f=4)  # the first of given axes may well be the mean
        spikes.cover(quantised.astype(float) - quantised.mean(axis=0))
        assert not _arrays.one_direction(np.zeros((20, 3)))
        assert not _arrays.one_direction(np.repeat(np.eye(2), 20, axis=0))


def test_rows_drawn_keep_their_order_and_few_are_all():
    E = np.arange(20).reshape(10, 2)
    drawn = _arrays.sample_rows(E, 4, seed=0)
    assert len(drawn) == 4 and (np.diff(drawn[:, 0]) > 0).all()
    assert _arrays.sample_rows(E, 10, seed=0) is E

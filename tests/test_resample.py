"""Resampled contexts: how many, which, and the standard error that comes of them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from spikylib import datasets


def interactions(X):
    X = sp.csr_array(X).astype(np.int32)
    items, contexts = (pd.DataFrame({"id": np.arange(n)}) for n in X.shape)
    return datasets.Interactions(X, items, contexts)


def test_draws_contexts():
    data = interactions(np.random.default_rng(0).random((30, 200)) < 0.2)
    part = datasets.resample(data, share=0.25)
    assert part.n_contexts == len(part.contexts) == 50 and part.n_items == len(part.items)
    expected = data.matrix[part.items["id"]][:, part.contexts["id"]]
    assert (part.matrix != expected).nnz == 0
    assert part.contexts["id"].is_monotonic_increasing and part.contexts["id"].is_unique
    size = np.asarray(data.matrix.sum(axis=0))
    whole = datasets.resample(data, replace=True)
    assert whole.n_contexts == 200 and not whole.contexts["id"].is_unique
    assert np.asarray(whole.matrix.sum(axis=0)).tolist() == size[whole.contexts["id"]].tolist()


@pytest.mark.parametrize("replaced", [False, True])
def test_times_stay_with_their_entries(replaced):
    data = interactions(np.random.default_rng(0).random((30, 200)) < 0.2)
    stored = data.matrix.tocoo()
    times = (1000 * stored.row + stored.col).astype("datetime64[s]")
    part = datasets.resample(replace(data, times=times), replace=replaced, seed=1)
    drawn = part.matrix.tocoo()
    expected = 1000 * part.items["id"].to_numpy()[drawn.row] + part.contexts["id"].to_numpy()[drawn.col]
    assert (part.times.astype(int) == expected).all()
    assert datasets.resample(data).times is None


def test_a_generator_goes_on_and_a_seed_begins_again():
    data = interactions(np.random.default_rng(0).random((30, 200)) < 0.2)
    rng = np.random.default_rng(7)
    first, second = (datasets.resample(data, seed=rng).contexts["id"].tolist() for _ in range(2))
    assert first != second
    assert datasets.resample(data, seed=7).contexts["id"].tolist() == first
    rng = np.random.default_rng(7)  # the draws, and no others
    assert first == np.sort(rng.choice(200, 160, replace=False)).tolist()
    assert second == np.sort(rng.choice(200, 160, replace=False)).tolist()


def test_half_of_the_contexts_gives_the_standard_error():
    data = interactions(np.random.default_rng(0).random((30, 200)) < 0.2)
    rng = np.random.default_rng(1)
    parts = (datasets.resample(data, share=0.5, seed=rng) for _ in range(60))
    means = [part.matrix.sum() / part.n_contexts for part in parts]
    spread = np.sqrt(np.asarray(data.matrix.sum(axis=0)).var() / 200)
    assert np.std(means, ddof=1) == pytest.approx(spread, rel=0.3), "the factor is one"


def test_items_in_no_context_drawn_are_left_out():
    part = datasets.resample(interactions(np.eye(10)), share=0.3)
    assert part.n_items == part.n_contexts == 3
    assert part.items["id"].tolist() == part.contexts["id"].tolist()


@pytest.mark.parametrize("share", [0, 1, 1.5])
def test_shares_out_of_range(share):
    with pytest.raises(ValueError, match=f"share must be between 0 and 1, both excluded, got {share}"):
        datasets.resample(interactions(np.eye(3)), share=share)

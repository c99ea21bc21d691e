"""A caller with types: `make lint` checks this file in full, and pytest runs it."""

from pathlib import Path

import numpy as np

from spikylib import datasets, ppmi, spikes, svd, synthetic
from spikylib.datasets import Embeddings, Interactions
from spikylib.study import Study


def test_from_interactions_to_spikes() -> None:
    data: Interactions = synthetic.clean_playlists(n_items=300, n_contexts=600, n_communities=6)
    M, kept = ppmi.ppmi_matrix(data.matrix, min_count=2)
    E: np.ndarray = svd.truncated_svd(M, f=16).embeddings(power=1.0)
    share: float = spikes.cover(E, f=8, cos_theta=0.9).spk
    peaks: np.ndarray = spikes.cover(E).peaks
    assert E.shape == (len(kept), 16) and 0 < share < 1 and len(peaks) > 0


def test_from_a_file_to_a_study(tmp_path: Path) -> None:
    file = tmp_path / "vectors.npy"
    np.save(file, np.random.default_rng(0).standard_normal((50, 8)))
    given: Embeddings = datasets.read_embeddings(file)
    study = Study(embeddings=given, f=8)
    share: float = study.spk(4)
    again: Study = Study.load(str(file), f=8)
    assert share == again.spk(4) and study.items.columns.to_list() == ["id"]


def test_another_model_is_a_fit() -> None:
    def random_vectors(interactions: Interactions, seed: int) -> Embeddings:
        ids = interactions.items["id"].to_numpy()
        return Embeddings(ids, np.random.default_rng(seed).standard_normal((len(ids), 4)))

    data = datasets.resample(
        synthetic.clean_playlists(n_items=100, n_contexts=200, n_communities=4), share=0.5
    )
    study = Study(data, fit=random_vectors)
    assert study.E.shape == (data.n_items, 4)

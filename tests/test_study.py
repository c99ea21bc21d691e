"""Study: every part against the functions it stands for, other fits and bases, and what it refuses."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from spikylib import datasets, nulls, spikes, synthetic
from spikylib.datasets import Embeddings
from spikylib.study import Study, ppmi_svd

SETTINGS = {"f": 12, "cos_theta": 0.85, "rho": 0.6, "seed": 3}


@pytest.fixture(scope="module")
def data():
    return synthetic.clean_playlists(n_items=300, n_contexts=900, n_communities=6, seed=1)


@pytest.fixture
def study(data):
    return Study(data, **SETTINGS)


def test_the_parts_agree_with_the_definitions(data, study):
    X = data.matrix.toarray()
    both = X @ X.T
    plays = X.sum(axis=1)
    with np.errstate(divide="ignore"):
        ppmi = np.log(X.shape[1] * both / np.outer(plays, plays))
    ppmi[(both < 2) | (ppmi < 0)] = 0
    np.fill_diagonal(ppmi, 0)
    kept = np.flatnonzero(ppmi.any(axis=1))
    M = ppmi[np.ix_(kept, kept)]
    assert study.kept.tolist() == kept.tolist()
    assert np.allclose(study.M.toarray(), M)
    values = np.sort(np.abs(np.linalg.eigvalsh(M)))[::-1][:12]
    assert np.allclose(np.linalg.norm(study.E, axis=0), values)
    assert study.items["id"].tolist() == data.items["id"].iloc[kept].tolist()
    assert study.plays.tolist() == plays[kept].tolist()


def test_each_part_is_computed_once(study, monkeypatch):
    first = study.E, study.M, study.cover(8)
    for name in ("spikylib.ppmi.ppmi_matrix", "spikylib.svd.truncated_svd", "spikylib.spikes.cover"):
        monkeypatch.setattr(name, None)
    assert all(a is b for a, b in zip(first, (study.E, study.M, study.cover(8))))
    assert study.spk(8) == len(study.cover(8).peaks) / len(study.E)


def test_embeddings_of_another_basis_give_the_same_spikes(study):
    """A rotation of the columns, rows in another order: Spk at every rank is that of the principal axes."""
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((12, 12)))[0]
    order = np.random.default_rng(1).permutation(len(study.E))
    given = Embeddings(study.items["id"].to_numpy()[order], (study.E @ turn)[order], "turned")
    other = Study(embeddings=given, **SETTINGS)
    assert [other.spk(f) for f in (2, 6, 12)] == [study.spk(f) for f in (2, 6, 12)]
    assert other.items["id"].tolist() == study.items["id"].iloc[order].tolist()


def test_embeddings_with_interactions_keep_the_items_that_both_know(data, study):
    ids = np.append(study.items["id"].to_numpy()[5:50], -7)
    both = Study(data, Embeddings(ids, np.ones((46, 3)) + np.eye(46, 3)), **SETTINGS)
    assert both.items["id"].tolist() == ids[:-1].tolist()
    assert both.plays.tolist() == study.plays[5:50].tolist()
    with pytest.raises(ValueError, match=r"none of the embeddings' ids \('x0'"):
        _ = Study(data, Embeddings(np.array(["x0", "x1"]), np.eye(2))).E


def test_another_fit_makes_the_embedding_and_every_refit(data):
    seen = []

    def counts(interactions, seed):
        seen.append((interactions.n_contexts, seed))
        return Embeddings(interactions.items["id"].to_numpy(), interactions.matrix[:, :5].toarray() + 1.0)

    study = Study(data, fit=counts, seed=4)
    assert study.E.shape == (data.n_items, 5)
    (part,) = study.resamples(1)
    assert part.E.shape[1] == 5
    assert seen == [(900, 4), (720, 4)]


def test_nulls_come_in_four_kinds_and_five_draws(study):
    drawn = list(study.nulls(6))
    kinds = [kind for kind, _ in drawn]
    assert kinds == ["gaussian", "same spectrum", "like-normal", "shuffled items"] * 5
    assert all(E.shape[1] == 6 for _, E in drawn)
    by_kind = {kind: E for kind, E in drawn[:4]}
    spectrum = by_kind["same spectrum"]
    assert np.allclose(spectrum.T @ spectrum, np.diag(study.svd.s[:6] ** 2))
    assert np.allclose(by_kind["like-normal"].mean(axis=0), study.E[:, :6].mean(axis=0), atol=2)
    assert not np.allclose(drawn[0][1], drawn[4][1])
    alone = Study(embeddings=Embeddings(np.arange(50), np.random.default_rng(0).standard_normal((50, 4))))
    assert {kind for kind, _ in alone.nulls(2, n_draws=1)} == set(kinds) - {"shuffled items"}


def test_shuffled_items_are_refitted(data, study):
    mixed = replace(data, matrix=nulls.shuffle_items(data.matrix, seed=3), times=None)
    null = next(E for kind, E in study.nulls(6, n_draws=1) if kind == "shuffled items")
    assert np.allclose(np.abs(null), np.abs(ppmi_svd(mixed, f=12).vectors[:, :6]))


def test_splits_hide_what_they_ask_for(data, study):
    first, second = study.splits(2)
    X = data.matrix.toarray()
    train = first.study.interactions.matrix.toarray()
    assert (X - train).sum() == (X.sum(axis=0) >= 3).sum()
    query, hidden = (first.study.rows[rows] for rows in (first.queries, first.hidden))
    assert (query != hidden).all()
    # in some context the query is still there and the hidden item is not any more
    missing = X - train
    assert all((train[q] * missing[h]).sum() > 0 for q, h in zip(query, hidden))
    assert len(query) == round(first.testable * (X.sum(axis=0) >= 3).sum())
    assert second.hidden.tolist() != first.hidden.tolist()


def test_resamples_differ_and_hold_the_share_asked_for(study):
    sizes = [part.interactions.n_contexts for part in study.resamples(2, share=0.5)]
    assert sizes == [450, 450] and next(study.resamples(1)).settings == study.settings
    one, other = study.resamples(2)
    assert one.interactions.contexts["id"].tolist() != other.interactions.contexts["id"].tolist()


def test_snapshots_are_those_given_or_fitted_to_windows(data):
    dated = synthetic.drifting_playlists(n_items=300, n_contexts=900, n_communities=6)
    made = dict(Study(dated, f=4).snapshots(3))
    assert [f"{date:%Y-%m}" for date in made] == ["2023-01", "2023-07", "2024-01"]
    assert all(snapshot.vectors.shape[1] == 4 for snapshot in made.values())
    given = {"2020-01-01": Embeddings(np.arange(3), np.eye(3))}
    assert dict(Study(snapshots=given).snapshots()) == given
    with pytest.raises(ValueError, match="no times"):
        list(Study(data).snapshots())


def test_load_reads_names_files_and_folders(tmp_path):
    assert Study.load("synthetic", f=4).E.shape[1] == 4
    table = pd.DataFrame({"who": np.repeat(np.arange(40), 5), "what": np.tile(np.arange(10), 20) % 7})
    table.to_csv(tmp_path / "plays.csv", index=False)
    E = np.random.default_rng(0).standard_normal((7, 3))
    np.savez(tmp_path / "E.npz", vectors=E, ids=np.arange(7).astype(str))
    both = Study.load(tmp_path / "E.npz", interactions=tmp_path / "plays.csv", item="what", context="who")
    assert both.plays.tolist() == [len(set(table.who[table.what == i])) for i in range(7)]
    for date in ("2021-01-01", "2021-02-01"):
        (tmp_path / "dated" / date).mkdir(parents=True)
        vectors = pd.DataFrame({"id": [1, 2], "vector": [[1.0, 0.0], [0.0, 1.0]]})
        vectors.to_parquet(tmp_path / "dated" / date / "E.parquet")
    assert list(dict(Study.load(tmp_path / "dated").snapshots())) == ["2021-01-01", "2021-02-01"]


def test_a_folder_is_dated_embeddings_only_where_its_dated_entries_hold_vectors(tmp_path):
    table = pd.DataFrame({"user": np.repeat(np.arange(9), 4), "song": np.arange(36) % 7})
    for name in ("day=2024-01-0{}/part.parquet", "2024-01-0{}.parquet", "year=2024/country=F{}/part.parquet"):
        folder = tmp_path / name[:4]
        for k in (1, 2):
            file = folder / name.format(k)
            file.parent.mkdir(parents=True, exist_ok=True)
            table[k::2].to_parquet(file)
        study = Study.load(folder)
        assert study.interactions.matrix.shape == (7, 9), name
        assert study.notes == study.interactions.notes != ""
        assert datasets.kind(folder).endswith("interactions")
    assert Study.load("synthetic").notes == ""
    assert (
        "ids from"
        in Study(snapshots={"2024": datasets.Embeddings(np.arange(3), np.eye(3), "", "ids from x")}).notes
    )


def test_what_is_missing_is_said():
    with pytest.raises(ValueError, match="needs interactions, embeddings or snapshots"):
        Study()
    alone = Study(embeddings=Embeddings(np.arange(3), np.eye(3)))
    for ask in (
        lambda s: s.M,
        lambda s: s.plays,
        lambda s: list(s.splits(1)),
        lambda s: list(s.resamples(1)),
    ):
        with pytest.raises(ValueError, match="needs interactions here"):
            ask(alone)


def test_a_resample_draws_whole_contexts_and_a_generator_goes_on(data):
    part = datasets.resample(data, share=0.25, seed=5)
    columns = part.contexts["id"].to_numpy()
    rows = part.items["id"].to_numpy()
    whole = pd.DataFrame(data.matrix.toarray(), data.items["id"], data.contexts["id"])
    assert (whole.loc[rows, columns].to_numpy() == part.matrix.toarray()).all()
    assert len(columns) == 225 == len(set(columns)) and part.matrix.sum(axis=1).min() > 0
    rng = np.random.default_rng(5)
    again = [datasets.resample(data, share=0.25, seed=rng).contexts["id"].tolist() for _ in range(2)]
    assert again[0] == columns.tolist() != again[1]
    with_replacement = datasets.resample(data, replace=True, seed=1).contexts["id"]
    assert len(with_replacement) == 900 and with_replacement.duplicated().any()
    with pytest.raises(ValueError, match="share must be between 0 and 1"):
        datasets.resample(data, share=1.0)


def test_selected_entries_keep_their_labels_and_times():
    dated = synthetic.drifting_playlists(n_items=60, n_contexts=200, n_communities=3)
    late = dated.times >= np.datetime64("2023-06-01")
    part = dated.select(late)
    coo = dated.matrix.tocoo()
    pairs = zip(dated.items["id"].to_numpy()[coo.row], dated.contexts["id"].to_numpy()[coo.col], dated.times)
    expected = {pair for pair, keep in zip(pairs, late) if keep}
    kept = part.matrix.tocoo()
    found = zip(part.items["id"].to_numpy()[kept.row], part.contexts["id"].to_numpy()[kept.col], part.times)
    assert set(found) == expected and part.matrix.sum(axis=0).min() > 0


def test_ends_are_spk_of_the_first_and_last_sixteen_columns(data):
    study = Study(data, f=40, cos_theta=0.8)
    first, last = study.ends()
    assert first == spikes.spk(study.E[:, :16], cos_theta=0.8)
    assert last == spikes.spk(study.E[:, -16:], cos_theta=0.8) > first


def test_spk_of_the_nulls_is_that_of_every_draw(data):
    study = Study(data, f=40)
    table = study.null_spk
    assert list(table) == ["null", "first", "last", 16, 32]
    for row, (kind, E) in zip(table.itertuples(index=False), study.nulls(), strict=True):
        assert row == (kind, *study.ends(E), spikes.spk(E, f=16), spikes.spk(E, f=32))


def test_a_null_is_followed_to_twice_the_peaks_of_the_data(data, monkeypatch):
    given = Embeddings(np.arange(300), Study(data, f=16).E)
    whole = Study(embeddings=given).null_spk[16]
    monkeypatch.setattr("spikylib.study._COMPARED", 1)  # as of many rows
    cut = Study(embeddings=given)
    most = (2 * len(cut.cover(16).peaks) + 1) / 300
    assert whole.min() > most
    assert cut.null_spk[16].tolist() == pytest.approx([most] * len(whole), abs=1 / 300)


def test_ids_that_are_numbers_here_and_text_there_are_matched():
    data = synthetic.clean_playlists(n_items=60, n_contexts=200, n_communities=3, seed=0)
    text = replace(data, items=data.items.assign(id=data.items["id"].astype(str)))
    E = Embeddings(np.arange(data.n_items), np.eye(data.n_items))
    by_id = np.diff(data.matrix.indptr)[np.argsort(data.items["id"])]
    assert Study(text, E).plays.tolist() == by_id.tolist()

"""Reports: the verdict on planted data, the decisions, and what the files hold."""

import json
import re

import numpy as np
import pytest

from spikylib import claims, nulls, synthetic
from spikylib._interactions import build
from spikylib.claims import _controls
from spikylib.datasets import Embeddings
from spikylib.report import _decide, _measure, _report, report
from spikylib.study import Study

KINDS = ("spikes", "gaussian", "same spectrum", "like-normal", "shuffled items")


def drawn(kind, seed):
    """A study of planted spikes, or of one of the nulls of such."""
    data = synthetic.clean_playlists(n_items=300, n_contexts=800, n_communities=8, seed=seed)
    if kind == "spikes":
        return Study(data, f=16)
    if kind == "shuffled items":
        mixed = nulls.shuffle_items(data.matrix, seed=seed)
        return Study(type(data)(mixed, data.items, data.contexts), f=16)
    E = Study(data, f=16).E
    make = {"same spectrum": nulls.same_spectrum, "like-normal": nulls.like_normal}
    vectors = nulls.gaussian(*E.shape, seed=seed) if kind == "gaussian" else make[kind](E, seed=seed)
    return of(vectors)


def of(vectors, **settings):
    return Study(embeddings=Embeddings(np.arange(len(vectors)), vectors, "mine"), **settings)


def wrong_verdicts(kind, n):
    missed = 0
    for seed in range(n):
        study = drawn(kind, seed)
        spiky, _ = _decide.verdict(study, claims.check("P1", study))
        missed += spiky[16] != (kind == "spikes")
    return missed


@pytest.mark.parametrize("kind", KINDS)
def test_planted_spikes_are_called_spiky_and_nulls_are_not(kind):
    assert wrong_verdicts(kind, 4) == 0


@pytest.mark.controls
@pytest.mark.parametrize("kind", KINDS)
def test_the_verdict_is_right_on_95_of_100_draws(kind):
    assert wrong_verdicts(kind, 100) <= 5


@pytest.mark.parametrize(
    "vectors",
    [
        np.random.default_rng(0).integers(108, 148, (400, 32)).astype(np.uint8),  # a zero point of 128
        np.abs(np.random.default_rng(0).normal(3, 0.5, (400, 32))),
    ],
)
@pytest.mark.filterwarnings("ignore:nearly all rows")
def test_a_common_mean_is_named_and_not_called_spikes(vectors):
    study = of(vectors)
    spiky, sentence = _decide.verdict(study, claims.check("P1", study))
    assert not any(spiky.values()), sentence
    assert "share a mean" in cautions(study) and "subtract it" in cautions(study)
    assert cautions(of(vectors - vectors.mean(axis=0))) == ""


def cautions(study):
    return _decide.cautions(study, _measure.what_was_read(study, _measure.names_of(study)))


def test_a_long_row_and_repeated_rows_are_named():
    E = np.random.default_rng(0).standard_normal((200, 16))
    long = E.copy()
    long[7] *= 1000
    assert "The longest row, 7, is " in cautions(of(long))
    assert "200 rows repeat another" in cautions(of(np.vstack([E, E])))
    with pytest.raises(ValueError, match=r"the row of 7 is 9e\+19 times as long"):
        report(of(np.where(np.arange(200)[:, None] == 7, 1e20 * E, E)))


def test_of_an_embedding_that_is_given_spk_has_no_interval():
    study = of(np.random.default_rng(0).standard_normal((200, 16)))
    (found,) = (
        finding for finding in claims.check("P1", study) if finding.f == 16 and not finding.needs_missing
    )
    assert found.low == found.high == found.estimate
    assert found.estimate == pytest.approx(study.spk(16) / study.null_spk[16].min())


def test_fewer_items_than_dimensions_are_no_error():
    found = report(of(np.random.default_rng(0).standard_normal((60, 100))))
    assert found.content["read"]["dimensions"] == 60 and found.content["verdict"].startswith("Not spiky")


def test_recall_no_better_than_chance_decides_nothing():
    study = communities()
    random = np.random.default_rng(0).standard_normal(study.embeddings.vectors.shape)
    blind = Study(study.interactions, Embeddings(study.embeddings.ids, random))
    assert answer(blind, "dot product") == _decide.CANNOT


@pytest.fixture(scope="module")
def played():
    data = synthetic.playlists(n_items=600, n_contexts=2500, n_communities=20, seed=1)
    return report(Study(data, f=32))


def test_with_dated_interactions_every_row_has_an_answer(played):
    rows = played.content["decisions"]
    assert len(rows) == 6
    assert [row["question"] for row in rows if row["answer"] == _decide.CANNOT] == []
    known = set(claims.table()["id"]) | {"H4"}
    assert all(row["why"].endswith(".") and set(row["claims"]) <= known for row in rows)


def test_the_files_hold_the_content_and_load_nothing(played, tmp_path):
    page = played.save(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.html", "report.json"]
    stored = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(played.content))
    assert stored["schema"] == 1 and stored["kind"] == "report"
    text = page.read_text(encoding="utf-8")
    assert len(text) < 2_000_000
    assert (
        not re.search(r"""(src|href)=["'](?!data:)""", text)
        and "@import" not in text
        and "fetch(" not in text
    )
    assert played.content["verdict"] in text


def test_the_markdown_has_the_verdict_and_a_row_a_decision(played):
    lines = played.markdown().splitlines()
    assert f"**{played.content['verdict']}**" in lines
    assert sum(line.startswith("| ") for line in lines) == 2 + len(played.content["decisions"])


def test_every_quick_claim_is_there_once_beside_the_public_data(played):
    shown = [(f["id"], f["part"]) for f in played.content["findings"]]
    quick = [(p.id, p.part) for p in claims.parts() if p.on_data and not p.heavy]
    assert sorted(shown) == sorted(quick)
    beside = {(f["id"], f["part"]): f["public"] for f in played.content["findings"]}
    assert beside["P1", "f = 16"] == claims.public()["P1", "f = 16"]


def test_hits_are_those_of_sorting_all_scores():
    rng = np.random.default_rng(0)
    E, queries, hidden = rng.standard_normal((300, 6)), rng.integers(300, size=80), rng.integers(300, size=80)
    queries = (queries + (queries == hidden)) % 300
    found = _measure.Tests(E, queries, hidden, queries < 0, True, "cpu")
    norm = np.linalg.norm(E[:, :4], axis=1)
    expected = []
    for q, h in zip(queries, hidden):
        score = E[:, :4] @ E[q, :4] / norm / norm[q] * norm**0.5
        score[q] = -np.inf
        expected.append(h in np.argsort(-score)[: _measure.K])
    assert _measure.hits(found, 4, 0.5).tolist() == expected


def test_the_smallest_rank_and_exponent_that_do_as_well_are_chosen():
    def hit(n):
        return np.arange(1000) < n

    by = {
        (8, 0.0): hit(100),
        (8, 1.0): hit(300),
        (16, 0.0): hit(200),
        (16, 1.0): hit(395),
        (32, 0.0): hit(100),
    }
    by |= {(32, 1.0): hit(400), (16, 0.25): hit(394), (16, 0.5): hit(395), (16, 0.75): hit(396)}
    assert _measure.saturated(by) == 16  # 395 is within 3 % of 400
    assert _measure.dial(by, 16) == 0.25  # 394 is surely less than a point behind 396


def test_dated_embeddings_tell_of_time(tmp_path):
    rng = np.random.default_rng(0)
    E = rng.standard_normal((400, 16))
    dated = {
        f"2024-0{m}-01": Embeddings(np.arange(400), E + 0.3 * m * rng.standard_normal(E.shape))
        for m in (1, 2, 3)
    }
    found = report(Study(snapshots=dated))
    last = found.content["decisions"][-1]
    assert last["answer"].startswith(("Half of a list", "At the end"))
    assert "How lists of neighbours last" in found.figures


def answer(study, question):
    findings = claims.check("P22", study) if study.interactions is not None else []
    rows = _decide.decisions(study, findings, _measure.kept_when_redrawn(study))
    return next(row["answer"] for row in rows if question in row["question"])


def communities(seed=0, power=1.0, noise=0.02):
    """Interactions of ten communities, and an embedding whose norms are a power of the plays."""
    data = synthetic.clean_playlists(n_items=400, n_contexts=2500, n_communities=10, seed=seed)
    plays = np.diff(data.matrix.indptr)
    rng = np.random.default_rng(seed)
    axis = np.eye(16)[data.items["community"]] + noise * rng.standard_normal((len(plays), 16))
    return Study(data, Embeddings(data.items["id"].to_numpy(), axis * plays[:, None] ** power))


@pytest.mark.parametrize(
    ("power", "by_cosine", "read"), [(1.0, False, "Yes"), (-1.0, True, "No"), (0.0, None, "No")]
)
def test_planted_norms_get_the_planted_answers(power, by_cosine, read):
    study = communities(power=power)
    assert answer(study, "popularity").startswith(read)
    if by_cosine is not None:
        assert (answer(study, "dot product") == "By cosine") is by_cosine


def dated(**changes):
    """Dated playlists in which nothing changes that is not named."""
    sizes = {"n_items": 400, "n_contexts": 6000, "n_communities": 10}
    steady = {"drift": 0, "changing": 0, "arriving": 0}
    return Study(synthetic.drifting_playlists(**sizes, **steady | changes), f=16)


@pytest.mark.parametrize(
    ("planted", "said", "shorter_change"),
    [
        (dated, "No more is lost in time than between two samples of one period", None),
        (
            lambda: dated(drift=5, changing=0.3, arriving=0.2),
            "At the end at least half of a list is left",
            None,
        ),
        # half of the items changes communities within the year
        (lambda: _controls.low_norms_change(0), "Half of a list is gone by 2023-04-09", True),
        (lambda: _controls.high_norms_change(0), "Half of a list is gone by 2023-04-09", False),
    ],
)
def test_planted_change_gets_the_planted_answer_on_time(planted, said, shorter_change):
    row = _decide.on_time(planted())
    assert row["answer"] == said
    shortest, longest, by_chance = map(int, re.findall(r"(\d+)%", row["why"]))
    if shorter_change is not None:
        assert (shortest < longest - 20) is shorter_change and by_chance > 50


def popular_at_random():
    """Rare items of five communities, and popular ones that go with anything."""
    rng, rows = np.random.default_rng(0), []
    for context in range(1500):
        own = 60 * (context % 5) + rng.choice(60, 6, replace=False)
        rows.append(np.append(own, 300 + rng.choice(80, 8, replace=False)))
    return Study(build(np.concatenate(rows), np.repeat(np.arange(1500), 14), name="made"), f=16)


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (lambda: _controls.few_items(0), "Rare and popular ones alike"),
        # most of what rare items share is noise
        (lambda: _controls.popular_noise(0), "Rare ones: those in fewer than about 12 contexts first"),
        (popular_at_random, "Popular ones, here"),
    ],
)
def test_planted_instability_gets_the_planted_answer(planted, said):
    study = planted()
    assert _decide.on_losers(study, _measure.kept_when_redrawn(study))["answer"] == said


def test_what_cannot_be_told_of_time_is_said_with_what_would_help():
    assert "give a time column" in _decide.on_time(_controls.few_items(0))["why"]
    one = of(np.random.default_rng(0).standard_normal((200, 16)))
    assert "an embedding of one date" in _decide.on_time(one)["why"]


def test_dates_stay_where_rows_are_drawn():
    E = np.random.default_rng(0).standard_normal((20_050, 2))
    made = {date: Embeddings(np.arange(len(E)), E) for date in ("2024-01", "2024-02")}
    small = _report._sample(_measure.last_snapshot(Study(snapshots=made)))
    assert len(small.E) == 20_000 and len(dict(small.snapshots())) == 2


def test_the_interval_of_spk_is_the_jackknife_of_ten_draws():
    study = drawn("spikes", 0)
    (row,) = _report._spk(study, [])
    spread = np.std([study.resampled(seed).spk(16) for seed in range(10)], ddof=1)
    assert row["high"] - row["spk"] == pytest.approx(2 * 1.96 * spread) and spread > 0


def test_the_spread_of_spk_can_be_had_from_the_finding_on_it():
    study, ranks = _controls.few_items(0), [16, 32]
    draws = [[study.resampled(seed).spk(f) for f in ranks] for seed in range(5)]
    found = _report._spread_in_findings(study, ranks, claims.check("P1", study))
    assert found == pytest.approx(np.std(draws, axis=0, ddof=1))


def test_ten_planted_communities_need_sixteen_dimensions():
    data = synthetic.clean_playlists(n_items=400, n_contexts=2500, n_communities=10, seed=1)
    assert answer(Study(data, f=64), "dimensions").startswith(("8,", "16,"))


def test_averages_of_many_independent_dimensions_are_safe_and_of_few_are_not():
    rng = np.random.default_rng(0)
    assert answer(of(rng.standard_normal((1000, 256))), "average").startswith("Yes, at least up to 50")
    assert answer(of(rng.standard_normal((500, 2))), "average") == "Not even two unrelated items"

"""Claims: the rule that judges, the verdict over datasets, what is stored, and the controls of every part."""

import ast
import inspect
import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from spikylib import claims, datasets
from spikylib._interactions import build
from spikylib.claims import Finding
from spikylib.claims._evidence import out_of_date
from spikylib.claims._registry import checked, described
from spikylib.datasets import Embeddings
from spikylib.study import Study

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "book" / "evidence"
PARTS = claims.parts()
NAMES = [f"{p.id} {p.part}".strip() for p in PARTS]


# the rule


@pytest.mark.parametrize("expect", ["more", "less", "equal"])
def test_judge_is_the_paired_t_interval_against_the_margin(expect):
    rng = np.random.default_rng(0)
    seen = set()
    for shift, margin, spread in itertools.product((-2, -0.6, 0, 0.6, 2), (0.0, 0.5, 1.0), (0.05, 0.6)):
        samples = rng.normal(0, spread, (5, 2)) + np.array([shift, 0])
        low, high = stats.ttest_rel(*samples.T).confidence_interval(0.95)
        better = {
            "more": (low >= margin, high < margin),
            "less": (high <= -margin, low > -margin),
            "equal": (abs(low) <= margin and abs(high) <= margin, low > margin or high < -margin),
        }[expect]
        expected = "holds" if better[0] else "fails" if better[1] else "undecided"
        assert claims.judge(samples, expect, margin) == expected
        seen.add(expected)
    assert seen == {"holds", "fails", "undecided"}


def test_replicates_that_agree_have_an_interval_of_no_width():
    assert claims.judge([(2, 1)] * 5, "more", 1.0) == "holds"
    assert claims.judge([(2, 1)], "more", 1.1) == "fails"
    assert claims.judge([(0.1, 0.1)] * 3, "equal") == "holds"


def test_judge_refuses_what_nobody_can_expect():
    with pytest.raises(ValueError, match="'more', 'less' or 'equal', got 'much'"):
        claims.judge([(1, 2)], "much")


# over datasets


def found(verdict, data, part="", estimate=1.0):
    return Finding(
        "P2", part, data, verdict=verdict, estimate=estimate, reference=0.5, why=f"{data} says so."
    )


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ("hhhhh", "holds"),
        ("hhhhhu", "holds"),
        ("hhhh", "holds in part"),
        ("hhhhhf", "holds in part"),
        ("hff", "fails"),
        ("hf", "holds in part"),
        ("uu", "undecided"),
        ("nn", "untested"),
        ("", "untested"),
    ],
)
def test_the_verdict_over_datasets(verdicts, expected):
    words = {"h": "holds", "f": "fails", "u": "undecided", "n": "not applicable"}
    own = [found(words[v], f"data-{k}", estimate=k) for k, v in enumerate(verdicts)]
    other = Finding("P3", "", "data-0", verdict="fails")
    verdict = claims.across("P2", [*own, other])
    assert verdict.verdict == expected
    assert all(
        (f"data-{k}" in verdict.why) == (v == "u" or (v == "f" and "h" in verdicts))
        for k, v in enumerate(verdicts)
        if v != "n"
    )
    if expected == "holds":
        assert (verdict.estimate, verdict.low, verdict.high) == (2, 0, 4)


def test_a_dataset_on_which_parts_differ_is_named_as_mixed():
    own = [found("holds", f"data-{k}", part) for k in range(5) for part in ("a", "b")]
    own[1] = replace(own[1], verdict="fails")
    verdict = claims.across("P2", own)
    assert verdict.verdict == "holds in part" and "in part on data-0" in verdict.why


def test_variants_of_ours_do_not_make_the_verdict_on_a_sentence():
    fails = [replace(found("fails", f"data-{k}", "saturates, cosine"), id="P30") for k in range(5)]
    holds = [replace(found("holds", f"data-{k}", "beside the eigengap"), id="P30") for k in range(5)]
    verdict = claims.across("P30", [*holds, *fails])
    assert verdict.verdict == "fails" and "eigengap" not in verdict.why
    assert claims.across("P30", holds).verdict == "holds"  # where only variants are known


def test_the_sentence_is_some_of_the_parts():
    main = {id: set(claim["main"]) for id, claim in described().items() if "main" in claim}
    for id, named in main.items():
        assert named < {p.part for p in claims.parts(id)}


def test_generated_data_alone_say_so():
    own = [found("holds", "generated")]
    assert claims.across("P2", own).verdict == "on generated data only"
    assert claims.across("P2", [found("fails", "generated")]).verdict == "fails"
    proved = [replace(own[0], id="P15")]
    assert claims.across("P15", proved).verdict == "holds"
    real = [found("holds", f"data-{k}") for k in range(5)]
    against = claims.across("P2", [*real, found("fails", "generated", "made")])
    assert against.verdict == "holds in part" and "fails on generated data: made" in against.why


# the claims


def test_every_claim_is_there():
    expected = [
        f"{letter}{k}"
        for letter, last in (("P", 34), ("N", 10), ("A", 8), ("D", 9), ("S", 6), ("T", 4), ("H", 5), ("L", 5))
        for k in range(1, last + 1)
    ]
    assert sorted(described()) == sorted(expected)
    assert {p.id for p in PARTS} == set(expected)
    assert len(set(NAMES)) == len(NAMES)


def test_every_claim_says_what_its_test_does_not_show():
    assert [id for id, claim in described().items() if not claim["limits"]] == []


@pytest.mark.parametrize("part", PARTS, ids=NAMES)
def test_a_measure_is_short_and_states_what_must_hold(part):
    tree = ast.parse(inspect.getsource(part.measure)).body[0]
    statements = tree.body[1:]  # the docstring is the first
    code = {
        line
        for s in statements
        for node in ast.walk(s)
        for line in range(getattr(node, "lineno", 0), getattr(node, "end_lineno", -1) + 1)
    }
    assert len(code) <= 15
    assert part.statement.endswith(".") and part.statement[0].isupper()
    assert part.seeds >= 5 or part.seeds == 1


@pytest.mark.parametrize(
    "part", [p for p in PARTS if p.needs and not p.untested], ids=lambda p: f"{p.id} {p.part}"
)
def test_an_empirical_part_has_controls(part):
    # P3 and P9 compare catalogues of a name with published numbers: nothing generated can be those
    if not described()[part.id].get("proved") and part.id not in ("P3", "P9"):
        # parts that share a measure, over settings, share its controls
        alike = [p for p in PARTS if (p.id, p.measure.__doc__) == (part.id, part.measure.__doc__)]
        assert any(p.holds_on and p.fails_on for p in alike)


# what is stored


def test_stored_findings_are_of_the_code_as_it_is():
    stored = claims.read_evidence(EVIDENCE)
    assert stored
    assert out_of_date(stored) == []


def test_five_stored_findings_come_out_again(data_home, monkeypatch):
    monkeypatch.setenv("SPIKYLIB_DATA", str(data_home))
    stored = [
        file
        for file in claims.read_evidence(EVIDENCE)
        if file["data"] == "generated" or datasets.files(file["data"])
    ]
    text = "".join(file["commit"] or "" for file in stored)
    rng = np.random.default_rng(list(text.encode()))  # other findings with every new evidence
    small = [file for file in stored if file["n"] <= 5000]
    for file in rng.choice(small, 5):
        old = file["findings"][rng.integers(len(file["findings"]))]
        study = None if file["data"] == "generated" else Study.load(file["data"])
        (part,) = (p for p in claims.parts(old.id) if p.part == old.part)
        (new,) = checked([part], study, 0)
        assert new.verdict == old.verdict, (file["data"], old.id, old.part)
        assert new.estimate == pytest.approx(old.estimate, rel=1e-3, abs=1e-9, nan_ok=True)


@pytest.fixture
def little():
    rng = np.random.default_rng(0)
    return Study(embeddings=Embeddings(np.arange(80), rng.standard_normal((80, 4)), "little"))


def test_replicates_have_seeds_of_their_own():
    part = next(p for p in PARTS if not p.on_data and p.f is None and p.seeds == 5)
    (seen,) = checked([replace(part, measure=lambda study, seed: (seed, 0))], None, 3)
    assert seen.estimate == np.mean([3, 4, 5, 6, 7])


def test_heavy_claims_are_checked_on_the_most_played_items():
    plays = np.where(np.arange(10_050) % 201, 2, 1)  # 50 items once, the others twice
    data = build(np.repeat(np.arange(10_050), plays), np.arange(plays.sum()) % 300, name="made")
    study = Study(
        data, fit=lambda part, seed: Embeddings(part.items["id"].to_numpy(), np.ones((part.n_items, 1)))
    )
    part = next(p for p in PARTS if p.heavy and p.f is None)
    measured = replace(
        part, needs=frozenset("E"), measure=lambda study, seed: (len(study.E), study.plays.min())
    )
    (seen,) = checked([measured], study, 0)
    assert (seen.estimate, seen.reference) == (10_000, 2)


def test_evidence_keeps_what_has_not_changed(tmp_path, little):
    file = claims.keep_evidence(tmp_path, little, about={"sha256": {"a": "1"}})
    whole = json.loads(file.read_text(encoding="utf-8"))
    (read,) = claims.read_evidence(tmp_path)
    assert [(f.id, f.part) for f in read["findings"]] == [(p.id, p.part) for p in PARTS if p.needs]
    assert out_of_date([read]) == []
    # a finding of another code is made again, one of the same is not
    whole["findings"][0]["hash"], whole["findings"][0]["why"] = "0", "old"
    whole["findings"][1]["why"] = "kept"
    file.write_text(json.dumps(whole), encoding="utf-8")
    assert out_of_date(claims.read_evidence(tmp_path)) == [("little", PARTS[0].id, PARTS[0].part)]
    claims.keep_evidence(tmp_path, little, about={"sha256": {"a": "1"}})
    first, second, *_ = claims.read_evidence(tmp_path)[0]["findings"]
    assert first.why != "old" and second.why == "kept"
    # other data: all again
    claims.keep_evidence(tmp_path, little, about={"sha256": {"a": "2"}})
    assert claims.read_evidence(tmp_path)[0]["findings"][1].why != "kept"


def test_what_a_catalogue_cannot_give_is_not_applicable(little):
    findings = claims.check_all(little)
    lacking = [f for f in findings if f.id == "P31"]
    assert {f.verdict for f in lacking} == {"not applicable"} and "dates" in lacking[0].needs_missing
    assert [(f.id, f.part) for f in findings] == [(p.id, p.part) for p in PARTS if p.needs]
    quick = {(f.id, f.part) for f in claims.check_all(little, quick=True)}
    assert quick == {(p.id, p.part) for p in PARTS if p.needs and not p.heavy}


def test_an_unknown_claim_names_those_there_are(little):
    with pytest.raises(ValueError, match="no claim 'P99'; claims are P1, P2"):
        claims.check("P99", little)
    with pytest.raises(ValueError, match="no claim 'P99'"):
        claims.check_all(little, ids=["P99"])

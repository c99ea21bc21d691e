"""The claims by number, how one is checked, and how the findings of many catalogues are summed up."""

import hashlib
import importlib.util
import inspect
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from tqdm import tqdm

from spikylib.claims._finding import (
    FAILS,
    GENERATED,
    HOLDS,
    IN_PART,
    NOT_APPLICABLE,
    ON_GENERATED,
    UNDECIDED,
    UNTESTED,
    Finding,
    interval,
    judge,
    number,
)
from spikylib.study import Study

_PARTS: list["Part"] = []
_OVER: dict[str, Callable] = {}
_FEWEST = 5  # datasets on which a claim must hold before it is said of all
_BY_REDRAW = frozenset({"P1", "P2"})  # whose replicates differ by the draw of contexts and nothing else
_PACKAGES = frozenset({"implicit", "gensim"})  # what a claim may need that a study cannot give


class NotApplicable(Exception):
    """Raised by a measure with what this catalogue lacks for it."""


@dataclass(frozen=True)
class Part:
    """One statement of a claim: the arguments of `claim`, and the function that measures it."""

    measure: Callable
    id: str
    part: str
    needs: frozenset[str]
    expect: str
    margin: float
    seeds: int
    f: int | None
    unit: str
    value: str
    against: str
    heavy: bool
    holds_on: Callable | None
    fails_on: Callable | None
    untested: str

    @property
    def on_data(self) -> bool:
        """Whether it is about a catalogue; if not, it generates its data."""
        return bool(self.needs)

    @property
    def statement(self) -> str:
        """First paragraph of the measure's docstring."""
        return " ".join((self.measure.__doc__ or "").split("\n\n")[0].split())

    @property
    def source(self) -> str:
        """Code of the measure, its decorator included."""
        return inspect.getsource(self.measure)

    @cached_property
    def hash(self) -> str:
        """Of the code of the measure and of `judge`: a stored finding with another one is out of date."""
        return hashlib.sha256((self.source + inspect.getsource(judge)).encode()).hexdigest()[:16]


def claim(
    id: str,
    part: str = "",
    *,
    expect: str = "more",
    margin: float = 0.0,
    needs: Iterable[str] = (),
    seeds: int = 5,
    fs: Iterable[int] = (),
    unit: str = "",
    value: str = "",
    against: str = "",
    heavy: bool = False,
    holds_on: Callable | None = None,
    fails_on: Callable | None = None,
    untested: str = "",
) -> Callable:
    """Register a measure as a claim, or as one part of it.

    The measure takes a study and a seed and returns a value and its reference; the first paragraph
    of its docstring states what must hold, the rest names the null and the source. It raises
    :class:`NotApplicable` where this catalogue cannot say.

    Parameters
    ----------
    id, part : str
        Number of the claim, and which of its statements.
    expect, margin
        As for :func:`judge`.
    needs : iterable of str
        Of ``Study.has``, and packages; empty for what is measured on generated data, with study None.
    seeds : int, default 5
        Replicates: splits, resamples or starts; 1 for what has no chance in it.
    fs : iterable of int, optional
        Truncation ranks: a part each, and the measure takes the rank as `f`.
    unit, value, against : str
        For the sentence: unit of the numbers ("%" for shares), what the value is, and its reference.
    heavy : bool, default False
        Trains another model, or refits more than five times: done on the 10,000 most played items,
        and left out by ``check_all(quick=True)``.
    holds_on, fails_on : function of a seed, returning a Study
        Generated catalogues on which the claim must hold, and must fail.
    untested : str
        Why nobody can test it here; then the measure is never called.
    """

    def register(measure):
        for f in fs or (None,):
            at = () if f is None else (f"f = {f}",)
            names = ", ".join((part,) * bool(part) + at)
            _PARTS.append(
                Part(
                    measure, id, names, frozenset(needs), expect, margin, seeds, f, unit, value, against,
                    heavy, holds_on, fails_on, untested,
                )
            )  # fmt: skip
        return measure

    return register


def over_datasets(id: str) -> Callable:
    """Register how the findings of one claim are summed up, where :func:`across` is not to count them."""

    def register(function):
        _OVER[id] = function
        return function

    return register


@cache
def described() -> dict[str, dict]:
    """The entries of claims.toml by claim: statement, chapter, source, limits and, where they apply, short, main and proved."""
    return tomllib.loads(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))


def parts(id: str | None = None) -> list[Part]:
    """The parts of one claim, or of all, in the order of claims.toml."""
    known = list(described())
    if id is not None and id not in known:
        raise ValueError(f"there is no claim {id!r}; claims are {', '.join(known)}")
    return sorted((p for p in _PARTS if id in (None, p.id)), key=lambda p: known.index(p.id))


def table() -> pd.DataFrame:
    """List the claims, one row per part, with ``id``, ``part``, ``statement``, ``chapter`` and ``needs``.

    Examples
    --------
    >>> table().query("id == 'P10'")[["id", "chapter"]].drop_duplicates().values.tolist()
    [['P10', '03']]
    """
    rows = [
        {
            "id": p.id,
            "part": p.part,
            "statement": p.statement,
            "chapter": described()[p.id]["chapter"],
            "needs": ", ".join(sorted(p.needs)),
        }
        for p in parts()
    ]
    return pd.DataFrame(rows)


class Terms(NamedTuple):
    """What a finding measured, and what that must pass, or lie between, for the claim to hold.

    Examples
    --------
    >>> Terms.of(Finding("P13", data="triplej", estimate=0.5, reference=1.0))[1:]
    ('steady growth + 1', 2.0, 2.0)
    """

    measured: str
    needed: str
    needs_low: float
    needs_high: float

    @classmethod
    def of(cls, found: Finding) -> "Terms":
        """Those of the part that a finding is of; the ends are in the unit of its reference."""
        (p,) = (p for p in parts(found.id) if p.part == found.part)
        sign = {"more": "+", "less": "\N{MINUS SIGN}", "equal": "±"}[p.expect]
        needed = (p.against or "reference").removesuffix(" being") + f" {sign} {_margin(p)}" * (p.margin > 0)
        ends = {"more": (1, 1), "less": (-1, -1), "equal": (-1, 1)}[p.expect]
        return cls(_measured(p), needed, *(found.reference + end * p.margin for end in ends))


def check(id: str, study: Study | None = None, *, seed: int = 0) -> list[Finding]:
    """Check one claim on a study, or on generated data.

    Parameters
    ----------
    id : str
        As in :func:`table`.
    study : Study, optional
        Ignored by claims on generated data; None is enough for them.
    seed : int, default 0
        First seed of the replicates.

    Returns
    -------
    list of Finding
        One per part.

    Raises
    ------
    ValueError
        If there is no such claim.

    Examples
    --------
    >>> [finding.verdict for finding in check("P16")]
    ['holds', 'holds']
    """
    return checked(parts(id), study, seed)


def check_all(
    study: Study | None,
    *,
    ids: Iterable[str] | None = None,
    quick: bool = False,
    seed: int = 0,
    known: Iterable[tuple[str, str]] = (),
) -> list[Finding]:
    """Check every claim that needs a study, or, without one, those on generated data.

    Parameters
    ----------
    study : Study or None
    ids : iterable of str, optional
        Claims to check; all by default.
    quick : bool, default False
        Leave out claims that train other models or refit more than five times.
    seed : int, default 0
        First seed of the replicates.
    known : iterable of (id, part)
        Parts to leave out, whose findings are known.

    Returns
    -------
    list of Finding
        One per part, "not applicable" where the study lacks something.
    """
    known, ids = set(known), None if ids is None else list(ids)
    for id in ids or ():
        parts(id)  # an unknown number is an error
    chosen = [
        p
        for p in parts()
        if (ids is None or p.id in ids) and not (quick and p.heavy) and (p.id, p.part) not in known
        if p.on_data == (study is not None)
    ]
    return checked(chosen, study, seed)


def checked(chosen, study, seed):
    """Findings of some parts, measured seed by seed, so that they share the study's splits and resamples."""
    missing = {p: _missing(p, study) for p in chosen}
    samples = {p: [] for p in chosen}
    times = {p: _replicates(p, study) for p in chosen}
    turns = [(s, p) for s in range(max(times.values(), default=0)) for p in chosen if s < times[p]]
    for s, p in tqdm(turns, desc="claims", disable=None, delay=3, leave=False, mininterval=1):
        if missing[p]:
            continue
        try:
            rank = {} if p.f is None else {"f": p.f}
            samples[p].append(tuple(map(float, p.measure(_subject(p, study), seed + s, **rank))))
        except NotApplicable as reason:
            missing[p] = str(reason)
        except ValueError as error:  # too few items, contexts or dates for a method it calls
            missing[p] = f"data for it ({error})"
    return [_finding(p, study, seed, samples[p], missing[p]) for p in chosen]


def _replicates(p, study):
    """How often a part is measured: once where no contexts can be drawn, and its replicates would be one."""
    given = p.id in _BY_REDRAW and study is not None and "refit" not in study.has
    return 1 if given else p.seeds


def _subject(p, study):
    """What a part is measured on: the study, or its most played items; nothing where it makes its own data."""
    if not p.on_data or study is None:
        return None
    return study.most_played() if p.heavy else study


def _missing(p, study):
    """What a part needs and does not find, as a list of words."""
    if p.untested:
        return p.untested
    packages = [name for name in sorted(p.needs & _PACKAGES) if importlib.util.find_spec(name) is None]
    if packages:
        return f"the package {' and '.join(packages)}: pip install 'spikylib[book]'"
    if not p.on_data:
        return ""
    if study is None:
        return "a study: this claim is about a catalogue"
    lacking = sorted(p.needs - _PACKAGES - study.has)
    if not lacking and p.f is not None and p.f > study.E.shape[1]:
        return f"{p.f} dimensions"
    return ", ".join(lacking)


def _finding(p, study, seed, samples, missing):
    about = {"id": p.id, "part": p.part, "seed": seed, "unit": p.unit}
    on = _subject(p, study)
    if on is not None:
        n, f = (len(on.E), p.f or on.E.shape[1]) if "E" in on.has and not missing else (0, 0)
        about |= {"data": study.name, "n": n, "f": f}
    why = p.untested or f"The data lack {missing}."
    if not missing and not np.isfinite(samples).all():
        missing, why = "cases", "Nothing was found to compare."
    if missing:
        verdict = UNTESTED if p.untested else NOT_APPLICABLE
        return Finding(**about, verdict=verdict, why=why, needs_missing=missing)
    value, reference = np.mean(samples, axis=0)
    low, high = interval(samples)
    found = Finding(
        **about,
        estimate=float(value),
        low=float(reference + low),
        high=float(reference + high),
        reference=float(reference),
        verdict=judge(samples, p.expect, p.margin),
    )
    return replace(found, why=_sentence(p, found))


def _sentence(p, found):
    """What was measured, what it was compared with, and what the claim asked, in numbers."""
    shown, reference = number(found.estimate, p.unit), number(found.reference, p.unit)
    low, high = (number(100 * x if p.unit == "%" else x) for x in (found.low, found.high))
    within = f" ({low} to {high})" if p.seeds > 1 and low != high else ""
    if p.expect == "equal":
        asked = f"allows a difference of {_margin(p)}"
    else:
        asked = f"needs {f'at least {_margin(p)} ' if p.margin else ''}{p.expect}"
    against = p.against or "the reference"
    return f"{_measured(p)}: {shown}{within}, {against} {reference}; the claim {asked}."


def _measured(p):
    """What a part measures, in words that begin a sentence."""
    name = p.value or p.statement.rstrip(".")
    return name[0].upper() + name[1:]


def _margin(p):
    """The margin of a part with its unit; a difference of shares is in percentage points."""
    points = "point" if p.margin == 0.01 else "points"
    return f"{100 * p.margin:g} {points}" if p.unit == "%" else f"{p.margin:g} {p.unit}".strip()


def across(id: str, findings: Iterable[Finding]) -> Finding:
    """Sum up one claim over the findings of many catalogues: the book's verdict.

    Parameters
    ----------
    id : str
        As in :func:`table`.
    findings : iterable of Finding
        Of any claims and catalogues; those of other claims are ignored.

    Returns
    -------
    Finding
        Of the parts that are the sentence itself, if claims.toml lists such, else of all. "holds":
        every part on every dataset where it is decided, at least five; or, for what is proved, on the
        generated data. "fails": on most datasets where it is decided. "holds in part":
        the rest, and `why` says where. "on generated data only", "undecided" and "untested" where no
        dataset decides. The estimate is the median over datasets of the first part that is decided,
        with their range.
    """
    described()[id]  # an unknown number is an error
    if id in _OVER:
        return _OVER[id]([found for found in findings if found.id == id])
    own = of_the_sentence(id, findings)
    decided = [found for found in own if found.verdict in (HOLDS, FAILS)]
    real = [found for found in decided if found.data != GENERATED]
    if not real:
        return _without_datasets(id, own, decided)
    by_data: dict[str, list[bool]] = {}
    for found in real:
        by_data.setdefault(found.data, []).append(found.verdict == HOLDS)
    holds = [data for data, held in by_data.items() if all(held)]
    fails = [data for data, held in by_data.items() if not any(held)]
    mixed = [data for data in by_data if data not in holds and data not in fails]
    wrong = [found.part for found in decided if found.data == GENERATED and found.verdict == FAILS]
    if len(holds) == len(by_data) >= _FEWEST and not wrong:
        verdict = HOLDS
    elif len(fails) > len(by_data) / 2:
        verdict = FAILS
    else:
        verdict = IN_PART
    open_on = sorted({found.data for found in own if found.verdict == UNDECIDED} - set(by_data))
    of = "the one dataset that decides" if len(by_data) == 1 else f"the {len(by_data)} datasets that decide"
    said = [f"holds on {len(holds)} of {of} it"]
    untested = [found.part for found in own if found.verdict == UNTESTED]
    by_part: dict[str, set[str]] = {}
    for found in real:
        by_part.setdefault(f'"{found.part}"', set()).add(found.verdict)
    always, never = ([part for part, said in by_part.items() if said == {v}] for v in (HOLDS, FAILS))
    differ = max(len(always), len(never)) < len(by_part)
    sides = (
        (always if differ else [], "holds everywhere:"),
        (never if differ else [], "holds nowhere:"),
        (fails, "fails on"),
        (mixed, "in part on"),
        (open_on, "undecided on"),
        (wrong, "fails on generated data:"),
        (untested, "untested:"),
    )
    for names, what in sides:
        if names:
            said.append(f"{what} {', '.join(names)}")
    first = [found for found in real if found.part == real[0].part]
    estimates = [found.estimate for found in first]
    return Finding(
        id,
        real[0].part,
        f"{len(by_data)} datasets",
        estimate=float(np.median(estimates)),
        low=min(estimates),
        high=max(estimates),
        reference=float(np.median([found.reference for found in first])),
        unit=first[0].unit,
        verdict=verdict,
        why=f"Holds{'; '.join(said)[5:]}.",
    )


def of_the_sentence(id: str, findings: Iterable[Finding]) -> list[Finding]:
    """The findings that make the verdict on a claim: of the parts that are its sentence itself, or of all."""
    own = [found for found in findings if found.id == id]
    main = described()[id].get("main", ())
    return [found for found in own if found.part in main] or own


def _without_datasets(id, own, decided):
    """The verdict where no dataset decides: on generated data, undecided or untested."""
    if decided:
        held = [found.verdict == HOLDS for found in decided]
        if all(held):
            verdict = HOLDS if described()[id].get("proved") else ON_GENERATED
        else:
            verdict = IN_PART if any(held) else FAILS
        return replace(decided[0], verdict=verdict, why=" ".join(found.why for found in decided))
    open_on = [found.data for found in own if found.verdict == UNDECIDED]
    if open_on:
        return Finding(
            id, data=f"{len(open_on)} datasets", verdict=UNDECIDED, why=f"Undecided on {', '.join(open_on)}."
        )
    reasons = dict.fromkeys(found.why for found in own)
    return Finding(id, data="none", verdict=UNTESTED, why=" ".join(reasons) or "No dataset was checked.")

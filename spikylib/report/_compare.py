"""Two versions of an embedding: what stayed, what moved, and whether that exceeds chance."""

import re
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

import spikylib
from spikylib import plots, retrieval, spikes
from spikylib._arrays import n_shared, sample_rows, unit_rows
from spikylib.datasets import Interactions
from spikylib.report import _measure
from spikylib.report._report import SCHEMA, Report, plain, stages
from spikylib.study import RANKS, Study

_QUERIES = 2000
_ROWS = 20_000  # among which spikes are compared
_SLACK = 0.03  # of a list of neighbours: less is not worth stopping a release
_COVERED = 0.95  # share of the items that spikes are looked for among
_SPIKE = 0.005  # share of the items from which a spike counts as one
_PARTS = {"all": None, "bottom_quintile": 1, **{f"quintile_{q}": q for q in (2, 3, 4)}, "top_quintile": 5}
_KINDS = {"born": "not in the old version", "dead": "not in the new version", "merged": "merged from two"}
_OPERATORS = {"<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal}


def compare(
    a: Study,
    b: Study,
    *,
    again: Study | None = None,
    interactions: Interactions | None = None,
    fail_if: Sequence[str] = (),
) -> Report:
    """Compare two versions of an embedding, items matched by id.

    Parameters
    ----------
    a, b : Study
        The version in use and the new one.
    again : Study, optional
        The model of `a` trained again on the same data. The difference between the two is the *floor*: only
        what exceeds it is called a change.
    interactions : Interactions, optional
        In place of `again`: the floor is the difference between two draws of 80 % of these contexts,
        embedded by PPMI and SVD in as many dimensions. Default: the interactions of `a`, if any.
    fail_if : sequence of str
        Gates: ``"spk_128 > 0.05"``, ``"overlap_top_quintile < floor"``. Each is a condition, one of < <= >
        >=, and a number or ``floor``.

    Returns
    -------
    Report
        ``content["conditions"]`` contains what a gate can name, ``content["gates"]`` the result of each,
        ``content["changed"]`` whether anything is beyond the floor (None without one).

    Raises
    ------
    ValueError
        If fewer than 100 items are common, or a gate names an unknown condition, or a floor where there is
        none.

    Examples
    --------
    >>> from spikylib.datasets import Embeddings
    >>> rng = np.random.default_rng(0)
    >>> E = rng.standard_normal((300, 20))
    >>> a, b = (Study(embeddings=Embeddings(np.arange(300), v)) for v in (E, E[::-1].copy()))
    >>> again = Study(embeddings=Embeddings(np.arange(300), E + 0.1 * rng.standard_normal(E.shape)))
    >>> found = compare(a, b, again=again, fail_if=["overlap_all < floor"])
    >>> found.content["changed"], found.content["gates"][0]["failed"]
    (True, True)
    """
    start = time.perf_counter()
    parsed = [_parsed(text) for text in fail_if]
    with stages("compare", 4) as stage:
        stage("embeddings")
        a, b = _measure.last_snapshot(a), _measure.last_snapshot(b)
        pairs = {"": (a, b)} | _floor_pair(a, again, interactions)
        for name, _, bound in parsed:  # before the long part
            _check_gate(name, bound, _ranks(a, b), "floor" in pairs)
        stage("neighbours")
        found = {name: _between(*pair) for name, pair in pairs.items()}
        stage("spikes")
        changes = {name: _spikes(*pair) for name, pair in pairs.items()}
        conditions = _conditions(a, b, found, changes)
        gates = [_gate(text, parts, conditions) for text, parts in zip(fail_if, parsed)]
        beyond = (
            [name for name, row in conditions.items() if _is_beyond(name, row)] if "floor" in found else None
        )
        stage("pictures")
        own, names = found[""], _measure.names_of(a)
        order = np.argsort(own["kept"].to_numpy(), kind="stable")[:20]
        content = {
            "schema": SCHEMA,
            "kind": "compare",
            "version": spikylib.__version__,
            "data": f"{a.name} and {b.name}",
            "verdict": _verdict(conditions, beyond),
            "changed": None if beyond is None else bool(beyond),
            "compared": _compared(a, b, conditions, "floor" in found, again),
            "conditions": conditions,
            "gates": gates,
            "moved": [{"item": str(names[own.index[i]]), "kept": float(own["kept"].iloc[i])} for i in order],
        } | {kind: changes[""][kind] for kind in _KINDS}
        figures = _figures(conditions, a, b)
    content["seconds"] = round(time.perf_counter() - start, 1)
    return Report(plain(content), [], figures)


def _floor_pair(a, again, interactions):
    """The pair of embeddings between which nothing but chance differs, if there is one."""
    if again is not None:
        if interactions is not None:
            raise ValueError("again= and interactions= both give the floor: leave one out")
        other = _measure.last_snapshot(again)
        if other.E.shape[1] != a.E.shape[1]:
            raise ValueError(
                f"{other.name} has {other.E.shape[1]} dimensions and {a.name} {a.E.shape[1]}: it is not the same model "
                "trained again"
            )
        if other.E.shape == a.E.shape and np.array_equal(other.E, a.E):
            raise ValueError(f"{other.name} equals {a.name}: train the model again with another seed")
        return {"floor": (a, other)}
    if interactions is not None:
        whole = Study(interactions, f=min(a.E.shape[1], 128), seed=a.seed)
        _matched(a, whole)
    elif "refit" in a.has:
        whole = a
    else:
        return {}
    one, other = whole.resamples(2)
    return {"floor": (one, other)}


def _matched(a, b):
    """Rows of two embeddings that are of the same items and have a direction in both."""
    row, able = _measure.matched(a, b)
    if len(row) and (row < 0).all():
        one, other = a.items["id"].iloc[0], b.items["id"].iloc[0]
        raise ValueError(
            f"no id of {a.name} ({one}, ...) is among those of {b.name} ({other}, ...); are they written in the same way?"
        )
    rows = np.flatnonzero(able)
    if len(rows) < 100:
        raise ValueError(f"{a.name} and {b.name} have {len(rows)} items in common; at least 100 are needed")
    return rows, row[rows]


def _between(a, b):
    """How much of the lists of up to 2,000 common items stayed: a row each, by its row in a."""
    at, there = _matched(a, b)
    E, F = a.E[at], b.E[there]
    k = min(_measure.K, len(at) - 1)
    drawn = np.sort(sample_rows(np.arange(len(at)), _QUERIES, a.seed))
    lists = [retrieval.top_k(vectors, drawn, k, exclude_self=True)[0] for vectors in (E, F)]
    norm = np.linalg.norm(E, axis=1)
    quintile = np.empty(len(at), dtype=int)
    quintile[np.argsort(norm, kind="stable")] = np.arange(len(at)) * 5 // len(at)
    return pd.DataFrame({"kept": n_shared(*lists) / k, "quintile": quintile[drawn] + 1}, index=at[drawn])


def _spikes(a, b):
    """Spikes of b that are none in a, of a that are none in b, and pairs of a that are one in b."""
    at, there = _matched(a, b)
    drawn = np.sort(sample_rows(np.arange(len(at)), _ROWS, a.seed))
    at, there = at[drawn], there[drawn]
    f = min(32, a.E.shape[1], b.E.shape[1])
    A, B = unit_rows(a.E[at, :f]), unit_rows(b.E[there, :f])
    of_a, of_b = _groups(A, a.E[at, :f]), _groups(B, b.E[there, :f])
    names = _measure.names_of(a)[at]

    def described(rows):
        longest = rows[np.argsort(-np.linalg.norm(b.E[there[rows], :f], axis=1), kind="stable")]
        return {
            "peak": str(names[longest[0]]),
            "items": len(rows),
            "members": [str(names[i]) for i in longest[1:5]],
        }

    merged = []
    firm = [rows for rows in of_a if _together(B[rows]) >= 0.8]
    for i, one in enumerate(firm):
        for other in firm[:i]:
            before, after = (_mean_direction(X[one]) @ _mean_direction(X[other]) for X in (A, B))
            if before < 0.5 and after > 0.9:
                merged.append(np.concatenate([one, other]))
    met = np.concatenate([[], *merged])
    born = [rows for rows in of_b if _together(A[rows]) < 0.2 and np.isin(rows, met).mean() < 0.5]
    dead = [rows for rows in of_a if _together(B[rows]) < 0.2]
    found = {"born": born, "dead": dead, "merged": merged}
    return {kind: [described(rows) for rows in some] for kind, some in found.items()}


def _groups(unit, E):
    """Rows of each spike that has enough of them, in a cover of most."""
    spike = spikes.cover(E, cos_theta=0.9, rho=_COVERED).spike
    size = np.bincount(spike[spike >= 0])
    large = [np.flatnonzero(spike == k) for k in np.flatnonzero(size >= _least(len(E)))]
    return [rows for rows in large if _together(unit[rows]) >= 0.8]


def _least(n):
    return max(5, int(np.ceil(_SPIKE * n)))


def _together(unit):
    """Share of directions that lie within a cosine of 0.8 of their mean direction."""
    return float((unit @ _mean_direction(unit) > 0.8).mean())


def _mean_direction(unit):
    return unit_rows(unit.mean(axis=0)[None])[0]


def _conditions(a, b, found, changes):
    """What a gate can name: its value, its floor if it has one, and its meaning."""
    ids_a, ids_b = pd.Index(a.items["id"]), pd.Index(b.items["id"])
    common = int(ids_a.isin(ids_b).sum())
    rows = {
        "items_common": (common, "items in both"),
        "items_new": (len(ids_b) - common, "items only in the new version"),
        "items_gone": (len(ids_a) - common, "items only in the old version"),
    }
    for f in _ranks(a, b):
        rows[f"spk_{f}"] = (b.spk(f), f"Spk of the new version at f = {f}")
        rows[f"spk_{f}_ratio"] = (b.spk(f) / a.spk(f), f"Spk at f = {f}, new over old")
    conditions = {name: {"value": value, "meaning": meaning} for name, (value, meaning) in rows.items()}
    conditions["spectrum_change"] = {
        "value": _spectrum_change(a, b),
        "meaning": "largest change of a singular value's share of the first sixteen",
    }
    for name, q in _PARTS.items():
        kept = {key: (t if q is None else t[t["quintile"] == q])["kept"] for key, t in found.items()}
        of = (
            "all items"
            if q is None
            else f"the {name.replace('_', ' ')} by norm"
            if q in (1, 5)
            else f"quintile {q} by norm"
        )
        row = {"value": float(kept[""].mean()), "meaning": f"neighbours kept, {of}"}
        if "floor" in kept:
            noise = 1.96 * np.hypot(*(k.std(ddof=1) / np.sqrt(len(k)) for k in kept.values()))
            row["floor"] = float(kept["floor"].mean() - max(_SLACK, noise))
        conditions[f"overlap_{name}"] = row
    for kind, meaning in _KINDS.items():
        row = {
            "value": len(changes[""][kind]),
            "meaning": f"spikes of at least 0.5 % of the items, {meaning}",
        }
        if "floor" in changes:
            row["floor"] = len(changes["floor"][kind])
        conditions[f"spikes_{kind}"] = row
    return conditions


def _spectrum_change(a, b):
    s, t = _spectra(a, b, 16)
    return float(np.abs(s / s.sum() - t / t.sum()).max())


def _spectra(a, b, most=None):
    """The largest singular values of both, as many of each."""
    k = min(a.E.shape[1], b.E.shape[1], *filter(None, [most]))
    return [np.sort(np.linalg.norm(study.E, axis=0))[::-1][:k] for study in (a, b)]


def _is_beyond(name, row):
    """Whether a condition is beyond its floor, on the side that means change."""
    if "floor" not in row:
        return False
    return row["value"] < row["floor"] if name.startswith("overlap") else row["value"] > row["floor"]


def _verdict(conditions, beyond):
    kept = f"lists of {_measure.K} keep {conditions['overlap_all']['value']:.0%} of their items"
    if beyond is None:
        return f"Between the two versions {kept}; whether that is much cannot be judged without a floor: give --again or --interactions."
    if not beyond:
        return f"No change beyond chance: {kept}, as many as when only chance differs."
    name = next((n for n in beyond if n.startswith("overlap")), beyond[0])
    row = conditions[name]
    shown = (
        (f"{row['value']:.0%}", f"{row['floor']:.0%}")
        if name.startswith("overlap")
        else (row["value"], row["floor"])
    )
    return f"Changed: {row['meaning']}, {shown[0]}, compared with {shown[1]} by chance; {len(beyond)} condition{'s' * (len(beyond) > 1)} beyond the floor."


def _compared(a, b, conditions, has_floor, again):
    counts = (conditions[f"items_{name}"]["value"] for name in ("common", "new", "gone"))
    said = "{:,} items in both, {:,} new, {:,} gone.".format(*counts)
    if all("no ids" in study.notes for study in (a, b)):
        said += " Neither file has ids: rows are matched by their number, which assumes the same order of items in both."
    if has_floor:
        source = "the same model trained again" if again is not None else "two draws of 80 % of the contexts"
        said += f" Floor: {source}, less 3 points of a list or the noise of the sample of items, whichever is more."
    return said


def _parsed(text):
    match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*", text)
    if not match:
        raise ValueError(f"a gate is NAME < VALUE (or <= > >=), with a number or 'floor'; got {text!r}")
    name, operator, value = match.groups()
    if value != "floor":
        try:
            value = float(value)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise ValueError(f"a gate compares with a number or 'floor', got {match[3]!r} in {text!r}")
    return name, operator, value


def _check_gate(name, bound, ranks, has_floor):
    """Refuse a gate that names what is not there."""
    spk = [f"spk_{f}{end}" for f in ranks for end in ("", "_ratio")]
    with_floor = [*(f"overlap_{part}" for part in _PARTS), *(f"spikes_{kind}" for kind in _KINDS)]
    known = ["items_common", "items_new", "items_gone", *spk, "spectrum_change", *with_floor]
    if name not in known:
        raise ValueError(f"there is no condition {name!r}; conditions are {', '.join(known)}")
    if bound == "floor" and not (has_floor and name in with_floor):
        remedy = "give --again or --interactions" if name in with_floor else "compare with a number"
        raise ValueError(f"there is no floor for {name}; {remedy}")


def _gate(text, parts, conditions):
    """The result of one gate."""
    name, operator, bound = parts
    row = conditions[name]
    bound = row["floor"] if bound == "floor" else bound
    failed = bool(_OPERATORS[operator](row["value"], bound))
    sentence = f"{name} is {row['value']:.4g}; the gate fails at {operator} {bound:.4g} ({row['meaning']})."
    # in single spaces, as XML cannot contain a page break
    return {"gate": " ".join(text.split()), "failed": failed, "sentence": sentence}


def _ranks(a, b):
    return [f for f in RANKS if f <= min(a.E.shape[1], b.E.shape[1])]


def _figures(conditions, a, b):
    rows = [conditions[f"overlap_{name}"] for name, quintile in _PARTS.items() if quintile]
    x = (1, 2, 3, 4, 5)
    curves = {"old to new": (x, [row["value"] for row in rows])}
    if "floor" in rows[0]:
        curves["floor"] = (x, [row["floor"] for row in rows])
    kept = plots.lines(
        curves,
        xlabel="quintile of the norm, longest last",
        ylabel="share of a list that stayed",
        xticks=x,
        ylim=(0, 1),
    )
    spectra = {name: (np.arange(1, len(s) + 1), s) for name, s in zip(("old", "new"), _spectra(a, b))}
    spectrum = plots.lines(spectra, xlabel="dimension", ylabel="singular value", yscale="log")
    return {
        "Neighbours that stayed, by norm": (
            kept,
            "Share of lists that stayed by quintile of the norm, and its floor.",
        ),
        "Singular values": (spectrum, "Singular values of the old and the new version, largest first."),
    }

"""The decision table: what to do, and the finding or measurement that says so."""

import numpy as np
from scipy.stats import spearmanr

from spikylib import retrieval
from spikylib._arrays import row_norms
from spikylib.claims import Finding
from spikylib.report import _measure
from spikylib.study import RANKS, Study

CANNOT = "Cannot tell from this data"


def verdict(study: Study, findings: list[Finding]) -> tuple[dict, str]:
    """Whether it is spiky at each rank (by claim P1), and that in one sentence."""
    found = {finding.f: finding for finding in findings if finding.id == "P1" and finding.f}
    spiky = {f: found[f].verdict == "holds" for f in RANKS if f in found}
    if not spiky:
        few = f"Cannot tell: at least {RANKS[0]} dimensions are needed, and there are {study.E.shape[1]}."
        return spiky, few
    kinds = study.null_spk["null"].nunique()
    n, share = len(study.E), f"{study.rho:.0%}" if study.rho != 0.5 else "half"

    def needed(f):
        peaks = len(study.cover(f).peaks)
        return f"{peaks:,} direction{'s' if peaks > 1 else ''} hold{'' if peaks > 1 else 's'} {share} of {n:,} items at f = {f}"

    held = [f for f in spiky if spiky[f]]
    if held:
        only = (
            "" if len(held) == len(spiky) else f", but not at f = {_listed(f for f in spiky if not spiky[f])}"
        )
        said = (
            f"Spiky: {needed(max(held))}{only}; the {_number(kinds)} baselines need more than twice as many."
        )
        return spiky, said
    f = max(spiky)
    baseline = study.null_spk.groupby("null")[f].min()
    ratio = found[f].estimate
    said = f"Not spiky at any rank: {needed(f)}, {_times(ratio)} the lowest baseline ({baseline.idxmin()})."
    return spiky, said


def common_mean(read: dict) -> str:
    """What to do about a mean that all rows share, or nothing."""
    if read["share_of_the_mean"] < 0.5:
        return ""
    return (
        f"All rows share a mean, which holds {read['share_of_the_mean']:.0%} of their squares: a zero point of whole "
        "numbers, or values that are all positive. It is one direction and no spike; subtract it, and ask again."
    )


def decisions(study: Study, findings: list[Finding]) -> list[dict]:
    """The rows of the table: question, answer, why, and the claims that it rests on."""
    rows = []
    tests = by = f = None
    if study.interactions is not None:
        try:
            tests = _measure.tests(study)
            by = _measure.recalls(tests)
            f = _measure.saturated(by)
        except ValueError as error:  # no context is large enough to hide an item
            lacking = str(error)
    else:
        lacking = "there are no interactions: give them with --interactions"
    if by:
        rows += [_similarity(tests, by, f), _rank(study, by, f)]
    else:
        rows += [
            _cannot("Rank by cosine or by dot product?", lacking, "P22", "P24", "P25"),
            _cannot("How many dimensions?", lacking, "P30"),
        ]
    rows += [_norm(study, findings), _averages(study), _losers(study), _time(study)]
    return rows


def _similarity(tests, by, f):
    gamma = _measure.dial(by, f)
    answer = {0.0: "By cosine", 1.0: "By dot product"}.get(gamma, f"In between: cosine times norm^{gamma:g}")
    cosine, dot = by[f, 0.0], by[f, 1.0]
    difference, low, high = retrieval.paired_interval(dot, cosine)
    rare = tests.rare
    why = (
        f"The dot product finds {dot.mean():.1%} of {len(dot):,} hidden items in lists of {_measure.K} at f = {f}, the "
        f"cosine {cosine.mean():.1%} (difference {_points(difference, low, high)}); of the less popular half "
        f"{_share(dot[rare])} and {_share(cosine[rare])}."
    )
    if 0 < gamma < 1:
        why += f" Norm^{gamma:g} finds {by[f, gamma].mean():.1%}."
    if not tests.held_out:
        why += " The embedding may have seen these interactions; later ones would be a fairer test."
    return _row("Rank by cosine or by dot product?", answer, why, "P22", "P24", "P25", "P27")


def _rank(study, by, f):
    ranks = sorted({rank for rank, _ in by})
    best = {rank: max(by[rank, 0.0].mean(), by[rank, 1.0].mean()) for rank in ranks}
    shown = ", ".join(f"{best[rank]:.1%} at {rank}" for rank in ranks)
    why = f"Recall@{_measure.K} of hidden items is {shown}: from {f} on within 3 % of the best."
    if len(ranks) > 1:
        knee, _ = retrieval.knee(ranks, [len(study.cover(rank).peaks) for rank in ranks])
        why += f" The knee of Spk, at {knee}, is no safe guide (P30)."
    return _row("How many dimensions?", f"f = {f}, chosen by held-out recall", why, "P30")


def _norm(study, findings):
    question = "May the norm be read as popularity?"
    if study.interactions is None:
        return _cannot(question, "there are no interactions: give them with --interactions", "P22")
    norm, plays = row_norms("E", study.E)[0], study.plays
    r = float(spearmanr(norm, plays).statistic) if len(set(plays)) > 1 else 0.0
    longest = next(f for f in findings if (f.id, f.part) == ("P22", "long rows are popular"))
    if longest.verdict == "holds" and r >= 0.8:
        answer = "Yes: longer rows are the more popular items"
    elif longest.verdict == "holds":
        answer = "Roughly: the longest rows are popular, and the order of the rest is loose"
    else:
        answer = "No: long rows are not the popular ones"
    return _row(question, answer, f"Norm and plays have a rank correlation of {r:.2f}. {longest.why}", "P22")


def _averages(study):
    question = "Is it safe to average items?"
    shares = _measure.found_again(study)
    if not shares:
        return _cannot(question, f"there are only {len(study.E)} items", "A7")
    safe = [k for k, share in shares.items() if share >= 0.5]
    answer = f"Up to {max(safe)} items" if safe else "No, not even two"
    if safe and max(safe) == max(shares):
        answer = f"Yes, up to {max(safe)} items at least"
    shown = ", ".join(f"{share:.0%} of {k}" for k, share in shares.items())
    why = f"Among the nearest to their mean, by cosine, are {shown} items drawn at random."
    return _row(question, answer, why, "A2", "A7")


def _losers(study):
    question = "Which items will lose their neighbours?"
    if "refit" not in study.has:
        return _cannot(
            question,
            "an embedding alone does not show what would come out of another sample: train it again, "
            "and see spiky compare --again",
            "P27",
        )
    rows, kept = _measure.kept_by_quintile(study)
    if len(rows) < 25:
        return _cannot(question, f"only {len(rows)} items are there again after a refit", "P27")
    parts = [part.mean() for part in np.array_split(kept, 5)]
    bound = int(study.plays[rows[len(rows) // 5]])
    gap = parts[-1] - parts[0]
    if gap > 0.1:
        answer = f"Rare ones: those in fewer than about {max(2, bound)} contexts first"
    elif gap < -0.1:
        answer = "Popular ones, here"
    else:
        answer = "Rare and popular ones alike"
    why = (
        f"Refitted to 80 % of the contexts, lists of {_measure.K} keep {parts[0]:.0%} in the least played fifth and "
        f"{parts[-1]:.0%} in the most played."
    )
    return _row(question, answer, why, "P27", "P34", "H4")


def _time(study):
    question = "How long will lists of neighbours last?"
    if "dates" not in study.has:
        return _cannot(
            question, "there are no dates: give a time column, or a folder of dated embeddings", "P31"
        )
    try:
        table = _measure.at_the_end(study)
    except ValueError as error:
        return _cannot(question, str(error), "P31")
    if table is None:
        return _cannot(question, "too few items are there on all dates", "P31")
    last = table[(table["date"] == table["date"].max()) & (table["similarity"] == "cosine")]
    kept = last.sort_values("part")["overlap"].to_numpy()
    above = table[table["similarity"] == "cosine"].groupby("date")["overlap"].mean()
    half = above.index[above < 0.5]
    answer = (
        f"Half of a list is gone by {half[0]:%Y-%m-%d}"
        if len(half)
        else "At the end half of a list is still there"
    )
    why = (
        f"From the first window to {table['date'].max():%Y-%m-%d} lists of the shortest fifth of the rows keep {kept[0]:.0%}, "
        f"those of the longest {kept[-1]:.0%} (by cosine)."
    )
    return _row(question, answer, why, "P31") | {"curves": table}


def _row(question, answer, why, *claims):
    return {"question": question, "answer": answer, "why": why, "claims": list(claims)}


def _cannot(question, lacking, *claims):
    return _row(question, CANNOT, lacking[0].upper() + lacking[1:].rstrip(".") + ".", *claims)


def _points(difference, low, high):
    return f"{100 * difference:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"


def _share(hit):
    return f"{hit.mean():.1%}" if len(hit) else "none"


def _times(ratio):
    return f"{ratio:.1f} times" if ratio >= 1.05 else f"{ratio:.0%} of" if ratio < 0.95 else "as many as"


def _listed(values):
    values = list(map(str, values))
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"


def _number(n):
    return {3: "three", 4: "four"}.get(n, str(n))

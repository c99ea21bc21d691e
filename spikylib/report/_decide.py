"""The decision table: what to do, and the finding or measurement behind it."""

from itertools import takewhile

import numpy as np
from scipy.stats import spearmanr

from spikylib import retrieval
from spikylib._arrays import row_norms
from spikylib.claims import Finding
from spikylib.report import _measure
from spikylib.study import RANKS, Study

CANNOT = "Cannot tell from this data"
BASELINES = {
    "gaussian": "independent normal rows",
    "same spectrum": "random rows of the same spectrum",
    "like-normal": "normal rows of the same mean and covariance",
    "shuffled items": "the same model on shuffled items",
}


def verdict(study: Study, findings: list[Finding]) -> tuple[dict, str]:
    """Whether it is spiky at each rank (by claim P1), and that in one sentence."""
    found = {finding.f: finding for finding in findings if finding.id == "P1" and finding.f}
    spiky = {f: found[f].verdict == "holds" for f in RANKS if f in found}
    if not spiky:
        few = f"Cannot tell: at least {RANKS[0]} dimensions are needed, and there are {study.E.shape[1]}."
        return spiky, few
    n, share = len(study.E), f"{study.rho:.0%}" if study.rho != 0.5 else "half"
    held = [f for f in spiky if spiky[f]]
    # two ranks above the lowest that is spiky: enough dimensions to be of use, and few enough to be seen
    f = held[min(1, len(held) - 1)] if held else max(spiky)
    peaks = len(study.cover(f).peaks)
    capture = "directions capture" if peaks > 1 else "direction captures"
    captured = f"{peaks:,} {capture} {share} of {n:,} items at f = {f}"
    lowest = study.null_spk.groupby("null")[f].min()
    times = 1 / found[f].estimate
    if held and len(study.judged) > 10_000:  # the covers of the baselines were cut short
        against = f"all {len(lowest)} baselines need more than twice as many"
    else:
        shown = f"{times:,.0f} times" if times >= 10 else f"{times:.1f} times"
        against = (
            f"the nearest of {len(lowest)} baselines, {BASELINES[lowest.idxmin()]}, needs {shown} as many"
        )
    if held:
        only = f" at {_listed(held)} dimensions" if len(held) < len(spiky) else ""
        return spiky, f"Spiky{only}: {captured}; {against}."
    of = f"any of {_listed(spiky)}" if len(spiky) > 1 else str(f)
    return spiky, f"Not spiky at {of} dimensions: {captured}; {against}."


def cautions(study: Study, read: dict) -> str:
    """What makes the verdict one of the file rather than of its items: a common mean, one long row, repeated rows."""
    said = []
    # that of n rows without a mean is about 1 / n
    if (
        study.embeddings is not None
        and read["share_of_the_mean"] - 1 / read["rows"] >= 0.5
        and read["rows"] >= 20
    ):
        said.append(
            f"All rows share a mean, which makes up {read['share_of_the_mean']:.0%} of the sum of their squares, as where "
            "whole numbers have a zero point or all values are positive. It is one direction, not a spike: subtract it, "
            "and report again."
        )
    if read["longest_over_median"] > 100:
        said.append(
            f"The longest row, {read['longest']}, is {read['longest_over_median']:,.0f} times as long as the middle one: "
            "it distorts the axes and the baselines; check it, and report again without it."
        )
    if read["repeated_rows"] > 0.1 * read["rows"]:
        said.append(
            f"{read['repeated_rows']:,} rows repeat another, and a row and its copy have one direction."
        )
    return " ".join(said)


def meaning(spiky: dict) -> str:
    """What the verdict is good for."""
    if not any(spiky.values()):
        return (
            "Items do not gather along directions here, so a cosine compares single items, and a long row does not mark "
            "the centre of a community."
        )
    return (
        "Items gather along directions: the direction of a row shows which community it belongs to, and its length how "
        "well it is connected there. The cosine uses the direction alone, the dot product both."
    )


def decisions(study: Study, findings: list[Finding], kept: tuple | None) -> list[dict]:
    """The rows of the table: question, answer, why, and the claims that it rests on.

    `kept` is what :func:`spikylib.report._measure.kept_when_redrawn` found.
    """
    told = {(finding.id, finding.part): finding for finding in findings}
    by, lacking = None, "there are no interactions: give them with --interactions"
    if study.interactions is not None:
        try:
            tests = _measure.tests(study)
            by = _measure.recalls(tests)
            best = max(by.values(), key=np.mean)
            chance = _measure.K / len(tests.E)
            if best.mean() - 1.96 * best.std() / len(best) ** 0.5 <= chance:
                found = f"{best.mean():.1%} of {len(best):,} hidden items are found, compared with {chance:.1%} by chance"
                by, lacking = None, found
        except ValueError as error:  # no context is large enough to hide an item
            lacking = str(error)
    if by:
        f = _measure.saturated(by)
        rows = [_similarity(tests, by, f, told), _rank(study, by, f)]
    else:
        rows = [
            _cannot("Rank by cosine or by dot product?", lacking, "P24", "P25"),
            _cannot("How many dimensions?", lacking, "P30"),
        ]
    return [*rows, _norm(study, told), _averages(study, told), on_losers(study, kept), on_time(study)]


def _similarity(tests, by, f, told):
    gamma = _measure.dial(by, f)
    cosine, dot, rare = by[f, 0.0], by[f, 1.0], tests.rare
    answer = {0.0: "By cosine", 1.0: "By dot product"}.get(gamma, f"Between: by cosine times norm^{gamma:g}")
    difference, low, high = retrieval.paired_interval(dot, cosine)
    why = (
        f"In lists of {_measure.K} at f = {f} the dot product finds {dot.mean():.1%} of {len(dot):,} hidden items and the "
        f"cosine {cosine.mean():.1%} (difference {_points(difference, low, high)})."
    )
    if 0 < gamma < 1:
        why += f" Norm^{gamma:g} finds {by[f, gamma].mean():.1%}, less than the best exponent by at most chance or a point."
    if rare.any():
        _, low, high = retrieval.paired_interval(dot[rare], cosine[rare])
        if gamma and high < 0:
            answer += "; by cosine for rare items"
        elif not gamma and low > 0:
            answer += "; by dot product for rare items"
        why += f" Of their less popular half the dot product finds {dot[rare].mean():.1%}, the cosine {cosine[rare].mean():.1%}."
    reach = told.get(("P24", "coverage"))
    if reach is not None and reach.estimate == reach.estimate:
        why += f" By dot product {reach.reference:.0%} of the items are in some list, by cosine {reach.estimate:.0%}."
    if not tests.held_out:
        why += " The embedding may have seen these interactions; later ones would be a fairer test."
    return _row("Rank by cosine or by dot product?", answer, why, "P24", "P25")


def _rank(study, by, f):
    ranks = sorted({rank for rank, _ in by})
    best = {rank: max(by[rank, 0.0].mean(), by[rank, 1.0].mean()) for rank in ranks}
    shown = ", ".join(f"{best[rank]:.1%} at {rank}" for rank in ranks)
    why = f"Of the hidden items the better similarity finds {shown} dimensions; {f} is the least within 3 % of the best."
    if len(ranks) > 1:
        knee, _ = retrieval.knee(ranks, [len(study.cover(rank).peaks) for rank in ranks])
        why += f" The knee of Spk is at {knee}; on public data it is not a safe guide."
    answer = f"At least {f}, the most that was measured" if f == ranks[-1] else f"{f}, chosen by hidden items"
    return _row("How many dimensions?", answer, why, "P30")


def _norm(study, told):
    question = "May the norm be read as popularity?"
    if study.interactions is None:
        return _cannot(question, "there are no interactions: give them with --interactions", "P22")
    norm, plays = row_norms("E", study.E)[0], study.plays
    r = float(spearmanr(norm, plays).statistic) if len(set(plays)) > 1 else 0.0
    longest = told["P22", "long rows are popular"]
    if longest.verdict == "holds" and r >= 0.8:
        answer = "Yes: longer rows are the more popular items"
    elif longest.verdict == "holds":
        answer = "Roughly: the longest rows are popular items, but the norm does not rank the rest"
    elif longest.verdict == "fails":
        answer = "No: long rows are not the popular items"
    else:
        answer = "Undecided: long rows may be popular items"
    within = f" ({longest.low:.2f} to {longest.high:.2f})" if longest.low < longest.high else ""
    why = (
        f"The top decile of items by norm has {longest.estimate:.2f} times the average number of contexts{within}; "
        f"norm and number of contexts have a rank correlation of {r:.2f}."
    )
    return _row(question, answer, why, "P22")


def _averages(study, told):
    question = "Is it safe to average items?"
    shares = _measure.found_again(study)
    if not shares:
        return _cannot(question, f"there are only {len(study.E)} items", "A7")
    # up to the first length that is not
    safe = list(takewhile(lambda k: shares[k] >= 0.5, shares))
    answer = f"Up to {max(safe)} unrelated items" if safe else "Not even two unrelated items"
    if safe and max(safe) == max(shares):
        answer = f"Yes, at least up to {max(safe)} items"
    shown = ", ".join(f"{share:.0%} of {k}" for k, share in shares.items())
    why = f"Share of items drawn at random that are among the nearest to their mean, by cosine: {shown}. From half of them on it counts as safe."
    history = told.get(("S3", "cosine, than one item"))
    if history is not None and history.verdict in ("holds", "fails"):
        answer += "; a user's history, yes" if history.verdict == "holds" else "; a user's history, no"
        why += (
            f" The mean of a context of ten items or more finds {history.estimate:.1%} of hidden items, a single item of it "
            f"{history.reference:.1%}."
        )
    return _row(question, answer, why, "A2", "A7", "S3")


def on_losers(study: Study, redrawn: tuple | None) -> dict:
    """Which items lose their neighbours in another sample of the contexts."""
    question = "Which items will lose their neighbours?"
    if redrawn is None:
        return _cannot(
            question,
            "an embedding alone does not show what another sample would change: train it again, "
            "and see spiky compare --again",
            "P27",
        )
    rows, kept = redrawn
    if len(rows) < 25:
        return _cannot(question, f"only {len(rows)} items remain after a refit", "P27")
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
        f"Refitted to 80 % of the contexts, lists of {_measure.K} keep {parts[0]:.0%} of their items in the least played "
        f"quintile (of up to about {bound:,} contexts an item) and {parts[-1]:.0%} in the most played."
    )
    return _row(question, answer, why, "P27")


def on_time(study: Study) -> dict:
    """How long lists last, and how much of that chance alone would take."""
    question = "How long will lists of neighbours last?"
    if "dates" not in study.has:
        lacking = "there are no dates: give a time column, or a folder of dated embeddings"
        if study.embeddings is not None:
            lacking = "this is an embedding of one date: give a folder of dated ones"
        return _cannot(question, lacking, "P31")
    try:
        found = _measure.at_the_end(study)
    except ValueError as error:
        return _cannot(question, str(error).partition(";")[0], "P31")  # without what a caller might do
    if found is None:
        return _cannot(question, "too few items are common to all dates", "P31")
    table, by_chance = found
    kept = table[table["date"] == table["date"].max()].sort_values("part")["overlap"].to_numpy()
    by_date = table.groupby("date")["overlap"].mean()
    half = by_date.index[by_date < 0.5]
    if kept.mean() > by_chance - 0.1:
        answer = "No more is lost in time than between two samples of one period"
    elif len(half):
        answer = f"Half of a list is gone by {half[0]:%Y-%m-%d}"
    else:
        answer = "At the end at least half of a list is left"
    why = (
        f"From the first date to {table['date'].max():%Y-%m-%d} lists of the shortest quintile of the rows keep "
        f"{kept[0]:.0%} of their items, those of the longest {kept[-1]:.0%} (by cosine)"
    )
    why += "." if np.isnan(by_chance) else f"; with shuffled dates, {by_chance:.0%} of a list stays."
    return _row(question, answer, why, "P31") | {"curves": table}


def _row(question, answer, why, *claims):
    return {"question": question, "answer": answer, "why": why, "claims": list(claims)}


def _cannot(question, lacking, *claims):
    return _row(question, CANNOT, lacking[0].upper() + lacking[1:].rstrip(".") + ".", *claims)


def _points(difference, low, high):
    return f"{100 * difference:+.1f} points, {100 * low:+.1f} to {100 * high:+.1f}"


def _listed(values):
    values = list(map(str, values))
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} and {values[-1]}"

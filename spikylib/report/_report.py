"""One report of one study: what is measured, in which order, and how it is stored."""

import html
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import t
from tqdm import tqdm

import spikylib
from spikylib import claims, plots
from spikylib._arrays import row_norms, sample_rows
from spikylib._files import write_whole
from spikylib.claims import Finding
from spikylib.datasets import Embeddings
from spikylib.report import _decide, _measure, _page
from spikylib.study import RANKS, Study

SCHEMA = 1  # of report.json and compare.json: a name that goes or changes its meaning raises it
_MOST_ROWS = 20_000  # above which claims are checked on a sample of as many
_OF_ALL = ("P1", "P2", "P5")  # but those that share the baselines, which take longest
_POINTS = 3000  # drawn in the turning picture
_DIMENSIONS = 6  # that it can turn to


@dataclass(frozen=True)
class Report:
    """What was found on one's own data.

    Attributes
    ----------
    content : dict
        Plain numbers, strings and lists, as in the JSON file; the book's page on reports describes its
        keys, and ``schema`` is their version.
    findings : list of Finding
    figures : dict of str to (matplotlib.figure.Figure, str)
        Pictures by title, with what is seen on them in words.
    """

    content: dict
    findings: list[Finding] = field(default_factory=list)
    figures: dict[str, tuple[Figure, str]] = field(default_factory=dict)

    def html(self) -> str:
        """One page with all of it, which loads nothing."""
        return _page.page(self.content, self.figures)

    def markdown(self) -> str:
        """The short form for a pull request: verdict, decisions or changes, and gates."""
        return _page.markdown(self.content)

    def text(self) -> str:
        """The short form for a terminal."""
        return _page.text(self.content)

    def junit(self) -> str:
        """The gates of a comparison as JUnit's XML, a test case each, which CI servers show."""
        return _page.junit(self.content)

    def _repr_html_(self) -> str:
        # a frame of its own, so that its style and the notebook's keep apart
        return f'<iframe title="Report" width="100%" height=900 srcdoc="{html.escape(self.html())}"></iframe>'

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html`` and ``report.json`` (of a comparison ``compare``) into a folder; return the page.

        Each file takes its place when it is complete.
        """
        name = self.content["kind"]
        page, whole = Path(folder) / f"{name}.html", self.html()
        text = json.dumps(self.content, indent=1, ensure_ascii=False, allow_nan=False)
        write_whole(Path(folder) / f"{name}.json", text + "\n")
        write_whole(page, whole)
        return page


def report(study: Study, *, quick: bool = True) -> Report:
    """Report whether an embedding is spiky, what to do about it, and which of the book's claims hold on it.

    Parameters
    ----------
    study : Study
        Of interactions, embeddings, or dated embeddings (of which the last are used).
    quick : bool, default True
        Check the claims that train no other model; False checks all.

    Returns
    -------
    Report
        Above 20,000 rows the claims but P1, P2 and P5 are checked on as many of them: the most played,
        where the fit can be redone, else drawn at random. Those three and the peaks are of all rows.

    Raises
    ------
    ValueError
        As :class:`~spikylib.study.Study`: data that cannot be embedded or compared.

    Examples
    --------
    >>> import numpy as np
    >>> from spikylib.datasets import Embeddings
    >>> rays = np.repeat(np.eye(16)[:4], 50, axis=0) * np.linspace(1, 2, 200)[:, None]
    >>> found = report(Study(embeddings=Embeddings(np.arange(200), rays)))
    >>> found.content["spiky"]
    {'16': True}
    """
    start = time.perf_counter()
    with stages("report", 7) as stage:
        stage("embedding")
        study = _measure.last_snapshot(study)
        names = _measure.names_of(study)
        read = _measure.what_was_read(study, names)
        stage("spikes and baselines")
        small = _sample(study)
        findings = [] if small is study else claims.check_all(study, ids=_OF_ALL, quick=quick)
        stage("claims")
        findings += claims.check_all(small, quick=quick, known={(f.id, f.part) for f in findings})
        stage("interval")
        spk = _spk(study, findings)
        stage("decisions")
        spiky, sentence = _decide.verdict(study, findings)
        kept = _measure.kept_when_redrawn(small)
        decisions = _decide.decisions(small, findings, kept)
        stage("spikes and hubs")
        ranks = [f for f in RANKS if f <= study.E.shape[1]]
        f = ranks[0] if ranks else study.E.shape[1]  # what three dimensions can show
        found = _measure.largest_spikes(study, f, names)
        small_names = names if small is study else _measure.names_of(small)
        hubs = [{"item": str(small_names[i]), "lists": share} for i, share in _measure.hubs(small)]
        stage("pictures")
        table = next((row.pop("curves") for row in decisions if "curves" in row), None)
        content = {
            "schema": SCHEMA,
            "kind": "report",
            "version": spikylib.__version__,
            "data": study.name,
            "settings": study.settings,
            "verdict": " ".join(filter(None, [sentence, _decide.cautions(study, read)])),
            "meaning": _decide.meaning(spiky),
            "spiky": {str(f): is_so for f, is_so in spiky.items()},
            "read": read,
            "spk": spk,
            "decisions": decisions,
            "spikes": {"f": f, "largest": found},
            "hubs": hubs,
            "safety": _safety(small, small_names, kept),
            "findings": _beside_public(findings),
            "rays": _rays(study, f, names),
        }
        figures = _figures(small, spk, table)
    content["seconds"] = round(time.perf_counter() - start, 1)
    return Report(plain(content), findings, figures)


@contextmanager
def stages(what: str, n: int) -> Iterator:
    """A bar that names the current stage, on a terminal."""
    with tqdm(
        total=n, desc=what, disable=None, leave=False, bar_format="{desc}: {n_fmt} of {total_fmt}"
    ) as bar:

        def stage(name):
            bar.set_description_str(name)
            bar.update()

        yield stage


def _sample(study):
    """The study, or where it has more than 20,000 rows one of as many."""
    if len(study.E) <= _MOST_ROWS:
        return study
    if study.interactions is not None and "refit" in study.has:
        return study.most_played(_MOST_ROWS)
    rows = sample_rows(np.arange(len(study.E)), _MOST_ROWS, study.seed)
    ids = study.items["id"].to_numpy()[rows]
    made = Embeddings(
        ids, np.asarray(study.E[rows]), study.name, items=study.items.iloc[rows].reset_index(drop=True)
    )
    dated = dict(study.snapshots()) if "dates" in study.has else None
    return Study(study.interactions, made, dated, seed=study.seed, device=study.device, **study.settings)


def _spk(study, findings):
    """Peaks and Spk at each rank, the interval of Spk where contexts can be drawn anew, and the baselines."""
    ranks = [f for f in RANKS if f <= study.E.shape[1]] or [study.E.shape[1]]
    rows = [{"f": f, "peaks": len(study.cover(f).peaks), "spk": study.spk(f)} for f in ranks]
    table = study.null_spk
    for row in rows:
        if row["f"] in table:
            row["baselines"] = table.groupby("null")[row["f"]].min().to_dict()
    if "refit" in study.has:
        spread_of = _spread_in_draws if len(study.E) <= _MOST_ROWS else _spread_in_findings
        for row, spread in zip(rows, spread_of(study, ranks, findings)):
            half = 1.96 * 2 * spread  # the delete-d jackknife: see datasets.resample
            row |= {"low": max(0.0, row["spk"] - half), "high": row["spk"] + half}
    return rows


def _spread_in_draws(study, ranks, _):
    """Standard deviation of Spk by rank over ten draws of 80 % of the contexts."""
    # backwards, so that the first, which a decision asks for, is the latest and kept
    parts = (study.resampled(seed) for seed in range(study.seed + 9, study.seed - 1, -1))
    return np.std([[part.spk(f) for f in ranks if f <= part.E.shape[1]] for part in parts], axis=0, ddof=1)


def _spread_in_findings(study, ranks, findings):
    """The same over the five draws behind the findings on P1: Student's interval of the mean, over a baseline."""
    told = {found.f: found for found in findings if found.id == "P1"}
    scale = 5**0.5 / 2 / t.ppf(0.975, 4)
    return [scale * (told[f].high - told[f].low) * study.null_spk[f].min() for f in ranks if f in told]


def _safety(study, names, redrawn):
    """Items whose lists stay and go when the data are drawn anew, by name; none where that is unknown."""
    if redrawn is None:
        return {}
    rows, kept = redrawn
    order = np.argsort(kept, kind="stable")
    some = {"least": order[:8], "most": order[::-1][:8]}
    return {
        key: [
            {"item": str(names[rows[i]]), "kept": float(kept[i]), "plays": int(study.plays[rows[i]])}
            for i in chosen
        ]
        for key, chosen in some.items()
    }


def _beside_public(findings):
    """Findings as JSON, each with what the public datasets gave."""
    public = claims.public()
    return [
        {key: value for key, value in vars(finding).items() if key not in ("data", "seed")}
        | {"public": public.get((finding.id, finding.part), {})}
        for finding in findings
    ]


def _rays(study, f, names):
    """Points of the turning picture: the longest rows and others at random, their spikes and names."""
    norm, _ = row_norms("E", study.E)
    longest = np.argsort(-norm, kind="stable")[: _POINTS // 3]
    others = sample_rows(np.setdiff1d(np.arange(len(norm)), longest), _POINTS - len(longest), study.seed)
    rows = np.concatenate([longest, others])
    cover = study.cover(f)
    largest, _ = _measure.largest(cover)
    colour = np.full(len(cover.peaks) + 1, -1)
    colour[largest] = np.arange(len(largest))
    points = study.E[rows, :_DIMENSIONS]
    # a few rows longer than all others would press the rest into the origin
    points = points / (np.quantile(np.linalg.norm(points[:, :3], axis=1), 0.995) or 1.0)
    return {
        "points": np.round(points, 3) + 0.0,
        "spike": colour[cover.spike[rows]],
        "names": [str(names[i])[:60] for i in rows],
        "peaks": [str(names[cover.peaks[k]])[:60] for k in largest],
        "of": len(norm),
        "f": f,
    }


def _figures(study, spk, table):
    """Pictures by title, with what is seen on them in words."""
    figures = {}
    ranks = [row["f"] for row in spk]
    if len(ranks) > 1:
        own = [ranks, [row["spk"] for row in spk]]
        if "low" in spk[0]:
            own += [[row.get("low", row["spk"]) for row in spk], [row.get("high", row["spk"]) for row in spk]]
        baselines = {
            name: (ranks, [row["baselines"][name] for row in spk]) for name in spk[0].get("baselines", {})
        }
        labels = {"xlabel": "dimensions f", "ylabel": "Spk: peaks per item", "yscale": "log"}
        figures["Spk compared with its baselines"] = (
            plots.lines({"this data": own} | baselines, **labels, xticks=tuple(ranks)),
            "Spk of this data by number of dimensions, "
            + ", ".join(f"{row['spk']:.2%} at {row['f']}" for row in spk)
            + "; spiky where it is at most half of the lowest baseline.",
        )
    shown = {f"f = {f}": study.cover(f) for f in ranks}
    figures["Items captured by the first directions"] = (
        plots.cover_profile(shown, rho=study.rho),
        "Share of the items captured as directions are added, one curve per number of dimensions.",
    )
    if study.interactions is not None and study.plays.min() < study.plays.max():
        norm, plays = row_norms("E", study.E)[0], study.plays
        parts = [part for part in np.array_split(np.argsort(plays, kind="stable"), 20) if len(part)]
        x = [float(np.median(plays[part])) for part in parts]
        y = np.array([np.quantile(norm[part], [0.5, 0.1, 0.9]) for part in parts]).T
        labels = {"xlabel": "contexts of the item", "ylabel": "norm of its row", "xscale": "log"}
        figures["Norm and popularity"] = (
            plots.lines({}, points={"median, and 10 % to 90 %": (x, *y)}, **labels),
            "Norms of the rows by the number of contexts of the item, in twenty groups of equal size.",
        )
    if table is not None:
        figures["How lists of neighbours last"] = (
            plots.stability_curves(table),
            "Share of a list that is left, by date, one curve per quintile of the norms.",
        )
    return figures


def plain(value):
    """Numbers and containers as JSON has them, without NaN."""
    if isinstance(value, dict):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.6g}") if np.isfinite(value) else None
    return value

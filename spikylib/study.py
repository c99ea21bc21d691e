"""Everything about one catalogue, each part computed once, on first use.

A :class:`Study` starts from interactions, embeddings made elsewhere, dated embeddings, or several of them;
all who use a part share it. ``fit`` is the one way from interactions to an embedding: splits, resamples and
windows of time all refit through it, so every claim about PPMI and SVD (:func:`ppmi_svd`, the default) can
be tested on any other model.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cached_property, partial, wraps
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

import numpy as np
import pandas as pd
import scipy.sparse as sp

from spikylib import datasets, nulls, ppmi, retrieval, spikes, stability, svd
from spikylib._arrays import sample_rows
from spikylib._checks import check_choice
from spikylib._device import placed, to_host
from spikylib.datasets import Embeddings, Interactions
from spikylib.datasets._own import holds_snapshots

P = ParamSpec("P")
T = TypeVar("T")
RANKS = (16, 32, 64, 128)  # at which a catalogue is called spiky or not
_COMPARED = 10_000**2  # rows times peaks of a null's cover up to which it is not cut short
_JUDGED_ROWS = 100_000  # of more than twice as many, this many drawn at random stand for all beside nulls


def ppmi_svd(
    interactions: Interactions, seed: int = 0, *, f: int = 128, device: str = "cpu", **counts: Any
) -> Embeddings:
    """Embed by the book's pipeline, PPMI matrix and truncated SVD, as U Sigma.

    f is lower where the matrix keeps fewer items. Items without a neighbour in it are left out. `device` is
    that of :class:`Study`; other options are those of :func:`spikylib.ppmi.ppmi_matrix`.

    Examples
    --------
    >>> ppmi_svd(datasets.load("synthetic"), f=8, shift=0.7).vectors.shape[1]
    8
    """
    M, kept = ppmi.ppmi_matrix(placed(interactions.matrix, device), **counts)
    vectors = to_host(svd.truncated_svd(M, min(f, len(kept)), seed=seed).embeddings())
    return Embeddings(interactions.items["id"].to_numpy()[kept], vectors, interactions.name)


class Split(NamedTuple):
    """A study refitted without one item of each context, and the rows of its E to query and to find.

    `testable` is the share of contexts of which both items kept their embedding.
    """

    study: "Study"
    queries: np.ndarray
    hidden: np.ndarray
    testable: float


def _latest(method: Callable[P, T]) -> Callable[P, T]:
    """Keep the latest result of a method: claims measured on one seed after the other share its refit."""

    @wraps(method)
    def kept(*args: P.args, **options: P.kwargs) -> T:
        latest, asked = args[0].__dict__["_latest"], (args[1:], options)
        if latest.get(method, (None, None))[0] != asked:
            latest.pop(method, None)  # freed before the next is made
            latest[method] = asked, method(*args, **options)
        return latest[method][1]

    return kept


class Study:
    """What is known of one catalogue, and what follows from it.

    Parameters
    ----------
    interactions : Interactions, optional
    embeddings : Embeddings, optional
        Made elsewhere, in any basis. Items that the interactions, if any, lack are left out.
    snapshots : mapping of date to Embeddings, optional; at least one of the three is needed
    fit : callable, default :func:`ppmi_svd`
        ``fit(interactions, seed)`` returns Embeddings; for every refit, and where none are given.
    f : int, default 128
        Truncation rank of the SVD, or the number of items where that is less.
    min_count, top_k, cos_theta, rho, seed : default 2, 2000, 0.9, 0.5, 0
        As for :func:`spikylib.ppmi.ppmi_matrix` and :func:`spikylib.spikes.cover`; seed of all draws.
    device : {"cpu", "gpu"}, default "cpu"
        Where matrices, SVDs and covers are made: on a GPU with CuPy (``pip install "spikylib[gpu]"``), one at
        a time. What the study has is in memory all the same.

    Notes
    -----
    Memory kept once computed, in bytes per item: `svd` 16 f, `E` 8 f, each cover 8; `M` takes 12 per entry
    and the interactions 8. Nulls and snapshots are yielded one by one, never kept; of splits and resamples
    only the latest is, for claims that use it one after another.

    Examples
    --------
    >>> study = Study.load("synthetic-clean", f=16)
    >>> study.E.shape[1], study.spk(16) < 0.01
    (16, True)
    """

    def __init__(
        self,
        interactions: Interactions | None = None,
        embeddings: Embeddings | None = None,
        snapshots: Mapping | None = None,
        *,
        fit: Callable[[Interactions, int], Embeddings] = ppmi_svd,
        f: int = 128,
        min_count: int = 2,
        top_k: int = 2000,
        cos_theta: float = 0.9,
        rho: float = 0.5,
        seed: int = 0,
        device: str = "cpu",
    ):
        if interactions is None and embeddings is None and not snapshots:
            raise ValueError("a study needs interactions, embeddings or snapshots; none was given")
        self.interactions, self.embeddings, self._snapshots = interactions, embeddings, snapshots
        check_choice("device", device, "cpu", "gpu")
        placed(np.empty(0), device)  # an error before anything is read or computed
        self.f, self.cos_theta, self.rho, self.seed, self.device = f, cos_theta, rho, seed, device
        self._counts = {"min_count": min_count, "top_k": top_k}
        # what was asked of the matrix, the SVD and the covers, for a refit and for the record
        self.settings = {"f": f, "cos_theta": cos_theta, "rho": rho} | self._counts
        self._fit = fit
        self._covers, self._latest = {}, {}
        self.fit = partial(ppmi_svd, f=f, device=device, **self._counts) if fit is ppmi_svd else fit
        # U Sigma of our own SVD is in its principal order already, and its factors are kept
        self._ours = fit is ppmi_svd and embeddings is None

    @classmethod
    def load(
        cls,
        path_or_name: str | Path,
        *,
        interactions: str | Path | None = None,
        item: str | None = None,
        context: str | None = None,
        time: str | None = None,
        label: str | None = None,
        data_home: str | Path | None = None,
        **settings,
    ) -> "Study":
        """Start from what :func:`spikylib.datasets.load` takes; `interactions` are those behind embeddings."""
        columns = {"item": item, "context": context, "time": time, "label": label, "data_home": data_home}
        if holds_snapshots(path_or_name):
            if interactions is not None:
                raise ValueError("dated embeddings take no interactions: leave them out, or name one file")
            return cls(snapshots=datasets.read_snapshots(path_or_name), **settings)
        found = datasets.load(path_or_name, **columns)
        if isinstance(found, Interactions):
            return cls(found, **settings)
        behind = None if interactions is None else datasets.load(interactions, **columns)
        if isinstance(behind, Embeddings):
            raise ValueError(f"{interactions} contains embeddings; needed are interactions: who played what")
        return cls(behind, found, **settings)

    @property
    def name(self) -> str:
        """Name of the embeddings given, else of the interactions."""
        sources = (self.embeddings, self.interactions, *(self._snapshots or {}).values())
        return next((source.name for source in sources if source and source.name), "the data")

    @property
    def notes(self) -> str:
        """What was read and guessed, in one line; empty if there is nothing to report."""
        # dates are written alike, so the first snapshot speaks for all
        sources = [self.interactions, self.embeddings, *list((self._snapshots or {}).values())[:1]]
        return "; ".join(source.notes for source in sources if source and source.notes)

    @cached_property
    def _matrix(self):
        return ppmi.ppmi_matrix(placed(self._needed().matrix, self.device), **self._counts)

    @cached_property
    def M(self) -> sp.csr_array:
        """PPMI matrix, csr_array of shape (n_kept, n_kept), float64, in nats."""
        return to_host(self._matrix[0])

    @property
    def kept(self) -> np.ndarray:
        """Row of ``interactions.matrix`` behind each row of M."""
        return self._matrix[1]

    @cached_property
    def svd(self) -> svd.TruncatedSVD:
        """Truncated SVD of M, at rank f or the number of its rows."""
        M = self._matrix[0]
        found = svd.truncated_svd(M, min(self.f, M.shape[0]), seed=self.seed)
        return replace(found, U=to_host(found.U), V=to_host(found.V))

    @cached_property
    def _others(self):
        """Embeddings given or made by another fit, and the row of each in the interactions, if any."""
        made = self.embeddings or self.fit(self._needed(), self.seed)
        if self.interactions is None:
            return made, None
        ids = self.interactions.items["id"]
        row = pd.Index(ids).get_indexer(made.ids)
        if (row < 0).all():  # numbers on one side, and the same as text on the other
            row = pd.Index(ids.astype(str)).get_indexer(made.ids.astype(str))
        if (row < 0).all():
            raise ValueError(
                f"none of the embeddings' ids ({made.ids.tolist()[0]!r}, ...) is among those of the interactions "
                f"({ids.tolist()[0]!r}, ...); are they written in the same way?"
            )
        known = row >= 0
        return replace(made, ids=made.ids[known], vectors=made.vectors[known], items=None), row[known]

    @cached_property
    def E(self) -> np.ndarray:
        """Embeddings, shape (n, d): U Sigma of our SVD, others in their principal axes."""
        E = self.svd.embeddings() if self._ours else spikes.principal(self._others[0].vectors)
        return E[:, : len(E)]  # columns beyond the number of rows are zero

    @property
    def rows(self) -> np.ndarray:
        """Row of ``interactions.matrix`` behind each row of E."""
        self._needed()
        return self.kept if self._ours else self._others[1]

    @cached_property
    def items(self) -> pd.DataFrame:
        """Labels of the rows of E: ``id``, and the other columns of the data."""
        if self.interactions is None:
            made = self._others[0]
            return pd.DataFrame({"id": made.ids}) if made.items is None else made.items
        return self.interactions.items.iloc[self.rows].reset_index(drop=True)

    @property
    def plays(self) -> np.ndarray:
        """Number of contexts that contain the item of each row of E."""
        return np.diff(self._needed().matrix.indptr)[self.rows]

    def cover(self, f: int | None = None) -> spikes.SpikeCover:
        """Cover the first f columns of E (default: all) by spikes."""
        f = self.E.shape[1] if f is None else f
        if f not in self._covers:
            E = placed(self.E[:, :f], self.device)
            self._covers[f] = spikes.cover(E, f=f, cos_theta=self.cos_theta, rho=self.rho)
        return self._covers[f]

    def spk(self, f: int | None = None) -> float:
        """Return Spk of the first f columns of E (default: all)."""
        return self.cover(f).spk

    @cached_property
    def has(self) -> frozenset[str]:
        """What a claim may need and this study can give.

        ``E`` embeddings; ``interactions``; ``refit`` those that made E, by a fit that can be redone;
        ``svd`` the factors behind E; ``dates`` times or snapshots; ``tags`` and ``artist`` of the items.
        """
        data, refitted = self.interactions, self.embeddings is None
        found = {"E": data is not None or not refitted, "dates": bool(self._snapshots)}
        if data is not None:
            found |= {"interactions": True, "refit": refitted, "svd": self._ours}
            found["dates"] |= refitted and data.times is not None
            found |= {label: label in data.items for label in ("tags", "artist")}
        return frozenset(name for name, there in found.items() if there)

    @_latest
    def most_played(self, n: int = 10_000) -> "Study":
        """Return a study of the n most played items: this one if it has no more."""
        if self.interactions is None or self.interactions.n_items <= n:
            return self
        plays = np.diff(self.interactions.matrix.indptr)
        chosen = np.zeros(len(plays), dtype=bool)
        chosen[np.argsort(-plays, kind="stable")[:n]] = True
        return self.refit(self.interactions.select(np.repeat(chosen, plays)))

    def nulls(self, f: int | None = None, n_draws: int = 5) -> Iterator[tuple[str, np.ndarray]]:
        """Yield a kind and f columns (default: all) of each draw of the :mod:`spikylib.nulls`; one kind is refitted.

        The first columns of a draw are the null of the first columns of E, so one draw serves all ranks.
        """
        E = self.judged
        for seed in range(self.seed, self.seed + n_draws):
            yield "gaussian", nulls.gaussian(*E.shape, seed=seed)[:, :f]
            yield "same spectrum", nulls.same_spectrum(E, seed=seed)[:, :f]
            yield "like-normal", nulls.like_normal(E, seed=seed)[:, :f]
            if "refit" in self.has:
                mixed = nulls.shuffle_items(self.interactions.matrix, seed=seed)
                yield "shuffled items", self.with_matrix(mixed).E[:, :f]

    @cached_property
    def judged(self) -> np.ndarray:
        """Rows of E that are compared with nulls: all, or of more than 200,000 these 100,000, drawn at random."""
        return self.E if len(self.E) <= 2 * _JUDGED_ROWS else sample_rows(self.E, _JUDGED_ROWS, self.seed)

    @cached_property
    def null_spk(self) -> pd.DataFrame:
        """Spk of five draws of each null, one row per draw: ``null``, the :data:`RANKS`, ``first`` and ``last``.

        Over 10,000 rows, a cover at a rank stops at twice the peaks that the data took, or four times
        where the data can be drawn anew and may take more, and counts as one peak more: whatever more
        it took, the data took at most half. The last two columns are those of :meth:`ends`.
        """
        least, times = min(1.0, _COMPARED / len(self.judged) ** 2), 4 if "refit" in self.has else 2
        most = {f: max(least, times * self._share(self.judged[:, :f])) for f in RANKS if f <= self.E.shape[1]}
        return pd.DataFrame(
            [
                {"null": kind, **dict(zip(("first", "last"), self.ends(E)))}
                | {f: self._share(E[:, :f], most[f]) for f in most if f <= E.shape[1]}
                for kind, E in self.nulls()
            ]
        )

    def ends(self, E: np.ndarray | None = None) -> tuple[float, float]:
        """Spk of the first sixteen columns of E (default: own) and of the last, on at most 10,000 rows."""
        E = sample_rows(self.E if E is None else E, 10_000, self.seed)
        return self._share(E[:, :16]), self._share(E[:, -16:])

    def _share(self, E, most=None):
        limit = None if most is None else max(1, int(most * len(E)))
        if not E.any():  # columns beyond the rank
            return math.nan
        E = placed(E, self.device)
        needed = spikes.peaks(E, [E.shape[1]], [self.cos_theta], [self.rho], limit=limit).item()
        return (limit + 1 if needed < 0 else needed) / len(E)

    @_latest
    def split(self, seed: int) -> Split:
        """Hide one item of each context of three or more, and refit."""
        train, queries, hidden = retrieval.hide_one(self._needed().matrix, seed=seed)
        part = self.with_matrix(train)
        row = np.full(len(self.interactions.items), -1)
        row[part.rows] = np.arange(len(part.rows))
        both = (row[queries] >= 0) & (row[hidden] >= 0)
        return Split(part, row[queries[both]], row[hidden[both]], float(both.mean()))

    def splits(self, n: int) -> Iterator[Split]:
        """Hide one item of each context of three or more, n times with other seeds, and refit."""
        return (self.split(seed) for seed in range(self.seed, self.seed + n))

    @_latest
    def resampled(self, seed: int) -> "Study":
        """Refit to 80 % of the contexts, drawn at random."""
        return self.refit(datasets.resample(self._needed(), seed=seed))

    def resamples(self, n: int, *, share: float = 0.8, replace: bool = False) -> Iterator["Study"]:
        """Refit to n random draws of the contexts, as :func:`spikylib.datasets.resample` makes them."""
        rng = np.random.default_rng(self.seed)
        for _ in range(n):
            yield self.refit(datasets.resample(self._needed(), share=share, replace=replace, seed=rng))

    def snapshots(self, n_windows: int = 12, **options) -> Iterator[tuple[object, Embeddings]]:
        """Yield dates and embeddings: those given, else fitted to the :func:`stability.windows`."""
        if self._snapshots:
            yield from self._snapshots.items()
            return
        for date, part in stability.windows(self._needed(), n_windows, **options).items():
            yield date, self.fit(part, self.seed)

    def refit(self, interactions: Interactions) -> "Study":
        """Return a study of other interactions with the same fit and settings."""
        return Study(interactions, fit=self._fit, seed=self.seed, device=self.device, **self.settings)

    def with_matrix(self, matrix: sp.csr_array) -> "Study":
        """Return a study refitted to other entries of the same items and contexts, which have no times."""
        return self.refit(replace(self._needed(), matrix=matrix, times=None))

    def _needed(self):
        """The interactions; an error where there are none."""
        if self.interactions is None:
            raise ValueError("this study needs interactions here: give Study(interactions=...)")
        return self.interactions

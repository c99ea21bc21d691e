"""Helpers of every module for a matrix of rows: checks, norms, the rule of a zero row, and threads.

A row whose norm is at most 1e-9 of the largest has no direction: it is on no spike, in no list and
near nothing. That rule, and each of the helpers below, is defined here once.
"""

import contextlib
import ctypes
import functools
import math
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, DTypeLike
from threadpoolctl import threadpool_limits

from spikylib._checks import check_range
from spikylib._device import as_array, to_host

ROW_BLOCK = 2048  # rows worked on at a time: bounds the memory, and fills a core's cache
_ZERO = 1e-9  # share of the largest norm up to which a row has no direction

# glibc gives every large array back to the system when it is freed, and mapping and clearing its
# pages anew can take as long as the work on it; Dask has its workers give back the small ones too.
# Up to 32 MB are kept, as after a while they would be anyway (mallopt(3)); elsewhere this does nothing.
with contextlib.suppress(AttributeError, TypeError):
    ctypes.CDLL(None).mallopt(-3, 2**25 - 2**16)  # M_MMAP_THRESHOLD
    ctypes.CDLL(None).mallopt(-1, 2**26)  # M_TRIM_THRESHOLD


def checked_rows(name: str, E: ArrayLike, f: int | None = None) -> np.ndarray:
    """E as a two-dimensional array of real numbers (memory maps stay so), its first f columns.

    Refused are masked entries, sparse matrices, and tables with a column that is not a dimension.
    """
    if hasattr(E, "columns") and (odd := _not_dimensions(E)):
        raise ValueError(f"{name} has the column {odd[0]!r}, not a dimension; drop it, or make it the index")
    if hasattr(E, "toarray"):
        raise ValueError(f"{name} is a sparse matrix; pass its toarray()")
    E = as_array(E)
    if isinstance(E, np.ma.MaskedArray) and E.mask.any():
        raise ValueError(f"{name} has masked entries: {np.argwhere(E.mask)[0].tolist()}; fill or drop them")
    if isinstance(E, np.ma.MaskedArray | np.matrix):
        E = np.asarray(E)  # either has a product and sums of its own
    if E.ndim != 2 or 0 in E.shape:
        raise ValueError(f"{name} must be a non-empty array of shape (rows, columns), got shape {E.shape}")
    if E.dtype.kind not in "fiub":
        remedy = "; make it numbers with astype(float)" if E.dtype == object else ""
        raise ValueError(f"{name} must contain real numbers, got dtype {E.dtype}{remedy}")
    if f is None:
        return E
    check_range("f", f, 1, E.shape[1], f"columns of {name}")
    return E[:, :f]


def row_norms(name: str, E: np.ndarray, map_blocks: Callable = map) -> tuple[np.ndarray, float]:
    """Norm of each row of E times a scale, and that scale; NaN, infinity and all zero are errors.

    The scale is 1 unless squares could leave the range of floats; then it is a power of two, so
    that no cosine changes. `map_blocks` is `map`, or that of a pool of threads.
    """
    return at_safe_scale(
        name, lambda scale: scaled_norms(E, scale, map_blocks), lambda: largest_entry(name, E)
    )


def at_safe_scale(name, norms_at, largest):
    """Norms at the scale 1, or at that of the largest entry where squares could leave the range."""
    norm = norms_at(1.0)
    if 1e-10 < norm.max() < 1e10:  # false for NaN as well
        return norm, 1.0
    scale = scale_of(largest(), name)
    return norms_at(scale), scale


def scaled_norms(E, scale, map_blocks=map):
    """Norm of each row of E times the scale, float64; infinite where squares overflow."""

    def of_block(a):
        with np.errstate(over="ignore"):
            block = to_host(take_rows(E, slice(a, a + ROW_BLOCK), scale))
            return np.sqrt(np.einsum("ij,ij->i", block, block))

    return np.concatenate(list(map_blocks(of_block, range(0, len(E), ROW_BLOCK))))


def largest_entry(name: str, E: np.ndarray, first_row: int = 0) -> float:
    """Largest magnitude in E; the error about one that is not finite counts rows from `first_row`."""
    largest = 0.0
    for a in range(0, len(E), ROW_BLOCK):
        block = np.abs(to_host(E[a : a + ROW_BLOCK]).astype(np.float64))
        if not np.isfinite(block).all():
            i, j = np.argwhere(~np.isfinite(block))[0]
            raise ValueError(
                f"{name} contains {E[a + i, j]} at row {first_row + a + i}, column {j}; "
                "remove or fill such rows first"
            )
        largest = max(largest, float(block.max()))
    return largest


def scale_of(largest: float, name: str = "E") -> float:
    """The power of two that brings a largest entry near 1."""
    if largest == 0:
        raise ValueError(f"every row of {name} is zero: there is no direction to measure")
    return 2.0 ** -min(max(math.frexp(largest)[1], -1022), 1022)


def take_rows(
    E: np.ndarray, rows: slice | np.ndarray, scale: float = 1.0, dtype: DTypeLike = np.float64
) -> np.ndarray:
    """The chosen rows of E times the scale, in the dtype asked for."""
    block = E[rows]
    if scale != 1:
        block = block.astype(np.float64) * scale
    return block.astype(dtype, copy=False)


def has_direction(norm: np.ndarray) -> np.ndarray:
    """Whether each row has a direction: a norm above 1e-9 of the largest."""
    return norm > _ZERO * norm.max()


def one_direction(E: np.ndarray) -> bool:
    """Whether nine in ten rows are within a cosine of 0.9 of their mean direction; E is finite.

    Then norms and cosines are those of an offset: a mean, or the zero point of a quantised embedding.
    """
    sample = to_host(E[:: max(1, len(E) // ROW_BLOCK)])
    if len(sample) < 10 or E.shape[1] == 1 or not sample.any():
        return False
    unit = unit_rows(sample)
    mean = unit.mean(axis=0)
    return bool(np.mean(unit @ mean > 0.9 * np.linalg.norm(mean)) > 0.9)


def unit_rows(E: ArrayLike) -> np.ndarray:
    """Rows scaled to norm 1, float64; rows without a direction become zero."""
    E = checked_rows("E", E)
    norm, scale = row_norms("E", E)
    alive = has_direction(norm)
    unit = np.zeros(E.shape)
    unit[alive] = take_rows(E, alive, scale) / norm[alive, None]
    return unit


def sample_rows(E: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Rows of E in their order: all, or as many as given, drawn at random."""
    if len(E) <= most:
        return E
    return E[np.sort(np.random.default_rng(seed).choice(len(E), most, replace=False))]


def n_shared(lists: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Number of entries that each row of one array has in common with that row of the other.

    No row contains an entry twice, so that sorted together only a common one has an equal neighbour.
    """
    both = np.sort(np.concatenate([lists, others], axis=1), axis=1)
    return (both[:, 1:] == both[:, :-1]).sum(axis=1)


def gini(values: ArrayLike) -> float:
    """Gini coefficient of non-negative values: 0 where all are equal, near 1 where few have all."""
    values = np.sort(np.asarray(values, dtype=np.float64))
    n = len(values)
    return float((2 * np.arange(1, n + 1) - n - 1) @ values / (n * values.sum()))


def n_threads() -> int:
    """Threads this process may keep busy.

    The smallest of its CPU affinity, the CPU quota of its control group (containers) and
    ``OMP_NUM_THREADS``; at least 1.
    """
    affinity = getattr(os, "sched_getaffinity", None)
    limits = [len(affinity(0)) if affinity else os.cpu_count() or 1, *_quotas()]
    # "4,2" is four threads, and two within each of them
    asked = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]
    if asked.strip().isdecimal():
        limits.append(int(asked))
    return max(1, math.ceil(min(limits)))


@contextlib.contextmanager
def threaded_map(parallel: bool = True) -> Iterator[Callable]:
    """A `map` over our own threads; those of BLAS are off meanwhile, for the two would fight.

    Not parallel, or with one thread allowed, it is the plain `map`, BLAS as it was.
    """
    workers = n_threads() if parallel else 1
    if workers == 1:
        yield map
        return
    with threadpool_limits(1), ThreadPoolExecutor(workers) as pool:
        yield pool.map


@functools.cache  # reading these files takes as long as a small matrix product
def _quotas():
    return tuple(_cgroup_quotas())


def _not_dimensions(table):
    """Columns of a table that are named as ids, or are whole numbers or text beside fractions."""
    kinds = {column: str(kind).lower()[:5] for column, kind in zip(table.columns, table.dtypes)}
    some = "float" in kinds.values()
    named = re.compile(r"(?i:(.*[^a-z])?ids?)|.*[a-z]I[dD]s?")
    return [c for c, kind in kinds.items() if named.fullmatch(str(c)) or (some and kind != "float")]


def _cgroup_quotas(root=Path("/sys/fs/cgroup"), own=Path("/proc/self/cgroup")):
    """CPUs that control groups (version 2, else 1) grant this process: its own and those above."""
    with contextlib.suppress(OSError, ValueError):
        lines = dict(line.split(":", 2)[1:] for line in own.read_text().splitlines())
        group = lines.get("", "/").strip("/")
        for place in (root / group, *(root / group).parents):
            with contextlib.suppress(OSError, ValueError):
                quota, period = (place / "cpu.max").read_text().split()
                yield int(quota) / int(period)
            if place == root:
                break
        group = next((path for names, path in lines.items() if "cpu" in names.split(",")), "/").strip("/")
        for place in (root / "cpu" / group, root / "cpu"):
            with contextlib.suppress(OSError, ValueError):
                quota = int((place / "cpu.cfs_quota_us").read_text())
                if quota > 0:
                    yield quota / int((place / "cpu.cfs_period_us").read_text())

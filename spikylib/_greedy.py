"""The greedy cover, written once for rows in memory, on a GPU, and on a cluster.

*Rows* have three things: ``norm``, the norm of each; ``take(rows)``, those rows in double
precision; and ``captured_by(peaks, free)``, the free rows that some peak captures, with the
position of the first peak that does.
"""

import math
import warnings
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from spikylib._arrays import ROW_BLOCK, has_direction, row_norms, take_rows
from spikylib._device import beside, to_host, within_memory

# candidates resolved by one product, at most: more would be compared in vain, fewer cost calls
PEAK_BLOCK = 256
_COMPARED = 16  # bytes of a product and its place, at most
_MOST = 2**22  # rows compared at once on a GPU, at most: CuPy numbers larger products wrongly in places
_FIRST_BLOCK = 32  # at first where rows are few: comparing candidates outweighs the calls there


class Peaks(NamedTuple):
    """Rows of shape (n_peaks, f) to compare others with, their norms, and the threshold."""

    rows: np.ndarray
    norm: np.ndarray
    cos_theta: float


class LocalRows:
    """Rows of an array (in memory, on a GPU, or a memory map), times a scale at which no square leaves the range of floats."""

    def __init__(self, E, norm, scale, map_blocks=map):
        self.E, self.norm, self.scale, self.map_blocks = E, norm, scale, map_blocks

    def take(self, rows):
        return to_host(take_rows(self.E, rows, self.scale))

    def captured_by(self, peaks, free):
        def of_block(rows):
            i, j = captures(rows)
            first = np.flatnonzero(np.diff(i, prepend=-1))
            return rows[i[first]], j[first]

        def stage(memory):
            size = ROW_BLOCK if memory is None else max(1, min(memory // taken, _MOST))
            blocks = [free[a : a + size] for a in range(0, len(free), size)]
            rows, position = zip(*self.map_blocks(of_block, blocks))
            return np.concatenate(rows), np.concatenate(position)

        captures, free = self.comparison(peaks), np.flatnonzero(free)
        # on a GPU, by a row: itself, twice over, and its products with what is found among them
        taken = 12 * self.E.shape[1] + _COMPARED * len(peaks.norm)
        return within_memory(self.E, stage, "a comparison of the rows with peaks")

    def comparison(self, peaks):
        """A function from rows to the pairs (row, peak), by position, with a cosine above the threshold."""
        directions = beside(self.E, (peaks.rows / peaks.norm[:, None]).astype(np.float32).T)
        # error of a product of a row with a unit row in single precision, as a share of the row's
        # norm, with room to spare: where it could decide, double precision does
        band = (self.E.shape[1] + 16) * 2.0**-23

        def captures(rows):
            product = take_rows(self.E, rows, self.scale, np.float32) @ directions
            norm = self.norm[rows]
            lowest, highest = (((peaks.cos_theta + e) * norm).astype(np.float32) for e in (-band, band))
            above = np.flatnonzero(product > beside(product, lowest[:, None]))
            bounds, above = to_host(product.ravel()[above]), to_host(above)
            i, j = np.divmod(above, len(peaks.norm))
            unclear = np.flatnonzero(bounds < highest[i])
            wrong = []
            for a in range(0, len(unclear), ROW_BLOCK):
                part = unclear[a : a + ROW_BLOCK]
                dot = np.einsum("ij,ij->i", self.take(rows[i[part]]), peaks.rows[j[part]])
                cosine = dot / (norm[i[part]] * peaks.norm[j[part]])
                wrong.extend(part[cosine <= peaks.cos_theta])
            return (np.delete(i, wrong), np.delete(j, wrong)) if wrong else (i, j)

        return captures


def local_rows(E, map_blocks=map):
    """The rows of E, measured."""
    return LocalRows(E, *row_norms("E", E, map_blocks), map_blocks)


def by_norm(norm):
    """Rows that have a direction, by decreasing norm; ties go to the lower row."""
    order = np.argsort(-norm, kind="stable")
    return order[: np.count_nonzero(has_direction(norm))]


def target(n, rho):
    """Rows that make a share rho of n; rho n may lie a rounding error above a whole number."""
    return math.ceil(rho * n - 1e-9)


def check_thresholds(cos_thetas, rhos):
    """Refuse thresholds of collinearity and shares of rows that are out of range."""
    for cos_theta in cos_thetas:
        if not -1 < cos_theta < 1:
            raise ValueError(f"cos_theta must be between -1 and 1, both excluded, got {cos_theta}")
    for rho in rhos:
        if not 0 < rho <= 1:
            raise ValueError(f"rho must be above 0 and at most 1, got {rho}")


def warn_of_zero_rows(n_directions, n, rho):
    """Warn the caller's caller if rows without a direction put a share rho out of reach."""
    if n_directions < target(n, rho):
        warnings.warn(
            f"only {n_directions} of {n} rows have a norm above zero: rho={rho} cannot be reached, "
            "so Spk counts the peaks that capture those",
            RuntimeWarning,
            stacklevel=3,
        )


def greedy_cover(rows, order, cos_theta, rho, limit=None):
    """Peaks, the position of each row's peak (-1 if none), and rows captured after each peak.

    Stops once a share rho of the rows is captured, or more than `limit` peaks are needed.
    """
    n = len(rows.norm)
    goal = target(n, rho)
    spike, free = np.full(n, -1, dtype=np.int64), np.zeros(n, dtype=bool)
    free[order] = True
    peaks, captured, total = [], [], 0
    size = min(max(_FIRST_BLOCK, n // 64), PEAK_BLOCK)
    with tqdm(total=goal, desc="Spk", unit=" rows", disable=None, delay=3) as bar:
        while total < goal and len(order) and (limit is None or len(peaks) <= limit):
            block, new = _next_peaks(rows, order[:size], cos_theta)
            first, size = len(peaks), min(2 * size, PEAK_BLOCK)
            captives, position = rows.captured_by(block, free)
            spike[captives] = first + position
            spike[new] = first + np.arange(len(new))
            running = total + np.cumsum(np.bincount(spike[spike >= first] - first, minlength=len(new)))
            needed = min(int(np.searchsorted(running, goal)) + 1, len(running))
            spike[spike >= first + needed] = -1  # a whole block was resolved; the goal came within it
            peaks.extend(new[:needed])
            captured.extend(running[:needed])
            bar.update(int(running[needed - 1]) - total)
            total = int(running[needed - 1])
            free &= spike < 0
            order = order[free[order]]
    return np.array(peaks, dtype=np.int64), spike, np.array(captured, dtype=np.int64)


def _next_peaks(rows, candidates, cos_theta):
    """Of free candidates in order, those that none before them captures."""
    vectors, norm = rows.take(candidates), rows.norm[candidates]
    among = LocalRows(vectors, norm, 1.0).comparison(Peaks(vectors, norm, cos_theta))
    capture = np.zeros((len(candidates), len(candidates)), dtype=bool)
    capture[among(np.arange(len(candidates)))] = True
    taken, chosen = np.zeros(len(candidates), dtype=bool), []
    for j in range(len(candidates)):
        if not taken[j]:
            chosen.append(j)
            taken |= capture[:, j]
    return Peaks(vectors[chosen], norm[chosen], cos_theta), candidates[chosen]

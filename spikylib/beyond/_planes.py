"""What planes through two peaks capture beyond half-lines and beyond chance."""

import warnings

import numpy as np

from spikylib import nulls
from spikylib._arrays import unit_rows
from spikylib._checks import check_range
from spikylib.beyond._orders import best_first, neighbours, ordered_cover

_CANDIDATES = 60  # peaks that half-lines and planes go through: 1770 planes
_NULLS = 3  # draws of the null


def plane_gain(
    E: np.ndarray, n_directions: int, *, cos_theta: float = 0.9, seed: int = 0
) -> dict[str, float]:
    """Measure how much more planes capture than half-lines at equal cost, and how much by chance.

    A half-line costs one direction, a plane two. The cover is greedy: the next one captures most new rows
    per direction. All go through the first 60 peaks of ``ordered_cover(..., "gain")``. There are two nulls,
    in which each row keeps its angle to the nearest half-line found. In one the rest of it is drawn at
    random. In the other the rest points to another of the half-lines, assigned at random, as for
    communities of rank 1 that overlap by chance.

    Parameters
    ----------
    E : array, shape (n, f)
        Embeddings, finite.
    n_directions : int
        Directions to spend, at least 1.
    cos_theta : float, default 0.9
        Threshold, in (0, 1), for the cosine of a row with the half-line or the plane.
    seed : int, default 0
        Seed of the first of three draws of each null.

    Returns
    -------
    dict
        Shares of the n rows: ``lines`` and ``planes`` captured without and with planes, ``gain``,
        their difference; ``null_low``, ``null_high``, ``overlap_low`` and ``overlap_high``, the smallest
        and largest gain of the nulls.

    Examples
    --------
    Four communities that drift, and a narrow cone: eight half-lines leave more than four planes.

    >>> from spikylib import svd, synthetic
    >>> M, community, _ = synthetic.planted_shapes(["drift"] * 4, 60)
    >>> found = plane_gain(svd.truncated_svd(M, f=8).embeddings(), 8, cos_theta=0.98)
    >>> found["gain"] > 0.1 > found["null_high"]
    True
    """
    check_range("n_directions", n_directions, 1)
    if not 0 < cos_theta < 1:
        raise ValueError(f"cos_theta must be between 0 and 1, both excluded, got {cos_theta}")

    def captured(A):
        """Shares of rows captured by half-lines alone and with planes, and the half-lines."""
        near = neighbours(A, cos_theta=cos_theta)
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # zero rows are left over
            candidates = ordered_cover(near, "gain", rho=1, limit=_CANDIDATES).peaks
        lines = _subspaces(A, candidates, n_directions, cos_theta, planes=False)
        both = _subspaces(A, candidates, n_directions, cos_theta)
        return lines[-1][1] / len(A), both[-1][1] / len(A), [first for _, _, first, _ in lines]

    lines, planes, axes = captured(E)
    found = {"lines": lines, "planes": planes, "gain": planes - lines}
    for null, overlap in (("null", False), ("overlap", True)):
        drawn = [captured(_redrawn(E, axes, overlap, seed=seed + i)) for i in range(_NULLS)]
        gains = [with_planes - alone for alone, with_planes, _ in drawn]
        found |= {f"{null}_low": min(gains), f"{null}_high": max(gains)}
    return found


def _subspaces(E, candidates, n_directions, cos_theta, *, planes=True):
    """Cover by half-lines through candidate rows and planes through two of them, greedily.

    One tuple per half-line or plane, in the order chosen: directions spent and rows captured so
    far, first and second, the rows it goes through (-1 for no second). Works in 10 n P bytes
    for P candidates, and tries P^2 / 2 planes, n operations each.
    """
    candidates, unit = np.asarray(candidates), unit_rows(E)
    # a candidate a row: what is read together lies together
    cosine = np.ascontiguousarray((unit @ unit[candidates].T).T)
    among = cosine[:, candidates]

    def members(p, q):
        """Rows captured by the plane of p and each q, or by the half-line p where q is p."""
        if q is p:
            return cosine[p] > cos_theta
        # squared cosine of a row with the plane of two unit vectors of cosine g, times 1 - g^2
        g, a, b = among[p, q][..., None], cosine[p], cosine[q]
        return a**2 + b**2 - 2 * g * a * b > cos_theta**2 * (1 - g**2)

    def inside(p, q):
        return members(p, p if q < 0 else q) & free

    def scored(entry):
        _, cost, p, q = entry  # what no longer can be paid for counts as capturing nothing
        return (-inside(p, q).sum() / cost if spent + cost <= n_directions else 0), cost, p, q

    queue = [(-float(members(p, p).sum()), 1, p, -1) for p in range(len(candidates))]
    for p in range(len(candidates) if planes and n_directions > 1 else 0):
        others = np.arange(p + 1, len(candidates))
        sizes = members(p, others).sum(axis=1)  # all planes of p at once
        queue += [(-size / 2, 2, p, int(q)) for q, size in zip(others, sizes)]
    free, rows, spent = np.ones(len(E), dtype=bool), [], 0
    for score, cost, p, q in best_first(queue, scored):
        if score == 0:
            break
        free &= ~inside(p, q)
        spent += cost
        rows.append((spent, int((~free).sum()), candidates[p], candidates[q] if q >= 0 else -1))
    return rows


def _redrawn(E, candidates, overlap=False, *, seed=0):
    """Rows of E at their angle to the nearest candidate, the rest of each drawn at random.

    The half-lines keep their rows, and what a plane captures beyond them it captures by chance. The
    rest of a row is Gaussian with the second moments of the unit rows' columns, at a right angle to the
    candidate; with overlap it is the direction to another candidate, the second nearest of a row
    drawn at random. Rows have length 1, 0 where E has no direction; candidates are only scaled.
    """
    unit = unit_rows(E)
    direction = unit[candidates]
    cosine = unit @ direction.T
    rest = None
    if overlap and len(candidates) > 1:
        second = np.argsort(-cosine, axis=1, kind="stable")[:, 1]
        rest = direction[np.random.default_rng(seed).permutation(second)]
    redrawn = nulls.in_cones(unit, direction[cosine.argmax(axis=1)], rest=rest, seed=seed)
    redrawn[candidates] = direction
    return redrawn

"""Where arrays live: in memory, or on a GPU as CuPy arrays.

A stage is written once, for both: NumPy's functions work on CuPy arrays where these live (NEP 13 and 18).
Here is what differs: making arrays beside given ones, moving them, the classes of sparse matrices, the
eigensolver, sorting within rows, and how much is worked on at a time.

A GPU multiplies, sorts and discards. Whatever is close to a threshold or a tie is decided on the host, in
double precision, so peaks and lists are the same wherever the rows live.
"""

import importlib
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
_INSTALL = 'install it with: pip install "spikylib[gpu]" (CUDA 12; for others see https://docs.cupy.dev)'


def on_gpu(A: Any) -> bool:
    """Whether A is an array or a sparse matrix of CuPy."""
    return type(A).__module__.partition(".")[0] in ("cupy", "cupyx")


def namespace(A: Any) -> ModuleType:
    """The library of A: NumPy or CuPy."""
    return importlib.import_module("cupy") if on_gpu(A) else np


def sparse(A: Any) -> ModuleType:
    """The sparse matrices that go with A."""
    return importlib.import_module("cupyx.scipy.sparse" if on_gpu(A) else "scipy.sparse")


def as_array(A: Any) -> np.ndarray:
    """A as an array where it lives; sparse matrices as they are."""
    return A if on_gpu(A) or _is_sparse(A) else np.asanyarray(A)


def to_host(A: Any) -> Any:
    """A in memory."""
    return A.get() if on_gpu(A) else A


def to_gpu(A: Any) -> Any:
    """A copy of A on the GPU; an error says what is missing where that cannot be."""
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        raise ValueError(f"a GPU is used through CuPy, which cannot be imported here; {_INSTALL}") from error
    if not cupy.cuda.is_available():
        raise ValueError(
            "CuPy finds no CUDA GPU with a driver here; check with nvidia-smi, or leave out the GPU"
        )
    if os.environ.get("CUPY_TF32", "0") != "0":
        raise ValueError("CUPY_TF32 makes single precision too coarse to bound a cosine; unset it")
    if _is_sparse(A):
        on_device = importlib.import_module("cupyx.scipy.sparse")
        return csr(on_device.csr_array(A.astype(np.float64, copy=False)))
    return cupy.asarray(A)


def placed(A: Any, device: str) -> Any:
    """A, or a copy of it on the GPU where that is the device."""
    return to_gpu(A) if device == "gpu" else A


def beside(A: Any, other: np.ndarray, dtype: Any = None) -> Any:
    """Another array as one of A's library, which is copied only where it must be."""
    return namespace(A).asarray(other, dtype=dtype)


def csr(A: Any, dtype: Any = None) -> Any:
    """A matrix as a csr array of its library."""
    if on_gpu(A) and not _is_sparse(A):
        A = A.astype(np.float64)  # CuPy's sparse matrices hold no whole numbers
    A = sparse(A).csr_array(A, dtype=dtype)
    if on_gpu(A) and A.indices.dtype == np.int64 and max(A.nnz, *A.shape) < 2**31:
        # CUDA 12 transposes none with 64-bit indices, and CuPy takes ten times as long
        parts = A.data, A.indices.astype(np.int32), A.indptr.astype(np.int32)
        A = sparse(A).csr_array(parts, shape=A.shape)
    return A


def count_type(A: Any) -> type:
    """What counts are kept as: whole numbers, but on a GPU, where sparse matrices hold none."""
    return np.float64 if on_gpu(A) else np.int32


def eigh(A: Any) -> tuple[np.ndarray, Any]:
    """Eigenvalues, on the host, and eigenvectors of a full symmetric matrix."""
    d, P = importlib.import_module("cupy.linalg" if on_gpu(A) else "scipy.linalg").eigh(A)
    return to_host(d), P


def multiply_ones(left: Any, right: Any, a: int, b: int) -> Any:
    """Rows a to b of the product of two matrices of ones, by column on a GPU.

    There all terms are listed and sorted: cuSPARSE fails where 32 bits do not number what it works on at a
    time, and CuPy returns zeros where they do not number all terms (https://github.com/cupy/cupy/issues/10033).
    """
    if not on_gpu(left):
        return left[a:b] @ right
    xp = namespace(left)
    at = left.indices[left.indptr[a] : left.indptr[b]]
    length = right.indptr[at + 1] - right.indptr[at]
    entry = xp.repeat(xp.arange(len(at)), length)
    place = xp.arange(len(entry)) + (right.indptr[at] + length - xp.cumsum(length))[entry]
    key = xp.repeat(xp.arange(b - a), np.diff(left.indptr[a : b + 1]))[entry] << 32
    del entry
    key += right.indices[place]
    del place
    key.sort()
    first = xp.flatnonzero(xp.diff(key, prepend=-1))
    count, key = xp.diff(xp.append(first, len(key))), key[first]
    indptr = xp.searchsorted(key >> 32, xp.arange(b - a + 1))
    parts = count.astype(np.float64), (key & 0xFFFFFFFF).astype(np.int32), indptr.astype(np.int32)
    return sparse(left).csr_array(parts, shape=(b - a, right.shape[1]))


def at_places(C: Any, rows: Any, place: int) -> tuple[Any, Any]:
    """Of each row chosen, the value and column that come at a place by decreasing value and then by column.

    All rows at once: on a GPU a loop over them would wait for every one.
    """
    xp = namespace(C)
    chosen = xp.zeros(C.shape[0], dtype=bool)
    chosen[rows] = True
    row = xp.repeat(xp.arange(C.shape[0]), np.diff(C.indptr))
    entries = xp.flatnonzero(chosen[row])
    # a stable sort leaves equal values of a row by column
    key = (row[entries] << 32) - C.data[entries].astype(np.int64)
    ordered = entries[xp.argsort(key, kind="stable")]
    length = C.indptr[rows + 1] - C.indptr[rows]
    at = ordered[xp.cumsum(length) - length + place]
    return C.data[at], C.indices[at]


def within_memory(A: Any, stage: Callable[[int | None], T], what: str) -> T:
    """stage(memory), where blocks on the GPU of A may take so many bytes; stage(None) on the host.

    They may take half of what is free, or a quarter where that was too much.
    """
    if not on_gpu(A):
        return stage(None)
    cupy = namespace(A)
    pool = cupy.get_default_memory_pool()
    for share in (2, 4):
        free, total = cupy.cuda.runtime.memGetInfo()
        free += pool.free_bytes()
        try:
            return stage(free // share)
        except MemoryError as error:  # CuPy raises one of its own, but not where it sorts
            needed = str(error)  # not the error, which would keep the arrays of its frames
        pool.free_all_blocks()
    raise MemoryError(
        f"{what} does not fit the GPU, where {free / 1e9:.1f} of {total / 1e9:.1f} GB are free: {needed}; "
        "free some of it, or leave out the GPU"
    )


def _is_sparse(A):
    return hasattr(A, "toarray")

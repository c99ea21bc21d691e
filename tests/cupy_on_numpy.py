"""CuPy's interface on NumPy's arrays, as strict as CuPy is: for the shared code where no GPU is.

Arrays of the two libraries do not mix, none is converted in silence, sparse matrices hold no whole numbers and
are not multiplied by each other, reductions return arrays without dimensions, and what CuPy 14 lacks of NumPy is
missing here too. What memory there is can be set, and runs out, with a plain MemoryError, as in CuPy's sorts.
"""

import types

import numpy as np
import scipy.sparse as sp

LACKING = {"vecdot", "vecmat", "matvec", "insert", "block", "bmat", "geomspace", "unstack", "spacing"}
METHODS = {"astype", "max", "min", "any", "all", "argmax", "cumsum", "ravel", "reshape", "sort"}


def off(value, strict=True):
    """What NumPy is given for an argument; an array of its own is refused, as CuPy refuses it."""
    if isinstance(value, ndarray):
        return value.held
    if isinstance(value, np.ndarray) and strict:
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    if isinstance(value, list | tuple):
        return type(value)(off(v, strict) for v in value)
    return value


def place(value):
    """A place in an array: of a slice, CuPy takes arrays without dimensions as well; they are no integers elsewhere."""
    if isinstance(value, slice):
        edges = value.start, value.stop, value.step
        return slice(*(int(edge) if isinstance(edge, ndarray) else edge for edge in edges))
    return tuple(map(place, value)) if isinstance(value, tuple) else off(value, strict=False)


def on(value):
    """What CuPy would return for a result of NumPy."""
    if isinstance(value, tuple):
        return tuple(map(on, value))
    return ndarray(np.asarray(value)) if isinstance(value, np.ndarray | np.generic) else value


class ndarray(np.lib.mixins.NDArrayOperatorsMixin):
    __module__ = "cupy"

    def __init__(self, held):
        self.held = held

    def __array__(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed")

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **options):
        if ufunc.__name__ in LACKING:
            return NotImplemented
        if out is not None:
            options["out"] = tuple(map(off, out))
        result = taken(getattr(ufunc, method)(*map(off, inputs), **options))
        return out[0] if out is not None else on(result)

    def __array_function__(self, function, _, arguments, options):
        if function.__name__ in LACKING:
            return NotImplemented
        if function is np.partition and type(arguments[1]) is not int:
            raise TypeError(f"'{type(arguments[1]).__name__}' object is not iterable")
        options = {name: off(value) for name, value in options.items()}
        return on(function(*off(arguments), **options))

    def __getattr__(self, name):
        if name in METHODS:
            return lambda *a, **o: on(getattr(self.held, name)(*off(a), **{k: off(v) for k, v in o.items()}))
        if name in ("shape", "dtype", "ndim", "size", "nbytes", "flags"):
            return getattr(self.held, name)
        raise AttributeError(name)

    @property
    def T(self):
        return ndarray(self.held.T)

    def get(self):
        return self.held.copy()

    def __getitem__(self, key):
        return on(self.held[place(key)])

    def __setitem__(self, key, value):
        self.held[place(key)] = off(value)

    def __len__(self):
        return len(self.held)

    def __iter__(self):
        return map(on, self.held)

    def __bool__(self):
        return bool(self.held)

    def __int__(self):
        return int(self.held)

    def __float__(self):
        return float(self.held)


class csr_array:
    __module__ = "cupyx.scipy.sparse"
    ndim = 2

    def __init__(self, A, shape=None, dtype=None):
        if isinstance(A, csr_array):
            A = A.held
        elif isinstance(A, tuple):
            A = tuple(off(part) for part in A)
        elif not sp.issparse(A):
            A = off(A)
        self.held = sp.csr_array(A, shape=shape, dtype=dtype)
        if self.held.dtype.char not in "?fd":
            raise ValueError("Only bool, float32, float64, complex64 and complex128 are supported")

    shape = property(lambda self: self.held.shape)
    dtype = property(lambda self: self.held.dtype)
    nnz = property(lambda self: self.held.nnz)
    data = property(lambda self: ndarray(self.held.data))
    indices = property(lambda self: ndarray(self.held.indices))
    indptr = property(lambda self: ndarray(self.held.indptr))
    has_canonical_format = property(lambda self: self.held.has_canonical_format)
    T = property(lambda self: csc_array(self.held.T))

    def get(self):
        return self.held.copy()

    def toarray(self):
        return ndarray(self.held.toarray())

    def astype(self, dtype, copy=True):
        return type(self)(self.held.astype(dtype, copy=copy))

    def copy(self):
        return type(self)(self.held.copy())

    def maximum(self, other):
        return csr_array(self.held.maximum(other.held))

    def sort_indices(self):
        self.held.sort_indices()

    def sum_duplicates(self):
        self.held.sum_duplicates()

    def __getitem__(self, rows):
        return csr_array(self.held[rows])

    def __matmul__(self, other):
        return on(self.held @ off(other))


class csc_array(csr_array):
    def __init__(self, A):
        self.held = A

    def tocsr(self):
        return csr_array(self.held.tocsr())


MEMORY = {"free": 2**30, "largest": 2**40}  # bytes said to be free; of an array, the most there are


def taken(result):
    size = getattr(result, "nbytes", 0)
    if size > MEMORY["largest"]:
        raise MemoryError(f"Out of memory allocating {size:,} bytes")
    return result


class Library(types.ModuleType):
    """A module whose functions are NumPy's, from arrays of CuPy to such arrays."""

    def __init__(self, name, functions):
        super().__init__(name)
        self._functions = functions

    def __getattr__(self, name):
        if name.startswith("__") or name in LACKING:
            raise AttributeError(name)
        function = getattr(self._functions, name)

        def called(*arguments, **options):
            return on(function(*off(arguments), **{k: off(v) for k, v in options.items()}))

        return called


def asarray(value, dtype=None, order=None):
    return ndarray(np.array(off(value, strict=False), dtype=dtype, order=order or "K"))


def modules():
    """What `import cupy` and `import cupyx.scipy.sparse` then find, by name."""
    cupy = Library("cupy", np)
    cupy.linalg, cupy.asarray, cupy.ndarray = Library("cupy.linalg", np.linalg), asarray, ndarray
    pool = types.SimpleNamespace(free_all_blocks=lambda: None, free_bytes=lambda: 0, total_bytes=lambda: 0)
    cupy.get_default_memory_pool = lambda: pool
    cupy.cuda = types.SimpleNamespace(
        is_available=lambda: True,
        Device=lambda: types.SimpleNamespace(synchronize=lambda: None),
        runtime=types.SimpleNamespace(memGetInfo=lambda: (MEMORY["free"], 2 * MEMORY["free"])),
    )
    sparse = types.ModuleType("cupyx.scipy.sparse")
    sparse.csr_array = csr_array
    return {
        "cupy": cupy,
        "cupy.linalg": cupy.linalg,
        "cupyx": types.ModuleType("cupyx"),
        "cupyx.scipy.sparse": sparse,
    }

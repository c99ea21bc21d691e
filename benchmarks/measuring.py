"""What the benchmark scripts share: time, memory, tables."""

import ctypes
import gc
import os
import platform
import re
import statistics
import time
from importlib.metadata import version
from pathlib import Path

import click
import numpy as np

from spikylib import _lanczos
from spikylib._arrays import n_threads, threaded_map

_STATUS = Path("/proc/self/status")  # Linux tells resident memory there, and its peak since a reset


def measure(function, repeats):
    """Median seconds of some calls, or of one that takes ten seconds, peak memory of the first in MB, and its result.

    Memory is what the process holds at its highest beyond what it held before, whoever
    allocates it: numpy, BLAS, or a library in C++. NaN where the system does not tell.
    """
    before = _reset()
    start = time.perf_counter()
    result = function()
    seconds = [time.perf_counter() - start]
    peak = _resident("VmHWM") - before
    for _ in range(repeats - 1 if seconds[0] < 10 else 0):
        start = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds), peak, result


def table(title, rows, note=""):
    """Print rows (name, seconds, MB, remark) as a table, with the ratio of each time to the first."""
    click.echo(f"### {title}\n")
    click.echo("| | seconds | ratio | MB | |\n|---|---:|---:|---:|---|")
    for name, seconds, peak, remark in rows:
        click.echo(f"| {name} | {seconds:.3g} | {seconds / rows[0][1]:.2f} | {peak:.0f} | {remark} |")
    click.echo(f"\n{note}\n" if note else "")


def fastest(function, repeats=5):
    """Least seconds of some calls."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def memory_rate():
    """Bytes a second that every thread together adds, a = a + b, in arrays far larger than a cache."""
    a, b = np.zeros((2, n_threads(), 1 << 25))

    def add(k):
        np.add(a[k], b[k], out=a[k])

    with threaded_map() as map_blocks:
        return 3 * a.nbytes / fastest(lambda: list(map_blocks(add, range(len(a)))))


def product_rate(dtype):
    """Operations a second of a product of two dense matrices."""
    a = np.ones((2048, 2048), dtype)
    return 2 * len(a) ** 3 / fastest(lambda: a @ a)


def sparse_product(M, dtype, memory):
    """Seconds of M times a block as the SVD multiplies, its bytes, and what they would take at the memory's rate.

    Bytes are those of M and the result, and a cache line for each entry: a row of the block.
    """
    columns = 64 // np.dtype(dtype).itemsize
    block = np.random.default_rng(0).standard_normal((M.shape[1], columns)).astype(dtype)
    with threaded_map() as map_blocks:
        product = _lanczos.threaded_product(M, map_blocks, dtype)
        seconds = fastest(lambda: product(block), 3)
    moved = M.nnz * (block.itemsize + M.indices.itemsize + 64) + 2 * block.nbytes
    return {"columns": columns, "seconds": seconds, "bytes": moved, "at_memory_rate": moved / memory}


def machine(packages):
    """The processor, its cores, and the versions of the packages, in a line."""
    cpuinfo = Path("/proc/cpuinfo")  # Linux has it
    cpu = re.search(r"model name\s*:\s*(.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    name = cpu[1] if cpu else platform.machine()
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def _resident(what):
    found = re.search(rf"{what}:\s*(\d+) kB", _STATUS.read_text()) if _STATUS.exists() else None
    return int(found[1]) / 1e3 if found else float("nan")


def _reset():
    """Give freed memory back, forget the peak so far, and tell what is held."""
    gc.collect()
    if _STATUS.exists():
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")

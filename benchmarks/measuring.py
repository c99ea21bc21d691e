"""What the benchmark scripts share."""

import statistics
import time
import tracemalloc


def measure(function, repeats):
    """Median seconds over the repeats, peak allocation of one more call in MB, and the result."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        seconds.append(time.perf_counter() - start)
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1] / 1e6
    tracemalloc.stop()
    return statistics.median(seconds), peak, result

"""Time of a sweep, two runs at a time, beside the same runs in sequence.

All are `spiky sweep`; in sequence a run has every core, and in parallel the cores are divided. The order
alternates between rounds.
Run ``python benchmarks/sweep.py``; a quick one: ``--notebook 1 --values n_communities=2,3,4,5``.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import click
from measuring import table


def sweep(notebook, values, jobs):
    """Seconds of one sweep into an empty folder."""
    code = "from spikylib.cli import main; main(prog_name='spiky')"
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", code, "sweep", notebook, "-p", values, "-j", str(jobs), "-o", folder]
        start = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return time.perf_counter() - start


@click.command()
@click.option("--notebook", default="3", show_default=True)
@click.option("--values", default="f=16,32,48,64,80,96,112,128", show_default=True)
@click.option("--jobs", default=2, show_default=True)
@click.option("--repeats", default=3, show_default=True)
def main(notebook, values, jobs, repeats):
    """Print the median seconds of each way, the fastest first."""
    ways = {
        "in sequence, every core a run": 1,
        f"{jobs} at a time": jobs,
    }
    seconds = {way: [] for way in ways}
    for repeat in range(repeats):
        for way in list(ways)[:: -1 if repeat % 2 else 1]:
            seconds[way].append(sweep(notebook, values, ways[way]))
    medians = {way: statistics.median(seconds[way]) for way in ways}
    nan = float("nan")
    rows = [(way, median, nan, "") for way, median in sorted(medians.items(), key=lambda way: way[1])]
    table(f"Chapter {notebook} run with {values}", rows)


if __name__ == "__main__":
    main()

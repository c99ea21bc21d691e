"""Run every benchmark, one after the other, and write what they print into README.md.

make bench                                # some 12 minutes; alone on the machine, please
python benchmarks/bench.py --only spikes  # one of them, printed only
"""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import click
from measuring import machine

HERE = Path(__file__).parent
PARTS = {
    "limits": ["limits.py"],
    "cooccurrence": ["cooccurrence.py"],
    "svd": ["pipeline.py", "svd"],
    "spikes": ["pipeline.py", "spikes"],
    "retrieval": ["retrieval.py"],
    "stability": ["stability.py", "curves"],
    "consistency": ["consistency.py"],
    "sweep": ["sweep.py", "--repeats", "1", "--values", "f=32,64,96,128"],
    "growth": ["growth.py"],
    "small": ["small.py", "--repeats", "3"],
    "cluster": ["cluster.py", "run"],
}
ONE_THREAD = ("small", "cluster")
PACKAGES = (
    "numpy",
    "scipy",
    "scikit-learn",
    "duckdb",
    "faiss-cpu",
    "implicit",
    "sparse_dot_topn",
    "distributed",
)
TEXT = """# Benchmarks

Written by `make bench`; the head of each script here says what it times, and beside whom. Times are
medians of several calls (of one where it takes ten seconds), memory is what the process held at its
highest beyond what it held before. The ratio is to the first line of its table: compare ratios, not
seconds, with those of another machine. No test depends on a clock.

`make bench-full` runs the whole pipeline at the size of the paper's largest catalogue, into
[full.md](full.md). `cluster.py` runs here too, and writes its tables on the book's page *Run past one machine*.
`make gpu` times the stages on a GPU, into [gpu.md](gpu.md).
Apart from these are `loaders.py`, in [loaders.md](loaders.md), and `stability.py warm`, which shows that an
SVD started from that of the month before is not faster.

Run of {day}, {minutes:.0f} minutes, on {machine}.

{tables}
"""


@click.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="These, without writing.")
def main(only):
    """Run the benchmarks in sequence, each in a process of its own."""
    start, printed = time.perf_counter(), []
    for name in only or PARTS:
        call = [sys.executable, *PARTS[name]]
        one = {"OMP_NUM_THREADS": "1"} if name in ONE_THREAD else {}
        with subprocess.Popen(
            call, cwd=HERE, stdout=subprocess.PIPE, text=True, env=os.environ | one
        ) as process:
            for line in process.stdout:
                click.echo(line, nl=False)
                printed += [line] * (name != "cluster")  # its tables are on its page
        if process.returncode:
            raise click.ClickException(f"{' '.join(PARTS[name])} ended with exit code {process.returncode}")
    if not only:
        text = TEXT.format(
            day=date.today().isoformat(),
            minutes=(time.perf_counter() - start) / 60,
            machine=machine(PACKAGES),
            tables="".join(printed).strip(),
        )
        (HERE / "README.md").write_text(text)


if __name__ == "__main__":
    main()

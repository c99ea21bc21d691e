"""Run every benchmark, one after the other, and write what they print into README.md.

make bench                                # some 20 minutes; alone on the machine, please
python benchmarks/bench.py --only spikes  # one of them, printed only
"""

import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import click
from measuring import machine

HERE = Path(__file__).parent
PARTS = {
    "cooccurrence": ["cooccurrence.py"],
    "svd": ["pipeline.py", "svd"],
    "spikes": ["pipeline.py", "spikes"],
    "retrieval": ["retrieval.py"],
    "stability": ["stability.py", "curves"],
    "warm": ["stability.py", "warm"],
    "consistency": ["consistency.py"],
    "sweep": ["sweep.py", "--repeats", "1"],
    "growth": ["growth.py"],
}
PACKAGES = ("numpy", "scipy", "scikit-learn", "duckdb", "faiss-cpu", "implicit", "sparse_dot_topn")
TEXT = """# Benchmarks

Written by `make bench`; what is timed, and beside whom, is told at the head of each script here. Times are
medians of several calls (of one where a peer takes a minute), memory is what the process held at its
highest beyond what it held before. The ratio is to the first line of its table: compare ratios, not
seconds, with those of another machine. No test depends on a clock.

Run of {day}, {minutes:.0f} minutes, on {machine}.

{tables}

### The whole pipeline on {items:,} items, {contexts:,} playlists and {interactions:,} interactions

Run once, by `python benchmarks/full.py FOLDER`, each stage in a process of its own.

| stage | seconds | peak of the process (GiB) | |
|---|---:|---:|---|
{stages}

The second half of the playlists changes the lists as follows (overlap of the top 500 by part of the norm, lowest first):
cosine {cosine}; dot product {dot}.
"""


@click.command()
@click.option("--only", type=click.Choice(list(PARTS)), multiple=True, help="These, without writing.")
def main(only):
    """Run the benchmarks in sequence, each in a process of its own."""
    start, printed = time.perf_counter(), []
    for name in only or PARTS:
        call = [sys.executable, *PARTS[name]]
        with subprocess.Popen(call, cwd=HERE, stdout=subprocess.PIPE, text=True) as process:
            for line in process.stdout:
                click.echo(line, nl=False)
                printed.append(line)
        if process.returncode:
            raise click.ClickException(f"{' '.join(PARTS[name])} ended with exit code {process.returncode}")
    if not only:
        text = TEXT.format(
            day=date.today().isoformat(),
            minutes=(time.perf_counter() - start) / 60,
            machine=machine(PACKAGES),
            tables="".join(printed).strip(),
            **full(json.loads((HERE / "full.json").read_text())),
        )
        (HERE / "README.md").write_text(text)


def full(found):
    """What the run of full.py says, for the text."""
    draw, ppmi, svd, spikes, curves = (found[k] for k in ("draw", "ppmi", "svd", "spikes", "curves"))
    told = {
        "X to M": (ppmi, f"{ppmi['rows']:,} rows, {ppmi['nnz']:,} entries"),
        "M to E, f = 128": (svd, f"largest residual {svd['residual']:.0e} of sigma_1"),
        "Spk, float32 memory map": (spikes, f"{spikes['peaks']:,} peaks, Spk@128 = {spikes['spk']:.3%}"),
        "stability, two dates": (
            curves,
            f"{curves['common']:,} items in both; the peak includes the matrix of the first half",
        ),
    }
    rows = [
        f"| {name} | {s['seconds']:.3g} | {s['peak_GiB']:.1f} | {text} |" for name, (s, text) in told.items()
    ]
    parts = {name: ", ".join(f"{x:.0%}" for x in curves["overlap"][name]) for name in ("cosine", "dot")}
    sizes = {name: draw[name] for name in ("items", "contexts", "interactions")}
    return {"stages": "\n".join(rows), **parts, **sizes}


if __name__ == "__main__":
    main()

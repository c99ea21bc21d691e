"""One GPU: tests/test_gpu.py there, then, from X to Spk at four ranks, and lists, seconds and memory.

    make gpu

No time is kept where a test fails. Timed are gowalla, where it lies in SPIKYLIB_DATA, and the catalogue
of `full.py`, which is drawn unless `_build/full` has it. The times are of calls of the library, with what
moves to the card and back; each stage ran once, after a small catalogue through all of them, since CuPy
compiles on first use. The results go to gpu.json and gpu.md here.
"""

import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import click
import full
import numpy as np
import scipy.sparse as sp
from measuring import machine

from spikylib import datasets, synthetic
from spikylib._device import to_gpu
from spikylib.ppmi import ppmi_matrix
from spikylib.retrieval import top_k
from spikylib.spikes import cover
from spikylib.svd import truncated_svd

HERE = Path(__file__).parent
RANKS = (128, 64, 32, 16)
HEAD = "# On one GPU\n\nWritten by `make gpu`; the head of `gpu.py` says what is timed.\n\n<!-- run -->\n\n"
NOT_RUN = (
    "No time is given here, since this code has not run on a GPU so far: none could be had. Its tests ran with "
    "CuPy's interface on NumPy. On a machine with a GPU, `make gpu` runs them there and writes the times.\n"
)


def tested():
    """How many tests passed on the card, as pytest says it; the run ends where one does not."""
    command = [sys.executable, "-m", "pytest", "-q", "--maxfail=3", "-m", "gpu", "tests/test_gpu.py"]
    run = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True)
    click.echo(run.stdout)
    if run.returncode:
        raise click.ClickException("a test on the GPU did not pass, so nothing is timed")
    return run.stdout.splitlines()[-1].strip("= ")


def measured(X, n_lists=1000, k=500):
    """Seconds of each stage, most memory of the card in GB, and what came out."""
    import cupy

    seconds = {}

    def timed(stage, function, *arguments, **options):
        start = time.perf_counter()
        found = function(*arguments, **options)
        cupy.cuda.Device().synchronize()
        seconds[stage] = time.perf_counter() - start
        return found

    cupy.get_default_memory_pool().free_all_blocks()
    there = timed("to the card", to_gpu, X)
    M, kept = timed("X to M", ppmi_matrix, there)
    factors = timed("M to E", truncated_svd, M, min(128, len(kept)))
    E = factors.embeddings()
    peaks = {f: len(timed(f"Spk@{f}", cover, E, f=f).peaks) for f in RANKS if f <= E.shape[1]}
    asked = np.linspace(0, len(kept) - 1, min(n_lists, len(kept))).astype(int)
    timed(f"{len(asked):,} lists of {k}", top_k, E, asked, min(k, len(kept)))
    return {
        "seconds": seconds,
        "rows": len(kept),
        "entries": int(M.nnz),
        "residual": float(factors.residuals.max() / factors.s[0]),
        "peaks": peaks,
        "GB": cupy.get_default_memory_pool().total_bytes() / 1e9,
    }


def page(found):
    """The results as a table, or that there are none."""
    if found is None:
        return HEAD + NOT_RUN
    names = list(found["catalogues"])
    stages = list(dict.fromkeys(s for c in found["catalogues"].values() for s in c["seconds"]))
    lines = [f"| | {' | '.join(names)} |", "|---|" + "---:|" * len(names)]
    rows = [("rows", "{rows:,}"), ("entries of M", "{entries:,}"), ("memory (GB)", "{GB:.1f}")]
    rows += [("largest residual, of sigma_1", "{residual:.0e}")]
    for title, form in rows:
        lines.append(
            f"| {title} | " + " | ".join(form.format(**found["catalogues"][n]) for n in names) + " |"
        )
    for stage in stages:
        times = (found["catalogues"][n]["seconds"].get(stage) for n in names)
        lines.append(f"| {stage} (s) | " + " | ".join("" if t is None else f"{t:.2f}" for t in times) + " |")
    lines.append(
        "| peaks at 128, 64, 32, 16 | " + " | ".join(_peaks(found["catalogues"][n]) for n in names) + " |"
    )
    run = f"Run of {found['day']} on {found['card']}; {found['machine']}. Tests there: {found['tests']}."
    return HEAD + "\n".join(lines) + f"\n\n{run}\n"


def _peaks(catalogue):
    return ", ".join(f"{n:,}" for n in catalogue["peaks"].values())


@click.command()
@click.option("--fraction", default=1.0, show_default=True, help="Of the size of the drawn catalogue.")
def main(fraction):
    """Test the stages on the GPU, run all of them, and keep what they took."""
    import cupy

    passed = tested()
    measured(synthetic.playlists(n_items=5000, n_contexts=20_000).matrix)
    catalogues = {}
    if datasets.files("gowalla"):
        catalogues["gowalla"] = measured(datasets.load("gowalla").matrix)
    folder = Path("_build/full" if fraction == 1 else f"_build/full-{fraction}")
    if not (folder / "X.npz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        full.draw(folder, fraction)
    catalogues[f"full.py, {fraction:g} of it"] = measured(sp.csr_array(sp.load_npz(folder / "X.npz")))
    card = cupy.cuda.runtime.getDeviceProperties(0)["name"].decode()
    found = {"card": card, "day": date.today().isoformat(), "machine": machine(["numpy", "cupy-cuda12x"])}
    found |= {"tests": passed, "catalogues": catalogues}
    (HERE / "gpu.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    (HERE / "gpu.md").write_text(page(found), encoding="utf-8")
    click.echo(page(found))


if __name__ == "__main__":
    main()

"""One machine beside a cluster: X -> M -> E -> Spk at several sizes, and what 100 M items would take.

    python benchmarks/cluster.py run      # measures, then writes what the book's page shows
    python benchmarks/cluster.py page     # writes the page's tables again from the last run

Each setup runs in a process of its own: one core, all cores, and clusters of one and two workers with
one core each. A worker stands for a machine, so what two workers gain is set against one core. The
results go to book/results/cluster/run.json, the tables made from them to book/results/cluster/tables.md.

The projection is arithmetic on constants of the same run; its assumptions are named in `ASSUMED`.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import scipy.sparse as sp
from measuring import fastest, machine

from spikylib import _lanczos

RESULTS = Path(__file__).resolve().parents[1] / "book" / "results" / "cluster"
SETUPS = {"one core": (1, 0), "all cores": (None, 0), "1 worker": (None, 1), "2 workers": (None, 2)}
F = 128
BLOCK = 8  # columns of a step
ASSUMED = {
    "items": 100_000_000,
    "interactions_per_item": 52,  # 66 M interactions of 1.26 M items, the paper's largest public catalogue
    "context_mean": 66.0,  # items in a context
    "context_std": 54.0,
    "bytes_per_second": 1.25e9,  # network of a worker, and its share of the file system: 10 Gbit/s
    "worker_bytes": 64e9,
    "worker_counts": [25, 50, 100, 200],
}


@click.group()
def main():
    """Measure, or write the page again."""


@main.command()
@click.option("--items", default="15000,45000,150000", show_default=True, help="Sizes of the catalogue.")
@click.option("--repeats", default=1, show_default=True, help="Runs of each; the fastest counts.")
def run(items, repeats):
    """Run every setup at every size; write the results and the page's tables."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in map(int, items.split(",")):
            file = Path(folder) / f"{n}.npz"
            _playlists(n, file)
            for setup in SETUPS:
                runs = [_child("stages", setup, file) for _ in range(repeats)]
                best = {k: min(r[k] for r in runs) for k in ("ppmi", "svd", "spikes")}
                rows.append({"asked": n, "setup": setup} | runs[0] | best)
                rows[-1]["seconds"] = sum(best.values())
                click.echo("{asked:8d} {setup:10} {seconds:7.2f} s".format(**rows[-1]))
            _same_results(rows[-len(SETUPS) :])
        constants = _child("constants", "one core", file)
    found = {
        "machine": machine(("numpy", "scipy", "distributed")),
        "f": F,
        "repeats": repeats,
        "rows": rows,
        "constants": constants,
        "assumed": ASSUMED,
    }
    found["projection"] = _projection(found)
    (RESULTS / "run.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    _write_page(found)


@main.command()
def page():
    """Write the page's tables again from the last run."""
    _write_page(json.loads((RESULTS / "run.json").read_text(encoding="utf-8")))


@main.command(hidden=True)
@click.argument("setup")
@click.argument("file")
def stages(setup, file):
    """Time the three stages under one setup; print JSON."""
    workers = SETUPS[setup][1]
    X = sp.csr_array(sp.load_npz(file))
    small = X[:1200]
    if workers:
        _on_cluster(X, small, workers)
    else:
        _local(small, 8)
        _tell(_local(X, F))


@main.command(hidden=True)
@click.argument("setup")
@click.argument("file")
def constants(setup, file):
    """Measure on one core what the projection multiplies; print JSON."""
    from spikylib import _greedy, cluster
    from spikylib._arrays import ROW_BLOCK

    X = sp.csc_array(sp.load_npz(file))
    X = sp.hstack([X] * math.ceil(3_000_000 / X.nnz), format="csc")  # so that opening it does not count
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / "part.npz"
        sp.save_npz(part, X, compressed=False)
        count = cluster._count_items(str(part), X.shape[0])
        read = fastest(lambda: cluster._operand(str(part), count, 2)[:, :100])
    rng = np.random.default_rng(0)
    product = {}
    for name, n in (("near", 40_000), ("far", 1 << 23)):
        rows = 40_000
        col = np.sort(rng.integers(0, n, (rows, 100), dtype=np.int32), axis=1).ravel()
        M = sp.csr_array((np.ones(len(col)), col, np.arange(0, len(col) + 1, 100)), shape=(rows, n))
        columns = np.ones((n, BLOCK))
        product[name] = fastest(lambda M=M, columns=columns: M @ columns) / M.nnz
    rows, peaks = (rng.standard_normal((k, F)) for k in (ROW_BLOCK, _greedy.PEAK_BLOCK))
    norms = [np.linalg.norm(block, axis=1) for block in (rows, peaks)]
    captures = _greedy.LocalRows(rows, norms[0], 1.0).comparison(_greedy.Peaks(peaks, norms[1], 0.9))
    cosine = fastest(lambda: captures(np.arange(ROW_BLOCK)))
    _tell(
        {
            "read": read / X.nnz,
            "product_near": product["near"],
            "product_far": product["far"],
            "cosine": cosine / (len(rows) * len(peaks)),
        }
    )


def _local(X, f):
    from spikylib.ppmi import ppmi_matrix
    from spikylib.spikes import cover
    from spikylib.svd import truncated_svd

    clock = [time.perf_counter()]
    M, _ = ppmi_matrix(X)
    clock.append(time.perf_counter())
    factors = truncated_svd(M, f)
    clock.append(time.perf_counter())
    found = cover(factors.embeddings())
    clock.append(time.perf_counter())
    return _record(X, M.shape[0], M.nnz, factors, found, clock)


def _on_cluster(X, small, workers):
    import distributed

    from spikylib import _dask, cluster

    steps, inner = [], _dask.Basis.multiply

    def counting(*arguments):
        steps.append(1)
        return inner(*arguments)

    _dask.Basis.multiply = counting

    def stages(X, client, f):
        clock = [time.perf_counter()]
        M, _ = cluster.ppmi_matrix(X, client)
        clock.append(time.perf_counter())
        steps.clear()
        before = sum(client.run(_received).values())
        factors = cluster.truncated_svd(M, client, f)
        moved = sum(client.run(_received).values()) - before
        clock.append(time.perf_counter())
        found = cluster.cover(factors.embeddings(), client)
        clock.append(time.perf_counter())
        entries = sum(client.gather(client.map(_entries, M.parts)))
        record = _record(X, M.shape[0], entries, factors, found, clock)
        return record | {"steps": len(steps), "moved": moved, "peak": max(client.run(_highest).values())}

    with (
        tempfile.TemporaryDirectory() as folder,
        distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            memory_limit="4GiB",
            dashboard_address=":0",
            local_directory=folder,
        ) as nodes,
        distributed.Client(nodes) as client,
    ):
        if hasattr(os, "sched_setaffinity"):
            for core, address in enumerate(client.scheduler_info()["workers"]):
                client.run(os.sched_setaffinity, 0, {core % os.cpu_count()}, workers=[address])
        stages(small, client, 8)
        _tell(stages(X, client, F))


def _record(X, n, entries, factors, found, clock):
    ppmi, svd, spikes = np.diff(clock).tolist()
    size = np.asarray(X.sum(axis=0)).ravel().astype(np.int64)
    pairs = np.minimum(X @ size, X.shape[0])
    return {
        "items": n,
        "contexts": X.shape[1],
        "interactions": X.nnz,
        "entries": int(entries),
        "pairs": int(pairs.sum()),
        "ppmi": ppmi,
        "svd": svd,
        "spikes": spikes,
        "spk": found.spk,
        "s": [float(factors.s[0]), float(factors.s[-1])],
        "residual": float(factors.residuals.max() / factors.s[0]),
    }


def _entries(part):
    return part.nnz


def _received(dask_worker):
    """Bytes that a worker has had from others."""
    return sum(entry["total"] for entry in dask_worker.transfer_incoming_log)


def _highest():
    """Most memory that this process ever had, bytes; NaN where the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return float("nan")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
    return 1024 * int(lines["VmHWM"].split()[0])


def _playlists(n, file):
    from spikylib import synthetic

    data = synthetic.clean_playlists(n_items=n, n_contexts=2 * n, n_communities=n // 100)
    sp.save_npz(file, data.matrix, compressed=False)


def _child(command, setup, file):
    """Run a command in a fresh process with the cores of its setup; return what it tells."""
    cores = SETUPS[setup][0] or os.cpu_count()
    environment = os.environ | {"OMP_NUM_THREADS": str(cores), "SPIKY_CORES": str(cores)}
    words = [sys.executable, __file__, command, setup, str(file)]
    done = subprocess.run(words, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _confine():
    """Keep this process to its number of cores; the library asks for no more."""
    cores = int(os.environ.get("SPIKY_CORES", 0))
    if cores and cores < os.cpu_count() and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, set(range(cores)))


def _tell(record):
    click.echo(json.dumps(record))


def _same_results(rows):
    """Every setup must have found the same; a benchmark of different results says nothing."""
    first = rows[0]
    for row in rows[1:]:
        for name in ("items", "entries", "spk"):
            if row[name] != first[name]:
                raise SystemExit(f"{row['setup']}: {name} is {row[name]}, on one core {first[name]}")
        if not np.allclose(row["s"], first["s"], rtol=1e-9):
            raise SystemExit(f"{row['setup']}: singular values {row['s']}, on one core {first['s']}")


# What is read from the measurements


def _crossovers(rows):
    """For each stage the size from which two workers beat one core, and the ratios at each size."""
    sizes = sorted({row["asked"] for row in rows})
    at = {(row["asked"], row["setup"]): row for row in rows}
    out = {}
    for stage in ("ppmi", "svd", "spikes", "seconds"):
        ratio = [at[n, "2 workers"][stage] / at[n, "one core"][stage] for n in sizes]
        items = [at[n, "one core"]["items"] for n in sizes]
        below = next((k for k in range(len(sizes)) if all(r < 1 for r in ratio[k:])), None)
        if below:
            a, b = np.log(ratio[below - 1]), np.log(ratio[below])
            share = a / (a - b)
            crossing = items[below - 1] ** (1 - share) * items[below] ** share
        else:
            crossing = None if below is None else items[0]
        out[stage] = {"ratio": ratio, "crossing": crossing, "items": items}
    return out


def _projection(found):
    """Memory and time at the assumed size, by number of workers of one thread each."""
    assumed, constants = found["assumed"], found["constants"]
    largest = max(row["asked"] for row in found["rows"])
    local, spread = (
        next(r for r in found["rows"] if r["asked"] == largest and r["setup"] == setup)
        for setup in ("one core", "2 workers")
    )
    n, net = assumed["items"], assumed["bytes_per_second"]
    interactions = n * assumed["interactions_per_item"]
    met = assumed["context_mean"] + assumed["context_std"] ** 2 / assumed["context_mean"]
    pairs = interactions * met
    entries = n * local["entries"] / local["items"]
    columns = 2 * F + 3 * BLOCK + 1.5 * F + BLOCK  # of the basis, the old one and the new, at a restart
    peaks = n * local["spk"]
    by_pair = local["ppmi"] / local["pairs"]
    by_row = local["svd"] / spread["steps"] / local["items"]
    by_row += entries / n * (constants["product_far"] - constants["product_near"])
    table = []
    for workers in assumed["worker_counts"]:
        task = assumed["worker_bytes"] / 4
        blocks = max(pairs / (task / 48), 4 * workers)
        read = blocks * interactions / workers
        memory = {
            "ppmi": 32 * n + task + 8 * entries / workers,
            "svd": 12 * entries / workers + 8 * columns * n / workers + 16 * BLOCK * n,
            "spikes": (8 * F + 8) * n / workers,
        }
        seconds = {
            "ppmi": pairs * by_pair / workers + read * max(constants["read"], 8 / net),
            "svd": spread["steps"] * (n * by_row / workers + 8 * BLOCK * n * (1 - 1 / workers) / net),
            "spikes": 0.75 * n * peaks * constants["cosine"] / workers,  # free rows fall from all to half
        }
        table.append({"workers": workers, "memory": memory, "seconds": seconds, "blocks": blocks})
    return {
        "interactions": interactions,
        "pairs": pairs,
        "entries": entries,
        "peaks": peaks,
        "steps": spread["steps"],
        "client": 30 * n,
        "by_pair": by_pair,
        "workers": table,
    }


def _write_page(found):
    """The tables and the sentences of the page that tell numbers, in sections it includes by name."""
    rows, projection, assumed = found["rows"], found["projection"], found["assumed"]
    crossings = _crossovers(rows)
    sizes = sorted({row["asked"] for row in rows})
    at = {(row["asked"], row["setup"]): row for row in rows}
    names = {"ppmi": "X to M", "svd": "M to E", "spikes": "E to Spk", "seconds": "all three"}
    out = ["<!-- written by benchmarks/cluster.py -->", "<!-- choice -->", "", *_choice(rows), ""]
    out += ["<!-- times -->", ""]
    out += [f"| items | interactions | entries of M | {' | '.join(f'{s} (s)' for s in SETUPS)} |"]
    out += [f"|---:|---:|---:|{'---:|' * len(SETUPS)}"]
    for n in sizes:
        row = at[n, "one core"]
        times = " | ".join(f"{at[n, setup]['seconds']:.1f}" for setup in SETUPS)
        out.append(f"| {row['items']:,} | {row['interactions']:,} | {row['entries']:,} | {times} |")
    out += [
        "",
        f"Measured on {found['machine']}; {_runs(found['repeats'])}; f = {found['f']}.",
        "",
    ]
    out += ["<!-- crossover -->", ""]
    out += [f"| stage | {' | '.join(f'{n:,}' for n in crossings['ppmi']['items'])} | two workers win from |"]
    out += [f"|---|{'---:|' * len(sizes)}---:|"]
    for stage, name in names.items():
        found_at = crossings[stage]["crossing"]
        told = f"not up to {crossings[stage]['items'][-1]:,}" if found_at is None else f"{_two(found_at):,}"
        if found_at == crossings[stage]["items"][0]:
            told = "the smallest size"
        ratios = " | ".join(f"{r:.2f}" for r in crossings[stage]["ratio"])
        out.append(f"| {name} | {ratios} | {told} |")
    last = at[sizes[-1], "2 workers"]
    per_step = last["moved"] / last["steps"]
    out += ["", "<!-- traffic -->", ""]
    out += [
        f"At {last['items']:,} items and two workers the SVD took {last['steps']} steps, and {per_step / 1e6:.2f} MB went "
        f"between the workers in each; the {BLOCK} columns that a step multiplies are "
        f"{8 * BLOCK * last['items'] / 1e6:.2f} MB, of which a worker lacks half. The largest residual is "
        f"{last['residual']:.0e} of $\\sigma_1$. No worker held more than {last['peak'] / 1e9:.2f} GB, libraries included.",
        "",
        "<!-- projection -->",
        "",
        "| workers | memory of a worker (GB) | X to M (h) | M to E (h) | E to Spk (h) |",
        "|---:|---:|---:|---:|---:|",
    ]
    for row in projection["workers"]:
        memory = max(row["memory"].values()) / 1e9
        note = "" if memory <= assumed["worker_bytes"] / 1e9 else " (too much)"
        hours = " | ".join(_hours(row["seconds"][stage]) for stage in ("ppmi", "svd", "spikes"))
        out.append(f"| {row['workers']} | {memory:.0f}{note} | {hours} |")
    met = projection["pairs"] / projection["interactions"]
    out += [
        "",
        "<!-- assumptions -->",
        "",
        f"- {assumed['items'] / 1e6:.0f} M items with {assumed['interactions_per_item']} interactions each, "
        f"{projection['interactions'] / 1e9:.1f} billion in all, as in the paper's largest public catalogue; contexts of "
        f"{assumed['context_mean']:.0f} items on average with a standard deviation of {assumed['context_std']:.0f}, so that an "
        f"interaction meets {met:.0f} items and {projection['pairs'] / 1e12:.2f} trillion pairs are counted. X is read from files.",
        f"- {projection['entries'] / assumed['items']:.0f} entries of M per item, {projection['steps']} steps of the iteration and "
        f"a peak for every {assumed['items'] / projection['peaks']:.0f} rows: as measured above at the largest size. The true "
        "catalogue decides all three.",
        f"- Workers with one thread and {assumed['worker_bytes'] / 1e9:.0f} GB; each receives and reads "
        f"{assumed['bytes_per_second'] / 1e9:.2f} GB a second.",
        f"- A core counts {1e-6 / projection['by_pair']:.0f} M pairs a second, reads {1e-6 / found['constants']['read']:.0f} M "
        f"interactions and compares {1e-6 / found['constants']['cosine']:.0f} M rows with a peak. An entry of M costs {found['constants']['product_far'] / found['constants']['product_near']:.1f} times "
        "as much once the columns are too large for the cache; the model includes that.",
        f"- The client holds {projection['client'] / 1e9:.1f} GB: norms, order and membership.",
        "",
        "<!-- end -->",
        "",
    ]
    (RESULTS / "tables.md").write_text("\n".join(out), encoding="utf-8")


def _choice(rows):
    """One machine, one GPU and a cluster: the largest size that ran on each, seconds, memory."""
    full, gpu = (_stored(f"{name}.json") for name in ("full", "gpu"))
    stages = [full[name] for name in ("ppmi", "svd", "spikes")]
    n, entries = full["ppmi"]["rows"], full["ppmi"]["nnz"]
    seconds, peak = sum(s["seconds"] for s in stages), max(s["peak_GiB"] for s in stages)
    out = ["| | largest catalogue run | X to Spk@128 (s) | memory |", "|---|---:|---:|---:|"]
    out.append(f"| one machine, 2 cores | {n:,} items | {seconds:.0f} | {peak * 2**30 / 1e9:.1f} GB |")
    if gpu:
        largest = max(gpu["catalogues"].values(), key=lambda catalogue: catalogue["rows"])
        seconds = sum(largest["seconds"][stage] for stage in ("to the card", "X to M", "M to E", "Spk@128"))
        out.append(
            f"| one {gpu['card']} | {largest['rows']:,} items | {seconds:.0f} | {largest['GB']:.1f} GB of the card |"
        )
    else:
        # M, the basis, U and V
        needed = 12 * entries + 8 * n * (_lanczos.basis_size(F, BLOCK) + BLOCK + 2 * F)
        out.append(
            f"| one GPU | not run so far | | {needed / 1e9:.0f} GB of the card for {n:,} items (calculated) |"
        )
    last = max((row for row in rows if row["setup"] == "2 workers"), key=lambda row: row["items"])
    memory = f"{last['peak'] / 1e9:.1f} GB a worker"
    out.append(
        f"| a cluster, here 2 workers of one core | {last['items']:,} items | {last['seconds']:.0f} | {memory} |"
    )
    return out


def _stored(name):
    file = Path(__file__).with_name(name)
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


def _hours(seconds):
    return f"{seconds / 3600:.1f}" if seconds < 36_000 else f"{seconds / 3600:.0f}"


def _runs(repeats):
    return "one run of each" if repeats == 1 else f"the fastest of {repeats} runs of each stage"


def _two(value):
    """Rounded to two digits: more would pretend to know."""
    digits = 1 - math.floor(math.log10(value))
    return int(round(value, digits))


if __name__ == "__main__":
    _confine()
    main()

"""The whole pipeline at the size of the paper's largest catalogue, each stage in a process of its own.

    python benchmarks/full.py FOLDER                   # a million playlists, 66 M interactions
    python benchmarks/full.py FOLDER --fraction 0.1    # a tenth of them

The catalogue is drawn with the lengths and the popularity of the Million Playlist Dataset: lengths are
log-normal, 5 to 376 with a mean near 66; expected plays by rank r follow (r + 405)^-1.25,
which gives the first track about 46,500 playlists. Four in five draws of a playlist come from its
own of 4,000 communities. Of 1.5 M tracks about as many keep a neighbour in M as in the paper's matrix,
1.26 M. Interactions, matrix and embeddings stay in FOLDER, so a stage
can be run again: `--stages svd,spikes`. What was measured is kept in full.json and full.md, here or, for a
part of the catalogue, in FOLDER.
"""

import json
import multiprocessing
import resource
import time
from datetime import date
from pathlib import Path

import click
import numpy as np
import scipy.sparse as sp
from measuring import machine, memory_rate, sparse_product

from spikylib import _lanczos, stability
from spikylib.datasets import Embeddings
from spikylib.ppmi import ppmi_matrix
from spikylib.spikes import cover
from spikylib.svd import truncated_svd

_SLICE = 50_000  # playlists drawn at a time


def draw(folder, fraction, seed=0):
    """Draw the catalogue; items are numbered in order of first appearance."""
    rng = np.random.default_rng(seed)
    n_items, n_contexts, n_communities = (
        int(1_500_000 * fraction),
        int(1_000_000 * fraction),
        int(4000 * fraction),
    )
    weight = np.arange(1, n_communities + 1) ** -0.6
    community = rng.choice(n_communities, n_items, p=weight / weight.sum())
    by_community = np.argsort(community, kind="stable")
    plays = (np.arange(n_items) + 405.0 * fraction) ** -1.25
    edge = np.append(0, np.cumsum(rng.permutation(plays)[by_community]))
    first = np.searchsorted(community[by_community], np.arange(n_communities + 1))
    low, high = edge[first[:-1]], edge[first[1:]]
    items, contexts = [], []
    for a in range(0, n_contexts, _SLICE):
        size = min(_SLICE, n_contexts - a)
        length = np.clip(52 * np.exp(0.8 * rng.standard_normal(size)), 5, 376).astype(int)
        own = rng.choice(n_communities, size, p=(high - low) / edge[-1])
        context = np.repeat(np.arange(size), 3 * length)  # more than needed: a track comes twice
        genre, u = own[context], rng.random(len(context))
        inside = rng.random(len(context)) < 0.8
        point = np.where(inside, low[genre] + u * (high - low)[genre], u * edge[-1])
        item = np.minimum(np.searchsorted(edge, point, side="right") - 1, n_items - 1)
        new = np.sort(np.unique(context * n_items + item, return_index=True)[1])
        item, context = item[new], context[new]
        place = np.arange(len(new)) - np.searchsorted(context, np.arange(size))[context]
        kept = place < length[context]
        items.append(item[kept].astype(np.int32))
        contexts.append((a + context[kept]).astype(np.int32))
    items, contexts = np.concatenate(items), np.concatenate(contexts)
    seen = np.full(n_items, len(items))
    seen[items[::-1]] = np.arange(len(items))[::-1]
    number = np.empty(n_items, dtype=np.int32)
    number[np.argsort(seen, kind="stable")] = np.arange(n_items)
    X = sp.csr_matrix(
        (np.ones(len(items), dtype=np.int8), (number[items], contexts)), shape=(n_items, n_contexts)
    )
    sp.save_npz(folder / "X.npz", X, compressed=False)
    plays = np.sort(np.diff(X.indptr))[::-1]
    return {
        "items": n_items,
        "contexts": n_contexts,
        "interactions": X.nnz,
        "plays_first": int(plays[0]),
        "plays_median": int(np.median(plays)),
    }


def ppmi(folder):
    """X -> M."""
    X = sp.csr_array(sp.load_npz(folder / "X.npz"))
    start = time.perf_counter()
    M, kept = ppmi_matrix(X)
    seconds = time.perf_counter() - start
    for name in ("data", "indices", "indptr"):
        np.save(folder / f"M_{name}.npy", getattr(M, name))
    np.save(folder / "kept.npy", kept)
    return {"seconds": seconds, "rows": M.shape[0], "nnz": M.nnz}


def svd(folder):
    """M -> E at f = 128, residuals at most 1e-6, and where the time goes."""
    parts = [np.load(folder / f"M_{name}.npy") for name in ("data", "indices", "indptr")]
    M = sp.csr_array(tuple(parts), shape=(len(parts[2]) - 1,) * 2)
    del parts
    spent = {name: 0.0 for name in ("multiply", "project_out", "divide", "rotate")}
    products = 0

    def timed(name, inner):
        def step(*arguments, **options):
            nonlocal products
            start = time.perf_counter()
            found = inner(*arguments, **options)
            spent[name] += time.perf_counter() - start
            products += name == "multiply"
            return found

        return step

    for name in spent:
        setattr(_lanczos.LocalBasis, name, timed(name, getattr(_lanczos.LocalBasis, name)))
    start = time.perf_counter()
    result = truncated_svd(M, 128, tol=1e-6)
    seconds = time.perf_counter() - start
    found = {
        "seconds": seconds,
        "peak_GiB": peak(),
        "residual": result.residuals.max() / result.s[0],
        "s": result.s[[0, 63, 127]].tolist(),
        "spent": spent,
        "products": products,
    }
    np.save(folder / "E.npy", result.embeddings().astype(np.float32))
    del result
    memory = memory_rate()
    return found | {"memory_rate": memory, "product": sparse_product(M, np.float32, memory)}


def spikes(folder):
    """E -> Spk@128, from a memory map in single precision."""
    E = np.load(folder / "E.npy", mmap_mode="r")
    start = time.perf_counter()
    found = cover(E)
    return {
        "seconds": time.perf_counter() - start,
        "rows": len(E),
        "peaks": len(found.peaks),
        "spk": found.spk,
    }


def curves(folder):
    """Stability: the embedding of the first half of the playlists against that of all of them."""
    X = sp.csr_array(sp.load_npz(folder / "X.npz"))
    M, kept = ppmi_matrix(X[:, : X.shape[1] // 2])
    del X
    half = Embeddings(kept, truncated_svd(M, 128).embeddings().astype(np.float32))
    del M
    whole = Embeddings(np.load(folder / "kept.npy"), np.load(folder / "E.npy"))
    start = time.perf_counter()
    found = stability.curves({"2022-01-01": half, "2022-07-01": whole})
    seconds = time.perf_counter() - start
    overlap = found.pivot(index="part", columns="similarity", values="overlap").round(3)
    return {
        "seconds": seconds,
        "common": len(np.intersect1d(half.ids, whole.ids)),
        "overlap": overlap.to_dict("list"),
    }


STAGES = {"draw": draw, "ppmi": ppmi, "svd": svd, "spikes": spikes, "curves": curves}


def alone(stage, folder, options, out):
    start = time.perf_counter()
    found = STAGES[stage](folder, **options)
    found["process_seconds"] = time.perf_counter() - start
    found.setdefault("peak_GiB", peak())
    out.send(found | {"day": date.today().isoformat(), "machine": machine(["numpy", "scipy"])})


def peak():
    """Most memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def page(results):
    """The results as a table."""
    sizes = {"draw": "{items:,} items, {contexts:,} playlists, {interactions:,} interactions"}
    sizes["ppmi"] = "{rows:,} rows, {nnz:,} entries"
    sizes["svd"] = "f = 128, largest residual {residual:.0e} of sigma_1"
    sizes["spikes"] = "{peaks:,} peaks, Spk@128 = {spk:.2%}"
    sizes["curves"] = (
        "{common:,} items in both embeddings, top 500 of 5 x 1,000 queries, cosine and dot product"
    )
    lines = [
        f"| {name} | {found.get('seconds', found['process_seconds']):.0f} | {found['peak_GiB']:.1f} "
        f"| {sizes[name].format(**found)} |"
        for name, found in results.items()
    ]
    text = "# The whole pipeline at the size of the paper's largest catalogue\n\n"
    text += "Written by `full.py`, which says how the catalogue is drawn; each stage ran once, in a process of its own.\n\n"
    text += "| stage | seconds | peak of the process (GiB) | |\n|---|---:|---:|---|\n"
    text += "\n".join(lines) + "\n"
    if "product" in results.get("svd", {}):
        text += _where_the_time_goes(**results["svd"])
    for day, machine_ in sorted({(r["day"], r["machine"]) for r in results.values() if "day" in r}):
        names = ", ".join(
            name for name, r in results.items() if (r.get("day"), r.get("machine")) == (day, machine_)
        )
        text += f"\nRun of {day} ({names}) on {machine_}.\n"
    if "curves" in results:
        text += "\nThe peak of the last stage includes the matrix and the SVD of the first half of the playlists. "
        text += "Overlap of the lists with those of all playlists, by part of the norm, lowest first:\n\n"
        for name, overlap in results["curves"]["overlap"].items():
            text += f"- {name}: {', '.join(f'{x:.0%}' for x in overlap)}\n"
    return text


def _where_the_time_goes(seconds, spent, products, product, memory_rate, **_):
    share = {name: f"{part:.0f} s ({part / seconds:.0%})" for name, part in spent.items()}
    moved, least = product["bytes"] / 1e9, product["at_memory_rate"]
    return (
        f"\nOf the SVD's {seconds:.0f} s, {share['multiply']} went into {products} products of M with "
        f"{product['columns']} columns in single precision, {share['project_out']} into taking the basis out of them, "
        f"{share['divide']} into orthonormalising what is left, and {share['rotate']} into restarts. A product needs {moved:.1f} GB: M, "
        "the result, and for each entry a cache line, the row of the block that it meets. Alone it takes "
        f"{product['seconds']:.2f} s. This machine's memory moves {memory_rate / 1e9:.1f} GB a second (a sum of two "
        f"arrays, measured in the same process), at which {moved:.1f} GB take {least:.2f} s: the product takes "
        f"{product['seconds'] / least:.1f} times as long.\n"
    )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--fraction", default=1.0, show_default=True, help="Of the catalogue's size.")
@click.option("--stages", default=",".join(STAGES), show_default=True)
def main(folder, fraction, stages):
    """Run the stages one after the other and keep what they took."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (Path(__file__).parent if fraction == 1 else folder) / "full.json"
    results = json.loads(file.read_text()) if file.exists() else {}
    spawn = multiprocessing.get_context("spawn")
    for stage in stages.split(","):
        end, out = spawn.Pipe(duplex=False)
        options = {"fraction": fraction} if stage == "draw" else {}
        process = spawn.Process(target=alone, args=(stage, folder, options, out))
        process.start()
        out.close()
        try:
            results[stage] = end.recv()
        except EOFError:
            raise click.ClickException(
                f"the stage {stage} ended without a result, exit code {process.exitcode}"
            ) from None
        process.join()
        file.write_text(json.dumps(results, indent=1) + "\n")
        file.with_suffix(".md").write_text(page(results))
        click.echo(f"{stage:7} {results[stage]}")


if __name__ == "__main__":
    main()

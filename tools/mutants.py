"""Break the library in stated ways, one at a time, and see that its tests notice.

python tools/mutants.py [WORD ...]    only the mutants whose module or change holds a word

Each mutant replaces one piece of text, which must occur exactly once in its module: where the
source has moved on, the mutant is reported as lost and not passed over. The tests and the doctests
of the module, and the tests of numbers at the edge, must notice. Works in copies of the tree; the
tree itself is only read.
"""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import trust

ROOT = Path(__file__).resolve().parents[1]
JOBS = 2
EDGES = "tests/test_edges.py"
# a test that hypothesis finds slow is no test that noticed
UNHURRIED = """
import hypothesis

hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
"""

# waits for another process, and fails where the machine is busy
HURRIED = "tests/test_download.py::test_ctrl_c_half_way_leaves_nothing"
PATIENCE = 300  # seconds; a mutant that hangs is caught


class Mutant(NamedTuple):
    """What is broken, where, by which text, and the tests that must notice."""

    module: str
    change: str
    find: str
    put: str
    tests: str = ""


MUTANTS = [
    # --- ppmi
    Mutant("ppmi", "a repeated pair counts twice", "X.data > 0, X.indices", "X.data, X.indices"),
    Mutant("ppmi", "a pair must share more than `min_count` contexts", "C.data >= min_count", "C.data > min_count"),
    Mutant("ppmi", "top_k holds for one of the two items only", "_lists(least, last, C.indices, rows + edge[0], C.data)", "np.ones(C.nnz, bool)"),
    Mutant("ppmi", "the logarithm is to base 2", "value[entries] = np.log(", "value[entries] = np.log2("),
    Mutant("ppmi", "N counts items", "np.log(float(X.shape[1])", "np.log(float(X.shape[0])"),
    Mutant("ppmi", "negative information is kept", "if positive:", "if False:"),
    Mutant("ppmi", "ties of top_k go to the higher item", "(counts == edge) & (j <= last[i])", "(counts == edge) & (j >= last[i])"),
    # --- svd
    Mutant("svd", "smallest singular values first", "np.lexsort((d < 0, -magnitude))", "np.lexsort((d < 0, magnitude))"),
    Mutant("svd", "V has the signs of U", "V *= np.where(d < 0, -1.0, 1.0)", "pass"),
    Mutant("svd", "signs are as the solver left them", "U *= sign\n    V *= sign", "pass"),
    Mutant("svd", "embeddings are U Sigma^(power / 2)", "self.s**power", "self.s ** (power / 2)"),
    Mutant("svd", "reconstruct forgets Sigma", "(self.U[rows] * self.s)", "self.U[rows]"),
    Mutant("svd", "singular values keep the scale of the computation", "np.ldexp(s, exponent)", "s"),
    Mutant("svd", "pairs that have not converged are returned", 'if solver == "exact" and residuals', "if False and residuals"),
    Mutant("svd", "a matrix that is not symmetric is taken", "if not _is_symmetric(M)", "if False"),
    # --- spikes
    Mutant("spikes", "candidates by increasing norm", 'np.argsort(-norm, kind="stable")', 'np.argsort(norm, kind="stable")'),
    Mutant("spikes", "a cosine equal to the threshold captures", "self.peaks[j[part]]) <= self.cos_theta", "self.peaks[j[part]]) < self.cos_theta"),
    Mutant("spikes", "opposite rows are on one spike", "product = self._rows(rows, np.float32) @ self.directions.T", "product = np.abs(self._rows(rows, np.float32) @ self.directions.T)"),
    Mutant("spikes", "norms are those of all columns", "E = E[:, :f]", "pass"),
    Mutant("spikes", "one row more than the share must be captured", "math.ceil(rho * n - 1e-9)", "math.floor(rho * n) + 1"),
    Mutant("spikes", "Spk counts members of spikes", "return len(self.peaks) / len(self.spike)", "return (self.spike >= 0).mean()"),
    # --- dcbm
    Mutant("dcbm", "the affinity keeps its sign", "(beta if signed else np.abs(beta)) / strongest", "beta / strongest"),
    Mutant("dcbm", "the scale of the theorem is A b", "float(largest**2 * strongest)", "float(largest * strongest)"),
    Mutant("dcbm", "a sampled matrix is not symmetric", "np.concatenate([i, j[i < j]]), np.concatenate([j, i[i < j]])", "i, j"),
    Mutant("dcbm", "the corrected degree is not corrected", "if corrected:", "if False:"),
    Mutant("dcbm", "a probability above 1 is taken", "if highest > 1 + 1e-12:", "if False:"),
    Mutant("dcbm", "row sums forget the signs of V", "svd.V.sum(axis=0))", "svd.U.sum(axis=0))"),
    # --- retrieval
    Mutant("retrieval", "an item is in its own list", "table.positions(block) if exclude_self else None", "None"),
    Mutant("retrieval", "ties go to the higher row", 'np.argsort(-ticks, kind="stable")[:k]', 'np.argsort(-ticks[::-1], kind="stable")[:k]\n        order = len(ticks) - 1 - order'),
    Mutant("retrieval", "the first bounds are a hundred times too tight", "(E.shape[1] + 16) * 2.0**-23", "(E.shape[1] + 16) * 2.0**-30"),
    Mutant("retrieval", "cosine and dot product change places", 'similarity == "cosine"\n', 'similarity == "dot"\n'),
    Mutant("retrieval", "the first place counts as the second in NDCG", "np.log2(1 + rank)", "np.log2(2 + rank)"),
    Mutant("retrieval", "the knee is the upper rank", "return int(f[at])", "return int(f[at + 1])"),
    # --- stability
    Mutant("stability", "Jaccard divides by both lists", "shared / (2 * k - shared)", "shared / (2 * k)"),
    Mutant("stability", "lists have k - 1 items", "before[part, kind][:, :cut], lists[:, :cut]", "before[part, kind][:, : cut - 1], lists[:, : cut - 1]"),
    Mutant("stability", "the first part has the highest norms", 'order = np.argsort(norm, kind="stable")', 'order = np.argsort(-norm, kind="stable")'),
    Mutant("stability", "the latest date is the reference", "return next(iter(snapshots))", "return next(reversed(snapshots))"),
    Mutant("stability", "intervals of 68 %", "1.959964 * values.std", "1.0 * values.std"),
    Mutant("stability", "every window begins with the data", '0 if kind == "cumulative" else end - length', "0"),
    # --- consistency
    Mutant("consistency", "the error is the standard deviation", "shares.std(ddof=1) / np.sqrt(n_subsets)", "shares.std(ddof=1)"),
    Mutant("consistency", "a subset may repeat an item", "rng.choice(len(E), k, replace=False, shuffle=False)", "rng.choice(len(E), k)"),
    Mutant("consistency", "kurtosis is taken as excess", "fourth = kurtosis + 4 * m", "fourth = kurtosis + 3 + 4 * m"),
    Mutant("consistency", "n, not n - k, items are outsiders", "_binomial(n_items - k, k, gap", "_binomial(n_items, k, gap"),
    # --- continuation
    Mutant("continuation", "tracks already seen are recommended", "scores[known[batch].nonzero()] = -np.inf", "pass"),
    Mutant("continuation", "a hidden pair may be a seen one", "if leaked:", "if False:"),
    Mutant("continuation", "the playlist's bias is forgotten", "self.track_bias + self.playlist_bias[playlists][:, None]", "self.track_bias"),
    Mutant("continuation", "R-precision looks one place too far", "(hit & (place < h))", "(hit & (place <= h))"),
    Mutant("continuation", "ties go to the higher track", "* 2**32 - np.arange(", "* 2**32 + np.arange("),
    # --- reading data
    Mutant("_interactions", "`end` is part of the time asked for", "times < high.to_datetime64()", "times <= high.to_datetime64()", "datasets"),
    Mutant("_interactions", "a context of just the size asked for is dropped", ">= min_context_size)[number]", "> min_context_size)[number]", "datasets"),
    Mutant("_interactions", "items are numbered by their ids", "row, item_ids = pd.factorize(item)", "row, item_ids = pd.factorize(item, sort=True)", "datasets"),
    Mutant("_interactions", "a pair takes its last time", "np.fmin.reduceat", "np.fmax.reduceat", "datasets"),
    Mutant("_readers", "play counts are not checked", "!= promised).any()", "!= promised).all()", "datasets"),
    Mutant("_readers", "NaN passes for a vector", "finite = np.isfinite(vectors).all(axis=1)", "finite = np.ones(len(vectors), bool)", "datasets"),
    Mutant("datasets", "a track named NA is missing", '"keep_default_na": False', '"keep_default_na": True'),
    Mutant("datasets", "a pickle is opened", "allow_pickle=False", "allow_pickle=True"),
    Mutant("datasets", "snapshots keep ids that later dates lack", "common = ids if common is None else common[common.isin(ids)]", "common = ids if common is None else common"),
    # --- fetching, and keeping results
    Mutant("download", "checksums are not compared", "if found != expected:", "if False:"),
    Mutant("download", "plain http is spoken", 'parts.scheme == "https"', 'parts.scheme in ("http", "https")'),
    Mutant("download", "an archive may unpack to any size", "self._budget.left -= len(data)", "pass"),
    Mutant("download", "a path may leave its folder", 'if ".." in parts or', "if"),
    Mutant("rerun", "a float is kept with all its digits", "value = round(value, digits) + 0.0 if math.isfinite(value) else value", "pass"),
    Mutant("rerun", "a name may be used twice", "if name in self.results:", "if False:"),
    Mutant("_runs", "a parameter may be out of its range", "not parameter.low <= value <= parameter.high", "False", "cli_run -k wrong"),
Mutant("_runs", "a choice may be none of those listed", "if parameter.choices and", "if False and", "cli_run -k wrong"),
]  # fmt: skip


def main(words):
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.module} {m.change}" for w in words)]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(JOBS) as pool:
        trees = queue.SimpleQueue()
        for k in range(JOBS):
            trees.put(_copy(Path(folder) / str(k)))
        suites = sorted({tuple(p for p in _suite(m) if p != EDGES) for m in chosen} | {(EDGES,)})
        failures = zip(suites, pool.map(lambda s: _first_failure(s, trees), suites))
        if broken := [f"{' '.join(suite)}: {failed}" for suite, failed in failures if failed]:
            sys.exit("the unbroken library fails:\n" + "\n".join(broken))
        found = list(pool.map(lambda m: _try(m, trees), chosen))
    survived = [m for m in found if not m["caught"]]
    print(
        f"{len(found) - len(survived)} of {len(found)} mutants caught in {time.perf_counter() - start:.0f} s"
    )
    if not words:
        trust.save("mutants", {"seconds": round(time.perf_counter() - start), "mutants": found})
    sys.exit(bool(survived))


def _copy(tree):
    """What the tests need, in a folder of its own."""
    for name in ("spikylib", "tests", "tools", "notebooks", "book"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    shutil.copy(ROOT / "pyproject.toml", tree)
    with (tree / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(UNHURRIED)
    where = subprocess.run(
        [sys.executable, "-c", "import spikylib; print(spikylib.__file__)"],
        cwd=tree, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if not Path(where).is_relative_to(tree):
        sys.exit(f"the tests would run on {where.strip()}, and not on the copy in {tree}")
    return tree


def _suite(mutant):
    """Arguments of pytest for the tests and doctests of the mutant's module."""
    name, *options = (mutant.tests or mutant.module).split(" ", 2)
    return (f"tests/test_{name}.py", f"spikylib/{mutant.module}.py", EDGES, *options)


def _try(mutant, trees):
    tree = trees.get()
    file = tree / "spikylib" / f"{mutant.module}.py"
    source = file.read_text(encoding="utf-8")
    try:
        if source.count(mutant.find) != 1:
            by, caught = f"lost: its text occurs {source.count(mutant.find)} times", False
        else:
            mutated = source.replace(mutant.find, mutant.put)
            compile(mutated, file.name, "exec")  # a syntax error would be caught by anything
            file.write_text(mutated, encoding="utf-8")
            by = _run(_suite(mutant), tree)
            caught = by is not None
    finally:
        file.write_text(source, encoding="utf-8")
        trees.put(tree)
    print(f"{'caught  ' if caught else 'SURVIVED'}  {mutant.module}: {mutant.change}  ({by})", flush=True)
    return {"module": mutant.module, "change": mutant.change, "caught": caught, "by": by}


def _first_failure(suite, trees):
    tree = trees.get()
    try:
        return _run(suite, tree)
    finally:
        trees.put(tree)


def _run(suite, tree):
    """Name of the first test that fails, None where all pass."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("SPIKYLIB_DATA", None)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "--tb=no",
        "--hypothesis-seed=0",
        "-p",
        "no:cacheprovider",
        "--deselect",
        HURRIED,
    ]
    try:
        done = subprocess.run(
            [*command, *suite], cwd=tree, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
    except subprocess.TimeoutExpired:
        return f"none of them ended within {PATIENCE} s"
    if done.returncode == 0:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) \S*?(?:::|/)([^\s:/]+(?:::\S+)?)", done.stdout, flags=re.M)
    if done.returncode != 1 and not failed:
        sys.exit(f"pytest could not run {' '.join(suite)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return failed[1] if failed else json.dumps(done.stdout[-60:])


if __name__ == "__main__":
    main(sys.argv[1:])

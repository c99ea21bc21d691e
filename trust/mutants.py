"""Break the library and the scripts of the pages in stated ways, one at a time, and see that its tests notice.

python -m trust.mutants [WORD ...]    only the mutants whose module or change holds a word

A mutant replaces one piece of text, which must occur exactly once in its module: where the
source has moved on, the mutant is reported as lost and not passed over. The tests and the doctests
of the module must notice. Works in copies of the tree; the tree itself is only read.
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

from trust import ROOT, counts
from trust.mutant_list import MUTANTS

JOBS = 2
# a test that hypothesis finds slow is no test that noticed
UNHURRIED = """
import hypothesis

hypothesis.settings.register_profile("unhurried", deadline=None)
hypothesis.settings.load_profile("unhurried")
"""
# waits for another process, and fails where the machine is busy
HURRIED = "tests/test_download.py::test_ctrl_c_half_way_leaves_nothing"
PATIENCE = 300  # seconds; a mutant that hangs is caught


def main(words):
    chosen = [m for m in MUTANTS if not words or any(w in f"{m.module} {m.change}" for w in words)]
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(JOBS) as pool:
        trees = queue.SimpleQueue()
        for k in range(JOBS):
            trees.put(_copy(Path(folder) / str(k)))
        suites = sorted({suite(m) for m in chosen})
        failures = zip(suites, pool.map(lambda s: _first_failure(s, trees), suites))
        if broken := [f"{' '.join(suite)}: {failed}" for suite, failed in failures if failed]:
            sys.exit("the unbroken library fails:\n" + "\n".join(broken))
        found = list(pool.map(lambda m: _try(m, trees), chosen))
    survived = [m for m in found if not m["caught"]]
    print(
        f"{len(found) - len(survived)} of {len(found)} mutants caught in {time.perf_counter() - start:.0f} s"
    )
    if not words:
        counts.save("mutants", {"seconds": round(time.perf_counter() - start), "mutants": found})
    sys.exit(bool(survived))


def _copy(tree):
    """What the tests need, in a folder of its own."""
    for name in ("spikylib", "tests", "trust", "tools", "notebooks", "book", "benchmarks"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("pyproject.toml", "conftest.py"):
        shutil.copy(ROOT / name, tree)
    with (tree / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(UNHURRIED)
    where = subprocess.run(
        [sys.executable, "-c", "import spikylib; print(spikylib.__file__)"],
        cwd=tree, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    if not Path(where).is_relative_to(tree):
        sys.exit(f"the tests would run on {where.strip()}, and not on the copy in {tree}")
    return tree


def suite(mutant):
    """Arguments of pytest for the tests and doctests of the mutant's module."""
    name, *options = (mutant.tests or mutant.module).split(" ", 2)
    folder, _, last = name.rpartition("/")
    tests = (Path("tests") / folder / f"test_{last}.py").as_posix()
    doctests = [mutant.file] if mutant.file.endswith(".py") else []
    return (tests, *doctests, *options)


def check_syntax(mutant, source):
    """Raise an error where a mutated source cannot be read: any test would notice that."""
    if mutant.file.endswith(".py"):
        compile(source, mutant.file, "exec")
    elif node := shutil.which("node"):
        subprocess.run([node, "--check"], input=source, text=True, check=True)


def _try(mutant, trees):
    tree = trees.get()
    file = tree / mutant.file
    source = file.read_text(encoding="utf-8")
    try:
        if source.count(mutant.find) != 1:
            by, caught = f"lost: its text occurs {source.count(mutant.find)} times", False
        else:
            mutated = source.replace(mutant.find, mutant.put)
            check_syntax(mutant, mutated)
            file.write_text(mutated, encoding="utf-8")
            by = _run(suite(mutant), tree)
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
    failed = re.search(r"^(?:FAILED|ERROR) (?:[^\s:]*/)?([^\s:/]+(?:::\S+)?)", done.stdout, flags=re.M)
    if done.returncode != 1 and not failed:
        sys.exit(f"pytest could not run {' '.join(suite)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return failed[1] if failed else json.dumps(done.stdout[-60:])


if __name__ == "__main__":
    main(sys.argv[1:])

"""Keep what the checks of book/trust.md counted, and show it on that page.

python tools/trust.py kernels   the notebooks on other BLAS kernels and thread counts
python tools/trust.py oldest    units and notebooks with the oldest supported dependencies
python tools/trust.py newest    the same with the newest there are
python tools/trust.py tables    write the page's tables again from the stored counts
"""

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COUNTS = ROOT / "book" / "results" / "trust"
ONE_CORE = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# what makes a machine: numpy's own loops, and the OpenBLAS of numpy and of scipy
MACHINES = {
    "AVX-512": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "AVX2": {"OPENBLAS_CORETYPE": "Haswell"},
    "SSE": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
}


def save(check, counts):
    """Store the counts of a check, with when and on what it ran, and show them.

    Parameters
    ----------
    check : str
        ``kernels``, ``oldest``, ``newest``, ``mutants``, ``fuzz`` or ``interrupted``.
    counts : dict
        What the table of the check is made from, ready for JSON.
    """
    stored = {"day": f"{datetime.now(UTC):%Y-%m-%d}", "commit": _commit(), **counts}
    COUNTS.mkdir(parents=True, exist_ok=True)
    (COUNTS / f"{check}.json").write_text(
        json.dumps(stored, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    (COUNTS / f"{check}.md").write_text(table(check), encoding="utf-8")


def table(check):
    """What the page shows of the last run of a check."""
    if not (COUNTS / f"{check}.json").is_file():
        return f"Not run yet: `make {check}`.\n"
    stored = json.loads((COUNTS / f"{check}.json").read_text(encoding="utf-8"))
    where = f"Last run {stored['day']}, at commit {stored['commit'] or 'unknown'}, {_duration(stored['seconds'])}."
    return "\n".join([f"<!-- written by `make {check}` -->", *TABLES[check](stored), "", where, ""])


def kernels():
    """Run the notebooks, strictly compared, on three kinds of CPU and with one and two threads."""
    start = time.perf_counter()
    rows = []
    for name, settings in MACHINES.items():
        if not _runs_here(settings):
            print(f"{name}: this CPU does not have it", flush=True)
            continue
        for threads in ("1", "2"):
            environment = os.environ | settings | dict.fromkeys(ONE_CORE, threads)
            rows.append(
                {
                    "machine": name,
                    "blas": _blas(environment),
                    "threads": int(threads),
                    **_pytest(sys.executable, ["notebooks"], environment),
                }
            )
            print(rows[-1], flush=True)
    save("kernels", {"seconds": _since(start), "runs": rows})
    return all(row["failed"] == 0 and row["passed"] > 0 for row in rows)


def oldest():
    """Run units and notebooks in an environment of lower bounds."""
    return _in_environment("oldest", ["-c", "constraints-oldest.txt"])


def newest():
    """Run units and notebooks in an environment without constraints."""
    return _in_environment("newest", ["--upgrade"])


def lower_bounds():
    """The lower bounds of pyproject.toml as constraints, one a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = dict(
        re.match(r"([\w.-]+)>=([\w.]+)", text).groups()
        for text in (*project["dependencies"], *extras["book"], *extras["test"])
    )
    return "".join(f"{name}=={version}\n" for name, version in bounds.items())


def _in_environment(check, options):
    start = time.perf_counter()
    python = ROOT / "_build" / check / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", python.parents[1]], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    subprocess.run([*install, "-e", ".[book,test]"], cwd=ROOT, check=True)
    # the pages are built with the pinned tools only: other versions draw and warn differently
    counted = _pytest(python, ["tests", "spikylib", "notebooks", "--ignore=tests/test_book.py"], os.environ)
    save(check, {"seconds": _since(start), "versions": _versions(python), **counted})
    return counted["failed"] == 0 and counted["passed"] > 0


def _pytest(python, paths, environment):
    """Counts of one pytest run, as pytest itself reports them."""
    command = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *paths]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    counts = {word.rstrip("s"): int(n) for n, word in re.findall(r"(\d+) (passed|failed|errors?)\b", last)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n", file=sys.stderr)
        failed = failed or 1
    return {"passed": counts.get("passed", 0), "failed": failed}


def _runs_here(settings):
    probe = "import numpy, scipy.linalg; scipy.linalg.eigh(numpy.eye(300) @ numpy.eye(300))"
    return subprocess.run([sys.executable, "-c", probe], env=os.environ | settings).returncode == 0


def _blas(environment):
    """The kernels that the BLAS libraries of numpy and scipy say they use."""
    probe = """if True:
        import numpy, scipy.linalg, threadpoolctl
        print(*sorted({i["architecture"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"}))"""
    told = subprocess.run(
        [sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True
    )
    return told.stdout.strip()


def _versions(python):
    probe = """if True:
        import importlib.metadata as m, platform
        print("Python", platform.python_version())
        for name in ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "matplotlib", "papermill", "pytest"):
            print(name, m.version(name))"""
    told = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True).stdout
    return ", ".join(told.strip().splitlines())


def _commit():
    told = subprocess.run(
        ["git", "rev-parse", "--short=12", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return told.stdout.strip()


def _since(start):
    return round(time.perf_counter() - start)


def _duration(seconds):
    return f"{seconds} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _kernels_table(stored):
    yield "| instructions | kernels of OpenBLAS | threads | cells and files compared | different |"
    yield "|---|---|---|---|---|"
    for run in stored["runs"]:
        yield (
            f"| {run['machine']} | {run['blas']} | {run['threads']} | {run['passed'] + run['failed']} "
            f"| {run['failed']} |"
        )


def _versions_table(stored):
    yield f"{stored['passed']} tests passed and {stored['failed']} failed, with {stored['versions']}."


def _mutants_table(stored):
    caught = [m for m in stored["mutants"] if m["caught"]]
    yield f"{len(caught)} of {len(stored['mutants'])} mutants were caught."
    yield ""
    yield ":::{dropdown} What was broken, and what noticed"
    yield "| module | what was broken | the first test that failed says |"
    yield "|---|---|---|"
    for m in stored["mutants"]:
        yield f"| `{m['module']}` | {m['change']} | {_sentence(m['by']) if m['caught'] else '**nothing**'} |"
    yield ":::"


def _sentence(test):
    """What a test is named for: test_x.py::test_two_and_two_are_four[a] says "two and two are four"."""
    name = test.rpartition("::")[2].partition("[")[0]
    if name.startswith("spikylib."):
        return f"the example of `{name.rpartition('.')[2]}`"
    return name.removeprefix("test_").replace("_", " ")


def _fuzz_table(stored):
    yield "| reader | inputs tried | read | refused with a documented error | anything else |"
    yield "|---|---|---|---|---|"
    for t in stored["targets"]:
        yield f"| {t['target']} | {t['tried']:,} | {t['read']:,} | {t['refused']:,} | {t['wrong']} |"


def _interrupted_table(stored):
    yield "| what was killed | times | killed before its end | next call worked | something corrupt |"
    yield "|---|---|---|---|---|"
    for k in stored["kinds"]:
        yield f"| {k['kind']} | {k['times']} | {k['killed']} | {k['worked']} | {k['corrupt']} |"


TABLES = {
    "kernels": _kernels_table,
    "oldest": _versions_table,
    "newest": _versions_table,
    "mutants": _mutants_table,
    "fuzz": _fuzz_table,
    "interrupted": _interrupted_table,
}


def tables():
    """Write every table again from its counts."""
    for check in TABLES:
        (COUNTS / f"{check}.md").write_text(table(check), encoding="utf-8")
    return True


if __name__ == "__main__":
    commands = {"kernels": kernels, "oldest": oldest, "newest": newest, "tables": tables}
    if len(sys.argv) != 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    sys.exit(not commands[sys.argv[1]]())

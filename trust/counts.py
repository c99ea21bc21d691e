"""Keep what the checks of book/trust.md counted, and show it on that page.

python -m trust.counts   write the tables of the page again from the stored counts
"""

import json
import subprocess
from datetime import UTC, datetime

from trust import ROOT

COUNTS = ROOT / "book" / "results" / "trust"


def save(check, counts):
    """Store the counts of a check, with when and on what it ran, and show them.

    Parameters
    ----------
    check : str
        A key of ``TABLES``.
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


def _commit():
    """The last commit that changed what is checked."""
    command = ["git", "log", "-1", "--format=%h", "--abbrev=12", "--", "spikylib", "notebooks", "book/style"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()


def _duration(seconds):
    return f"{seconds} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _kernels_table(stored):
    yield "| instructions | kernels of OpenBLAS | threads | cells compared | different |"
    yield "|---|---|---|---|---|"
    for run in stored["runs"]:
        yield (
            f"| {run['machine']} | {run['blas']} | {run['threads']} | {run['passed'] + run['failed']} "
            f"| {run['failed']} |"
        )


def _versions_table(stored):
    yield "| versions | tests passed | failed |"
    yield "|---|---|---|"
    for run in stored["runs"]:
        yield f"| {run['versions']} | {run['passed']:,} | {run['failed']} |"


def _wheel_table(stored):
    yield "| Python | the wheel |"
    yield "|---|---|"
    for run in stored["runs"]:
        yield f"| {run['python'].removeprefix('Python ')} | {'works' if run['works'] else '**fails**'} |"


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
    "wheel": _wheel_table,
    "mutants": _mutants_table,
    "fuzz": _fuzz_table,
    "interrupted": _interrupted_table,
}


if __name__ == "__main__":
    for check in TABLES:
        (COUNTS / f"{check}.md").write_text(table(check), encoding="utf-8")

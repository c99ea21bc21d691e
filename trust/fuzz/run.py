"""Feed every file reader with inputs that a coverage-guided fuzzer makes up.

python -m trust.fuzz.run [SECONDS [TARGET ...]]   in all, shared by the targets; default 600

One process a target, on one thread. An input that is a finding is kept in tests/corpus/, where
tests/test_fuzz.py reads it again for good. Needs atheris.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from trust import ROOT, counts

CORPUS = ROOT / "tests" / "corpus"
LIMITS = ("-rss_limit_mb=2048", "-timeout=20", "-max_len=20000")  # memory, hang in seconds, input in bytes


def main(seconds=600, names=()):
    """Fuzz the targets one after the other; print and store the counts."""
    from trust.fuzz import targets

    start = time.perf_counter()
    rows = []
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        for name in names or targets.TARGETS:
            outcomes = _fuzz(name, seconds / len(names or targets.TARGETS), Path(scratch) / name, targets)
            rows.append({"target": name, **outcomes})
            print(rows[-1], flush=True)
    if not names:
        counts.save("fuzz", {"seconds": round(time.perf_counter() - start), "targets": rows})
    return all(row["wrong"] == 0 for row in rows)


def _fuzz(name, seconds, folder, targets):
    for kind in ("inputs", "found"):
        (folder / kind).mkdir(parents=True)
    for k, seed in enumerate(targets.seeds(name)):
        (folder / "inputs" / f"seed-{k}").write_bytes(seed)
    for kept in (CORPUS / name).glob("*"):
        shutil.copy(kept, folder / "inputs")
    total, end = Counter(), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 1:
        tally = folder / "counts.json"
        tally.write_text("{}")
        limit = f"-max_total_time={max(1, int(left))}"
        command = [sys.executable, "-m", "trust.fuzz.run", "--child", name, folder, limit]
        with (folder / "log").open("w") as log:
            subprocess.run(
                [*command, *LIMITS, f"-artifact_prefix={folder}/found/", folder / "inputs"],
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            )
        total.update(json.loads(tally.read_text()))
        found, said = sorted((folder / "found").iterdir()), (folder / "log").read_text(errors="replace")
        for file in found:
            (CORPUS / name).mkdir(parents=True, exist_ok=True)
            shutil.move(file, CORPUS / name / file.name)
        # a process may end without a word on the input that ended it
        stopped = not found and left > 5 and "Done" not in said
        if found or stopped:
            total["wrong"] += len(found) + stopped
            print(f"  {name}: {[file.name for file in found] or 'stopped'}\n{said[-1500:]}", flush=True)
    return {key: total[key] for key in ("tried", "read", "refused", "wrong")}


def _child(name, folder, options):
    import atheris

    with atheris.instrument_imports(include=["spikylib"]):
        from trust.fuzz import targets
    tally = Counter()

    def one(data):
        tally["tried"] += 1
        tally[targets.attempt(name, data, folder / "home")] += 1
        if tally["tried"] % 25 == 0:
            (folder / "counts.json").write_text(json.dumps(tally))

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    else:
        sys.exit(not main(float(sys.argv[1]) if sys.argv[1:] else 600, sys.argv[2:]))

"""Run the tests in an environment, and count them."""

import re
import signal
import subprocess
import sys
from functools import partial

from trust import ROOT


def count_tests(python, paths, environment):
    """Counts of one pytest run, as pytest itself reports them; a failure is printed."""
    command = [python, "-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *paths]
    # in the background of a script Ctrl-C would be ignored, and some tests send it
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, preexec_fn=heard
    )
    summary = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""
    counts = {word.rstrip("s"): int(n) for n, word in re.findall(r"(\d+) (passed|failed|errors?)\b", summary)}
    failed = counts.get("failed", 0) + counts.get("error", 0)
    if done.returncode:
        print(done.stdout[-6000:], done.stderr[-2000:], sep="\n", file=sys.stderr)
        # pytest can fail before it counts anything: a usage error, a crash
        failed = failed or 1
    return {"passed": counts.get("passed", 0), "failed": failed}


def all_passed(counts):
    """Whether every row of counts has tests and no failure: nothing run is nothing shown."""
    return all(row["failed"] == 0 and row["passed"] > 0 for row in counts)

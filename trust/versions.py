"""Run units and chapters with other versions of the dependencies, and on other Pythons.

python -m trust.versions oldest   the lowest that pyproject.toml allows, on the lowest Python
python -m trust.versions newest   the newest there are, on every higher Python that is here
"""

import os
import re
import subprocess
import sys
import time
import tomllib

from trust import ROOT, counts, suite, wheel

CHECKS = {
    "oldest": (wheel.VERSIONS[:1], ["-c", "constraints-oldest.txt"]),
    "newest": (wheel.VERSIONS[1:], ["--upgrade"]),
}
# the pages are built with the pinned tools only: other versions draw and warn differently;
# the controls draw catalogues by the hour, and what they judge is no matter of versions
LEFT_OUT = ("--ignore=tests/test_book.py", "--ignore=tests/test_controls.py")


def main(check):
    """Install into environments of their own, run there, and return whether all passed."""
    start = time.perf_counter()
    versions, options = CHECKS[check]
    rows = []
    for python in (python for version in versions for python in wheel.find(version)):
        rows.append(_row(check, python, options))
        counts.save(check, {"seconds": round(time.perf_counter() - start), "runs": rows})
    return suite.all_passed(rows)


def _row(check, python, options):
    folder = ROOT / "_build" / check
    subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *options]
    subprocess.run([*install, "-e", ".[book,test]"], cwd=ROOT, check=True)
    counted = suite.count_tests(python, ["tests", "spikylib", "notebooks", *LEFT_OUT], os.environ)
    row = {"versions": _versions(python), **counted}
    print(row, flush=True)
    return row


def lower_bounds():
    """The lower bounds of pyproject.toml as constraints, one a line."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    bounds = dict(
        re.match(r"([\w.-]+)>=([\w.]+)", text).groups()
        for text in (*project["dependencies"], *extras["book"], *extras["test"])
    )
    return "".join(f"{name}=={version}\n" for name, version in bounds.items())


def _versions(python):
    probe = """if True:
        import importlib.metadata as m, platform
        print("Python", platform.python_version())
        for name in ("numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "matplotlib", "papermill", "pytest"):
            print(name, m.version(name))"""
    done = subprocess.run([python, "-c", probe], capture_output=True, text=True, check=True)
    return ", ".join(done.stdout.strip().splitlines())


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    sys.exit(not main(sys.argv[1]))

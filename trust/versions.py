"""Run units and notebooks with other versions of the dependencies.

python -m trust.versions oldest   the lowest that pyproject.toml allows
python -m trust.versions newest   the newest there are
"""

import os
import re
import subprocess
import sys
import time
import tomllib

from trust import ROOT, counts, suite

OPTIONS = {"oldest": ["-c", "constraints-oldest.txt"], "newest": ["--upgrade"]}


def main(check):
    """Install into an environment of its own, run there, and return whether all passed."""
    start = time.perf_counter()
    python = ROOT / "_build" / check / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--clear", python.parents[1]], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *OPTIONS[check]]
    subprocess.run([*install, "-e", ".[book,test]"], cwd=ROOT, check=True)
    # the pages are built with the pinned tools only: other versions draw and warn differently
    paths = ["tests", "spikylib", "notebooks", "--ignore=tests/test_book.py"]
    counted = suite.count_tests(python, paths, os.environ)
    seconds = round(time.perf_counter() - start)
    counts.save(check, {"seconds": seconds, "versions": _versions(python), **counted})
    return suite.all_passed([counted])


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
    if len(sys.argv) != 2 or sys.argv[1] not in OPTIONS:
        sys.exit(__doc__)
    sys.exit(not main(sys.argv[1]))

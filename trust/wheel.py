"""Install the wheel for every supported Python that is here, and use it from outside the checkout.

python -m trust.wheel [PYTHON ...]   by default python3.11, 3.12 and 3.13, from PATH or pyenv
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from trust import ROOT, counts

VERSIONS = ("3.11", "3.12", "3.13")
USE = """
from pathlib import Path
import numpy as np, spikylib
from spikylib import datasets, spikes
assert "site-packages" in spikylib.__file__, spikylib.__file__
cover = spikes.cover(np.repeat(np.eye(4), 5, axis=0))
assert (len(cover.peaks), cover.spk) == (2, 0.1), cover
data = datasets.load("synthetic", n_items=400, n_contexts=800, n_communities=8)
from spikylib.study import Study
assert Study(data, f=16).E.shape[1] == 16
assert (Path(spikylib.__file__).parent / "py.typed").is_file()
print("used")
"""


def main(pythons=()):
    """Build the wheel once, and try it with every interpreter; return whether all went well."""
    start = time.perf_counter()
    pythons = pythons or [python for version in VERSIONS for python in find(version)]
    with tempfile.TemporaryDirectory() as folder:
        wheel = _build(Path(folder))
        rows = [_try(python, wheel, Path(folder) / f"environment-{k}") for k, python in enumerate(pythons)]
    counts.save("wheel", {"seconds": round(time.perf_counter() - start), "runs": rows})
    return all(row["works"] for row in rows)


def find(version):
    """An interpreter of a version, in a list; an empty list, and a line that says so, where there is none."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = [shutil.which(f"python{version}"), *pyenv.glob(f"versions/{version}.*/bin/python")]
    for python in filter(None, candidates):
        # a shim of pyenv is on PATH even where its version is switched off
        if subprocess.run([python, "-c", ""], capture_output=True).returncode == 0:
            return [python]
    print(f"SKIPPED: no Python {version} here", flush=True)
    return []


def _build(folder):
    """The wheel, built from a copy of the sources."""
    # setuptools would leave a folder build/ in the checkout, and pack its old files again
    tree = folder / "tree"
    shutil.copytree(ROOT / "spikylib", tree / "spikylib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--wheel-dir", folder, tree], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def _try(python, wheel, environment):
    subprocess.run([python, "-m", "venv", environment], check=True)
    binaries = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = [binaries / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, wheel], check=True)
    # a PYTHONPATH that names the checkout would import it in place of the wheel
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def call(*command, codes=(0,)):
        done = subprocess.run(command, cwd=environment, env=clean, capture_output=True, text=True)
        if done.returncode not in codes or not (done.stdout + done.stderr).strip():
            print(
                f"{python}: {command[1]} ends with {done.returncode}\n{done.stdout}{done.stderr}", flush=True
            )
            return ""
        return done.stdout + done.stderr

    version = call(binaries / "python", "--version").strip()
    works = (
        "used" in call(binaries / "python", "-c", USE)
        and "cornell-yes-small" in call(binaries / "spiky", "data", "list")
        # the chapters may be no part of the wheel: then one line says what to do
        and "Traceback" not in (call(binaries / "spiky", "notebooks", codes=(0, 2)) or "Traceback")
    )
    print(f"{version}: {'works' if works else 'FAILS'} from the wheel", flush=True)
    return {"python": version, "works": works}


if __name__ == "__main__":
    sys.exit(not main(sys.argv[1:]))

"""Kill what fetches, loads, runs, reports and checks with signal 9 at random moments, and see what the next call finds.

python -m trust.interrupt [SEED]

Fifty times in all. A call is made once undisturbed, which shows how long it takes; then again and
again from nothing, every time killed at a moment drawn uniformly from that time. Right after the kill
whatever stands in its final place must be whole; the same call, made again, must succeed and give
what the undisturbed one gave.
"""

import hashlib
import io
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
import numpy as np

from trust import ROOT, counts

TIMES = {"download": 10, "load": 5, "run": 5, "sweep": 8, "report": 8, "compare": 6, "evidence": 8}
CELL = """\
f: int = 16  # rank, 1 to 64
results_file: str = ""  # JSON file for the named results"""
BODY = """\
import json, pathlib, time
time.sleep(0.3)
pathlib.Path(results_file).write_text(json.dumps({"results": {"double": 2 * f}, "arrays": {}}))"""
# the published address of this dataset is replaced by one on this machine, without a checksum
FETCH = """
import sys
from dataclasses import replace
from spikylib.datasets._catalogue import DATASETS
DATASETS["lastfm-2k"] = replace(DATASETS["lastfm-2k"], address=sys.argv[1], checksum=None)
from spikylib import datasets
data = datasets.load("lastfm-2k", data_home=sys.argv[2], download=sys.argv[3] == "download")
print(data.matrix.shape, data.matrix.nnz, data.items["artist"].iloc[-1])
"""
# of two small catalogues, and what the package keeps of it
EVIDENCE = """
import sys
from pathlib import Path
import numpy as np
from spikylib import claims
from spikylib.claims._evidence import keep_public
from spikylib.datasets import Embeddings
from spikylib.study import Study
folder = Path(sys.argv[1])
for seed in (0, 1):
    E = np.random.default_rng(seed).standard_normal((200, 32))
    claims.keep_evidence(folder, Study(embeddings=Embeddings(np.arange(200), E, f"made-{seed}")))
keep_public(folder, folder / "kept" / "public.json")
"""
# what differs from call to call: how long it took
TOOK = re.compile(r'"seconds": [\d.]+|time="[\d.]+"|[\d.]+ s\. Computed')


class Slowly(BaseHTTPRequestHandler):
    """Sends the archive in pieces, so that a download takes a while."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.server.archive)))
        self.end_headers()
        for start in range(0, len(self.server.archive), 1 << 16):
            self.wfile.write(self.server.archive[start : start + (1 << 16)])
            time.sleep(0.02)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """A client that is killed hangs up."""


def main(seed=0):
    start = time.perf_counter()
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        rows = [check(Path(folder) / check.__name__, TIMES[check.__name__], rng) for check in CHECKS]
    print(*rows, sep="\n")
    counts.save("interrupted", {"seconds": round(time.perf_counter() - start), "seed": seed, "kinds": rows})
    return all(row["worked"] == row["times"] and row["corrupt"] == 0 for row in rows)


def download(folder, times, rng):
    """Fetch an archive from a slow server, and unpack it."""
    server = Server(("127.0.0.1", 0), Slowly)
    server.archive = _archive()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = folder / "home"
    command = [sys.executable, "-c", FETCH, f"http://127.0.0.1:{server.server_port}/x.zip", home, "download"]
    row = _repeat("download", folder, home, command, times, rng)
    server.shutdown()
    return row


def load(folder, times, rng):
    """Load what is there."""
    home = folder / "home"
    (folder / "source").mkdir(parents=True)
    with zipfile.ZipFile(io.BytesIO(_archive())) as bundle:
        bundle.extractall(folder / "source" / "lastfm-2k")
    command = [sys.executable, "-c", FETCH, "https://example.org", home, "load"]
    return _repeat("load", folder, home, command, times, rng, fresh=folder / "source")


def run(folder, times, rng):
    """Run a notebook."""
    out = folder / "out"
    command = [*_spiky(), "run", _notebook(folder), "-p", "f=17", "-o", out]
    return _repeat("run", folder, out, command, times, rng)


def sweep(folder, times, rng):
    """Run a notebook with four values of a parameter, two at a time."""
    out = folder / "out"
    command = [*_spiky(), "sweep", _notebook(folder), "-p", "f=17,18,19,20", "-j", "2", "-o", out]
    return _repeat("sweep", folder, out, command, times, rng)


def report(folder, times, rng):
    """Report on an embedding."""
    out = folder / "out"
    command = [*_spiky(), "report", _embeddings(folder, 0), "-o", out]
    return _repeat("spiky report", folder, out, command, times, rng)


def compare(folder, times, rng):
    """Compare two embeddings by a third, with a gate and its file for CI servers."""
    out = folder / "out"
    old, new, again = (_embeddings(folder, seed) for seed in range(3))
    options = ["--again", again, "--fail-if", "items_common < 200", "--junit", out / "gates.xml", "-o", out]
    return _repeat("spiky compare", folder, out, [*_spiky(), "compare", old, new, *options], times, rng)


def evidence(folder, times, rng):
    """Check all claims on two catalogues, and keep the findings."""
    out = folder / "out"
    return _repeat("evidence", folder, out, [sys.executable, "-c", EVIDENCE, out], times, rng)


CHECKS = (download, load, run, sweep, report, compare, evidence)


def _repeat(kind, folder, made, command, times, rng, fresh=None):
    environment = os.environ | {
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }
    (folder / "tmp").mkdir(parents=True, exist_ok=True)

    def again():
        shutil.rmtree(made, ignore_errors=True)
        if fresh:
            shutil.copytree(fresh, made)

    def call():
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    again()
    start = time.monotonic()
    undisturbed = call()
    took = time.monotonic() - start
    if undisturbed.returncode:
        sys.exit(f"{kind} fails undisturbed: {undisturbed.stderr}")
    whole = _contents(made)
    row = {"kind": kind, "times": times, "killed": 0, "worked": 0, "corrupt": 0}
    for _ in range(times):
        again()
        process = subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(rng.uniform(0, took))
        except subprocess.TimeoutExpired:
            process.kill()
            row["killed"] += 1
        process.wait()
        left = _contents(made)
        row["corrupt"] += any(whole.get(name) != content for name, content in left.items())
        second = call()
        same = kind not in ("download", "load") or second.stdout == undisturbed.stdout
        row["worked"] += second.returncode == 0 and same and _contents(made) == whole
        if second.returncode:
            print(second.stdout, second.stderr, sep="\n", file=sys.stderr)
    return row


def _contents(folder):
    """What stands in its final place: files by hash, the results of runs by what they say."""
    found = {}
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = file.relative_to(folder).as_posix()
        if file.name == "result.json":
            try:
                stored = json.loads(file.read_text(encoding="utf-8"))
                found[name] = (stored["parameters"], stored["results"])
            except (ValueError, KeyError) as error:
                found[name] = repr(error)
        elif (
            file.is_file()
            and not any(part.startswith(".") for part in file.parts)
            and file.suffix != ".ipynb"
        ):
            content = file.read_bytes()
            if file.suffix in (".json", ".html", ".xml"):
                content = TOOK.sub("", content.decode("utf-8", errors="replace")).encode()
            found[name] = hashlib.sha256(content).hexdigest()
    return found


def _archive():
    """A published archive in small: 40,000 plays that do not pack well."""
    rng = random.Random(1)
    plays = "".join(
        f"{rng.randrange(2000)}\t{rng.randrange(3000)}\t{rng.randrange(10**6)}\n" for _ in range(40000)
    )
    artists = "".join(f"{i}\tartist {i}\thttps://example.org/{rng.random()}\n" for i in range(3000))
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr("user_artists.dat", "userID\tartistID\tweight\n" + plays)
        bundle.writestr("artists.dat", "id\tname\turl\n" + artists)
    return stream.getvalue()


def _notebook(folder):
    folder.mkdir(parents=True, exist_ok=True)
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    cell = nbformat.v4.new_code_cell(CELL, metadata={"tags": ["parameters"]})
    notebook.cells = [cell, nbformat.v4.new_code_cell(BODY)]
    nbformat.write(notebook, folder / "01_tiny.ipynb")
    return folder / "01_tiny.ipynb"


def _embeddings(folder, seed):
    folder.mkdir(parents=True, exist_ok=True)
    E = np.random.default_rng(0).standard_normal((300, 16))
    file = folder / f"{seed}.npz"
    np.savez(
        file, vectors=E + 0.1 * np.random.default_rng(seed + 1).standard_normal(E.shape), ids=np.arange(300)
    )
    return file


def _spiky():
    return [sys.executable, "-c", "from spikylib.cli import main; main()"]


if __name__ == "__main__":
    sys.exit(not main(*map(int, sys.argv[1:])))

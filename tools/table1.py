"""Compute Table 1 of the paper from the data that it used, beside what it printed; `make table1` calls this.

Each dataset is fetched from its publisher if it is not there. It then goes through the pipeline once
for each setting in which the released scripts differ from this book, so that a difference from the
printed row can be attributed. The authors' released factors are measured as they are.
"""

import argparse
import resource
import sys
import time
from itertools import groupby

import numpy as np

from spikylib import datasets, ppmi, spikes, svd
from spikylib._published import read_published, upper_triangle_svd

NO_ACCOUNT = ("cornell-yes-complete", "aotm-2011", "lastfm-360k", "movielens-25m")
ROWS = {  # of the paper's table, where the name is another
    "cornell-yes-complete": "cornell-yes",
    "released-aotm": "aotm-2011",
    "released-cornell": "cornell-yes",
    "released-lastfm": "lastfm-360k",
    "released-movielens": "movielens-25m",
}
SETTINGS = (  # contexts of so many items or more, `keep` of the neighbours, upper triangle only
    ("this book's: all contexts, mutual neighbours, symmetric", 1, "mutual", False),
    ("only the upper triangle", 1, "mutual", True),
    ("only later neighbours", 1, "later", False),
    ("only contexts of 5 or more", 5, "mutual", False),
    ("5 or more, later: near the release of October 2023", 5, "later", False),
    ("5 or more, later, triangle: near that of June 2023", 5, "later", True),
)
RANKS = (128, 64, 32, 16)
EXAMPLES = """examples:
  make table1                                          the four datasets that need no account
  make table1 N="cornell-yes-complete released-cornell"
  python tools/table1.py cornell-yes-small --data-home ~/data
  python tools/table1.py > table1.md                   the table alone: progress goes to stderr
"""


def main(arguments=None):
    """Print the table, a row as soon as it is known; return how many datasets failed."""
    parser = argparse.ArgumentParser(
        prog="table1",
        description=__doc__.partition("; `make")[0] + ".",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    catalogue = datasets.catalogue().set_index("name")
    known = catalogue.index[catalogue.files != ""].to_list()  # the others are generated
    parser.add_argument("names", nargs="*", metavar="NAME", help="a dataset of `spiky data list`")
    parser.add_argument("--data-home", metavar="FOLDER", help="folder of the datasets ($SPIKYLIB_DATA)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.names if name not in known]:
        parser.error(f"unknown dataset {unknown[0]!r}; choose from {', '.join(known)}")
    printed, failed = read_published("table1"), 0
    _print_row("dataset", "settings", "items", *(f"Spk@{f}" for f in RANKS))
    print("|---|---|---:|---:|---:|---:|---:|")
    for name in options.names or NO_ACCOUNT:
        start = time.perf_counter()
        try:
            for label, E in _embeddings(name, options.data_home):
                spk = spikes.peaks(E, RANKS, [0.9], [0.5])[:, 0, 0] / len(E)
                _print_row(name, label, f"{len(E):,}", *(f"{100 * value:.2f}%" for value in spk))
        except (OSError, ValueError, ArithmeticError) as error:
            failed += 1
            _say(name, f"failed: {error}")
        if ROWS.get(name, name) in printed.index:
            row = printed.loc[ROWS.get(name, name)]
            _print_row(name, "**published**", f"{int(row['items']):,}", *(row[f"spk_{f}"] for f in RANKS))
        # kilobytes on Linux, bytes on macOS
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        _say(name, f"{time.perf_counter() - start:.0f} s; {peak / 2**30:.1f} GiB at most so far")
    return failed


def _embeddings(name, data_home):
    """The embeddings of a dataset by each of the settings, or those that were released."""
    source = {"data_home": data_home, "download": True}
    if " x " not in datasets.catalogue().set_index("name").kind[name]:
        E = datasets.load(name, **source).vectors
        label = "as released"
        for file in datasets.files(name, data_home):
            if file.name == "V.npy":
                n_columns = len(np.load(file, mmap_mode="r"))
                form = "symmetric" if n_columns == len(E) else "rows and columns indexed apart"
                label = f"as released: V has {n_columns:,} rows, so {form}"
        yield label, spikes.principal(E)
        return
    for (size, keep), group in groupby(SETTINGS, key=lambda settings: settings[1:3]):
        _say(name, f"reading contexts of {size} or more")
        X = datasets.load(name, min_context_size=size, **source).matrix
        _say(name, f"counting {X.nnz:,} interactions of {X.shape[0]:,} items, {keep} neighbours")
        M, _ = ppmi.ppmi_matrix(X, keep=keep)
        del X
        for label, _, _, triangle in group:
            _say(name, f"factorising {M.nnz:,} entries: {label}")
            if triangle:
                U, s = upper_triangle_svd(M, max(RANKS))
                yield label, U * s
            else:
                yield label, svd.truncated_svd(M, max(RANKS)).embeddings()
        del M  # before the next one is made


def _print_row(dataset, settings, items, *cells):
    print(f"| {dataset:<20} | {settings:<56} | {items:>9} |", *(f"{cell:>8} |" for cell in cells), flush=True)


def _say(name, what):
    print(f"{time.strftime('%H:%M:%S')} {name}: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(min(main(), 1))
    except KeyboardInterrupt:
        # fetch removes what it had of a file, and nothing else is written
        sys.exit("Stopped. No file was left half-written.")

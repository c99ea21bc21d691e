"""Check every claim on every dataset present, into book/evidence; `make evidence` calls this.

python tools/evidence.py [NAME ...]       datasets, by default all below that are here, and generated data
python tools/evidence.py --anew [NAME ...]    findings whose claims have not changed, too

What is there and up to date stays, so that after a change to one claim only that one is checked again.
"""

import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

# two datasets at a time, a thread each: two that fight for the cores take longer
os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "book" / "evidence"
# the longest first
DATASETS = (
    "complete-journey",
    "gowalla",
    "yelp",
    "cornell-yes-big",
    "citeulike-a",
    "amazon-beauty",
    "movielens-small",
    "triplej",
    "lastfm-2k",
    "cornell-yes-small",
    "s3rec-beauty",
    "glove-50d",
    "item2vec-sgns",
    "item2vec-cbow",
    "generated",
)


def evidence(name, anew=False):
    """Check one dataset; return what to say of it."""
    from spikylib import claims, datasets
    from spikylib.rerun._record import data_hashes, provenance
    from spikylib.study import Study

    start = time.perf_counter()
    study, about = None, {"domain": "generated", "sha256": {}, "settings": {}}
    if name != "generated":
        if not datasets.files(name):
            return f"  {name}  left as it is: the data are not here"
        study = Study.load(name)
        domain = datasets.catalogue().set_index("name").loc[name].get("domain", "")
        about = {"domain": domain, "sha256": data_hashes(name), "settings": study.settings}
    about["commit"] = provenance()["commit"]
    claims.keep_evidence(FOLDER, study, about=about, anew=anew)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return f"  {name}  {time.perf_counter() - start:.0f} s, {peak:.1f} GiB"


def main(names):
    anew = "--anew" in names
    names = [name for name in names if name != "--anew"] or list(DATASETS)
    # a process each, so that the memory of one dataset is gone when the next begins
    with ProcessPoolExecutor(2, max_tasks_per_child=1) as pool:
        for said in pool.map(evidence, names, [anew] * len(names)):
            print(said, flush=True)
    from spikylib.claims._evidence import keep_public

    keep_public(FOLDER, ROOT / "spikylib" / "claims" / "public.json")


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        sys.exit(__doc__)
    main(sys.argv[1:])

"""Run the notebooks, strictly compared, on other BLAS kernels and thread counts.

python -m trust.kernels
"""

import os
import subprocess
import sys
import time

from trust import counts, suite

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
# what makes a machine: numpy's own loops, and the OpenBLAS of numpy and of scipy
MACHINES = {
    "AVX-512": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "AVX2": {"OPENBLAS_CORETYPE": "Haswell"},
    "SSE": {
        "OPENBLAS_CORETYPE": "Nehalem",
        "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    },
}


def main():
    """Count cells on three kinds of CPU, with one and two threads; return whether all agree."""
    start = time.perf_counter()
    rows = []
    for name, settings in MACHINES.items():
        if not _runs_here(settings):
            print(f"{name}: this CPU does not have it", flush=True)
            continue
        for threads in ("1", "2"):
            environment = os.environ | settings | dict.fromkeys(THREADS, threads)
            counted = suite.count_tests(sys.executable, ["notebooks"], environment)
            rows.append({"machine": name, "blas": _blas(environment), "threads": int(threads), **counted})
            print(rows[-1], flush=True)
    counts.save("kernels", {"seconds": round(time.perf_counter() - start), "runs": rows})
    return suite.all_passed(rows)


def _runs_here(settings):
    # an instruction that the CPU lacks kills the process
    probe = "import numpy, scipy.linalg; scipy.linalg.eigh(numpy.eye(300) @ numpy.eye(300))"
    return subprocess.run([sys.executable, "-c", probe], env=os.environ | settings).returncode == 0


def _blas(environment):
    """The kernels that the BLAS libraries of numpy and scipy say they use."""
    probe = """if True:
        import numpy, scipy.linalg, threadpoolctl
        print(*sorted({i["architecture"] for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"}))"""
    done = subprocess.run(
        [sys.executable, "-c", probe], env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(not main())

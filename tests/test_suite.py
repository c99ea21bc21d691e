"""The suite runs as conftest.py at the root says: one thread a worker, the long files first."""

import json
import os

import numpy as np
import pytest
from threadpoolctl import threadpool_info

pytest_plugins = ["pytester"]


def test_blas_has_the_threads_of_its_worker():
    np.ones((2, 2)) @ np.ones((2, 2))
    found = [pool["num_threads"] for pool in threadpool_info() if pool["internal_api"] == "openblas"]
    assert set(found) <= {int(os.environ["OPENBLAS_NUM_THREADS"])}
    assert os.environ["OMP_NUM_THREADS"]


@pytest.fixture
def project(pytester, request):
    conftest = (request.config.rootpath / "conftest.py").read_text(encoding="utf-8")
    pytester.makeconftest(conftest)
    pytester.makepyfile(**{f"tests/test_{name}": "def test_it(): pass" for name in "abcd"})
    (pytester.path / "tests/seconds.json").write_text(
        json.dumps({"tests/test_a.py": 1, "tests/test_b.py": 9, "tests/test_c.py": 2})
    )
    return pytester


def test_long_files_start_first_and_unknown_ones_before_them(project):
    result = project.runpytest_subprocess("-v", "-p", "no:xdist")
    lines = [line.partition("::")[0] for line in result.outlines if "PASSED" in line]
    assert lines == [f"tests/test_{name}.py" for name in "dbca"]


def test_the_seconds_are_stored_on_demand(project):
    project.runpytest_subprocess("--store-seconds")
    stored = json.loads((project.path / "tests/seconds.json").read_text())
    assert list(stored) == [f"tests/test_{name}.py" for name in "abcd"]

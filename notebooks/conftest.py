"""What nbval does not compare: outputs that have a plain-text twin, which it does compare."""

import os

# notebooks run two at a time: threads that fight for the cores are several times slower
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_collectstart(collector):
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += (
            "text/html",  # data frames and Plotly: the text/plain beside it is compared
            "application/papermill.record/text/html",  # the same, glued
            "image/png",  # pixels differ between versions of fonts
            "image/svg+xml",
            "stderr",  # tests/test_notebooks.py proves that none is stored
        )

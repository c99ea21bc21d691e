"""Fixtures shared by the tests."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def data_home():
    """A folder of real data, or a skip that says how to have one."""
    places = [os.environ.get("SPIKYLIB_DATA"), ROOT.parent / "shared" / "data"]
    for place in places:
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("no real data: set SPIKYLIB_DATA to a folder that holds cornell-yes/, triplej/ ...")


@pytest.fixture(scope="session")
def cornell(data_home):
    """cornell-yes-small: interactions and PPMI matrix."""
    from spikylib import datasets, ppmi

    if not (data_home / "cornell-yes" / "yes_small" / "train.txt").is_file():
        pytest.skip(f"no cornell-yes/yes_small in {data_home}")
    data = datasets.load("cornell-yes-small", data_home=data_home)
    return data, ppmi.ppmi_matrix(data.matrix)[0]


@pytest.fixture(scope="session")
def html():
    """The folder of the built pages, which all tests of the book share; built only where a source has changed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BOOK_")}
    command = [sys.executable, "tools/book.py", "current"]
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-6000:]
    return ROOT / "_build" / "html"

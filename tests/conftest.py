"""Fixtures shared by the tests."""

import os
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

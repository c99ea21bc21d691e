"""Named results: rounded once, written whole, read back."""

import json

import numpy as np
import pandas as pd
import pytest

from spikylib import rerun


def test_record_rounds_and_refuses_what_would_drift():
    record = rerun.Record("03_spk_metric", dataset="synthetic")
    record("share", np.float64(0.123456), digits=3)
    record("peaks", np.int64(7))
    record("zero", -0.0001, digits=2)
    assert record.results == {"share": 0.123, "peaks": 7, "zero": 0.0}
    assert str(record.results["zero"]) == "0.0", "no minus sign on a rounded zero"
    with pytest.raises(ValueError, match="'peaks' is recorded already"):
        record("peaks", 8)
    with pytest.raises(ValueError, match="how many digits"):
        record("drifts", 0.1 + 0.2)


def test_record_table_names_every_cell():
    record = rerun.Record("x")
    record.table(pd.DataFrame({"a": [1.26]}, index=["r"]), prefix="t_", digits=1)
    assert record.results == {"t_r_a": 1.3}


def test_save_and_read_back(tmp_path):
    record = rerun.Record("03_spk_metric", dataset="synthetic", f=16)
    record("peaks", 15)
    record.array("points", [[1.23456, -0.00001]], digits=2)
    record.array("names", ["é", "b"])
    record.save(tmp_path / "new" / "03_spk_metric--synthetic.json", dataset="synthetic")
    run = rerun.read_results("03_spk_metric", tmp_path / "new")["synthetic"]
    assert run["parameters"] == {"dataset": "synthetic", "f": 16}
    assert run["results"] == {"peaks": 15}
    assert run["arrays"] == {"points": [[1.23, 0.0]], "names": ["é", "b"]}
    assert run["provenance"]["versions"]["numpy"] == np.__version__
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["03_spk_metric--synthetic.json"], (
        "nothing half-written"
    )


def test_no_file_named_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rerun.Record("x").save("")
    assert list(tmp_path.iterdir()) == []


def test_data_files_are_hashed(data_home, tmp_path):
    record = rerun.Record("x")
    record.save(tmp_path / "x--cornell-yes-small.json", dataset="cornell-yes-small", data_home=data_home)
    run = json.loads((tmp_path / "x--cornell-yes-small.json").read_text())
    sha256 = "55c0e28d201b523f50ea9db31d17cf4ffd90cf720559f0da057fcb143dfee025"  # the publisher's file
    assert run["provenance"]["data_sha256"]["train.txt"] == sha256


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder of results"):
        rerun.read_results("x", tmp_path / "none")


def test_footer_tells_what_ran(capsys):
    rerun.footer(dataset="synthetic", seed=3)
    text = capsys.readouterr().out
    assert "dataset synthetic · seed 3" in text
    assert f"numpy {np.__version__}" in text


def test_published_table_is_as_printed():
    table = rerun.read_published("table1")
    assert table.loc["aotm-2011", "spk_128"] == "18.1%"
    assert table.loc["deezer", "spk_16"] == "23/n"

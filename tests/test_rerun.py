"""Named results: rounded once, written whole, read back."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from spikylib import rerun
from spikylib.rerun import _results


def test_the_parameters_are_the_plain_values_of_the_namespace():
    namespace = {"__name__": "x", "_i": "1 + 1", "np": np, "In": [], "f": 16, "rho": 0.5, "quick": False}
    namespace |= {
        "seed": None,
        "dataset": "synthetic",
        "data_home": "here",
        "results_file": "",
        "x": np.float64(1),
    }
    record = rerun.Record("03_spk_metric", namespace)
    assert record.parameters == {"f": 16, "rho": 0.5, "quick": False, "seed": None, "dataset": "synthetic"}
    namespace["f"] = 32
    assert record.parameters["f"] == 16, "as it was where the record was made"


def test_record_rounds_and_refuses_what_would_drift():
    record = rerun.Record("03_spk_metric", {"dataset": "synthetic"})
    record(share=np.float64(0.123456), zero=-0.0001, digits=3)
    record({"peaks_16": np.int64(7)}, kind="dot")
    assert record.results == {"share": 0.123, "zero": 0.0, "peaks_16": 7, "kind": "dot"}
    assert type(record.results["peaks_16"]) is int
    assert str(record.results["zero"]) == "0.0", "no minus sign on a rounded zero"
    with pytest.raises(ValueError, match=r"'share' is recorded already, as 0\.123"):
        record(share=0.2, digits=3)
    with pytest.raises(ValueError, match="'twice' is recorded already"):
        record({"twice": 1}, twice=1)
    with pytest.raises(ValueError, match=r"'drifts' is a float, .* how many digits"):
        record(drifts=0.1 + 0.2)


def test_record_table_names_every_cell():
    record = rerun.Record("x", {})
    record.table(pd.DataFrame({"a": [1.26]}, index=["r"]), prefix="t_", digits=1)
    assert record.results == {"t_r_a": 1.3}


def test_nothing_is_glued_without_ipython():
    code = (
        "import sys; sys.modules['IPython'] = None; from spikylib import rerun; "
        "record = rerun.Record('x', {}); record(n=1); assert record.results == {'n': 1}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_save_and_read_back(tmp_path):
    file = tmp_path / "new" / "03_spk_metric--synthetic.json"
    record = rerun.Record("03_spk_metric", {"dataset": "synthetic", "f": 16, "results_file": str(file)})
    record(peaks=15)
    record.array("points", [[1.23456, -0.00001]], digits=2)
    record.array("names", ["é", "b"])
    record.save()
    run = rerun.read_results("03_spk_metric", tmp_path / "new")["synthetic"]
    assert run["parameters"] == {"dataset": "synthetic", "f": 16}
    assert run["results"] == {"peaks": 15}
    assert run["arrays"] == {"points": [[1.23, 0.0]], "names": ["é", "b"]}
    assert run["provenance"]["versions"]["numpy"] == np.__version__
    assert list((tmp_path / "new").iterdir()) == [file], "nothing half-written"


def test_what_was_read_is_shown_and_kept_with_the_hash_of_every_file(tmp_path, capsys):
    for month in ("2024-01", "2024-02"):
        (tmp_path / "mine" / month).mkdir(parents=True)
        (tmp_path / "mine" / month / "E.csv").write_text(month)
    record = rerun.Record("x", dataset=str(tmp_path / "mine"))
    record.notes("")
    assert capsys.readouterr().out == ""
    record.notes("3 rows read")
    assert capsys.readouterr().out == "3 rows read\n"
    record("n", 3)
    record.save(str(tmp_path / "x--mine.json"))
    run = rerun.read_results("x", tmp_path)["mine"]
    assert run["results"] == {"n": 3}
    assert run["provenance"]["data_notes"] == "3 rows read"
    expected = {f"{m}/E.csv": hashlib.sha256(m.encode()).hexdigest() for m in ("2024-01", "2024-02")}
    assert run["provenance"]["data_sha256"] == expected


@pytest.mark.parametrize("parameters", [{}, {"results_file": ""}])
def test_no_file_named_writes_nothing(tmp_path, monkeypatch, parameters):
    monkeypatch.chdir(tmp_path)
    rerun.Record("x", parameters).save()
    assert list(tmp_path.iterdir()) == []


def test_data_files_are_hashed(data_home, tmp_path):
    file = tmp_path / "x--cornell-yes-small.json"
    parameters = {"dataset": "cornell-yes-small", "data_home": str(data_home), "results_file": file}
    rerun.Record("x", parameters).save()
    run = json.loads(file.read_text())
    sha256 = "55c0e28d201b523f50ea9db31d17cf4ffd90cf720559f0da057fcb143dfee025"  # the publisher's file
    assert run["provenance"]["data_sha256"]["train.txt"] == sha256
    assert run["parameters"] == {"dataset": "cornell-yes-small"}, "no path of this machine"


@pytest.mark.parametrize(
    ("reference", "page", "expected"),
    [
        ("triplej/peaks_128", "03_spk_metric", ("03_spk_metric", "triplej", "peaks_128", "2649")),
        ("03_spk_metric/triplej/peaks_128:,", "x", ("03_spk_metric", "triplej", "peaks_128", "2,649")),
        ("triplej/spk_128:.1%", "03_spk_metric", ("03_spk_metric", "triplej", "spk_128", "35.1%")),
    ],
)
def test_a_number_of_a_stored_run_by_its_name(reference, page, expected):
    assert _results.stored_number(reference, page) == expected


@pytest.mark.parametrize(
    "reference",
    ["triplej/no_such", "nowhere/spk_128", "spk_128", "a/b/triplej/spk_128", "02_x/triplej/spk_128"],
)
def test_a_name_that_no_stored_run_has_is_an_error(reference):
    with pytest.raises(ValueError, match="no stored run has the result"):
        _results.stored_number(reference, "03_spk_metric")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder of results"):
        rerun.read_results("x", tmp_path / "none")


def test_footer_names_what_ran(capsys):
    rerun.footer(dataset="synthetic", seed=3)
    text = capsys.readouterr().out
    assert "dataset synthetic · seed 3" in text
    assert f"numpy {np.__version__}" in text


def test_published_table_is_as_printed():
    table = rerun.read_published("table1")
    assert table.loc["aotm-2011", "spk_128"] == "18.1%"
    assert table.loc["deezer", "spk_16"] == "23/n"

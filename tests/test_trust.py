"""The page on trust shows the counts of the last runs, and the lists behind it are true to the code."""

import re

import pytest

from trust import ROOT, counts, mutants, versions
from trust.mutant_list import MUTANTS


@pytest.mark.parametrize("check", counts.TABLES)
def test_the_table_of_every_check_is_that_of_its_counts(check):
    shown = (counts.COUNTS / f"{check}.md").read_text(encoding="utf-8")
    assert shown == counts.table(check), "run `python -m trust.counts`"
    assert f"results/trust/{check}.md" in (ROOT / "book" / "trust.md").read_text(encoding="utf-8")


def test_a_table_shows_what_went_wrong(tmp_path, monkeypatch):
    monkeypatch.setattr(counts, "COUNTS", tmp_path)
    assert counts.table("kernels") == "Not run yet: `make kernels`.\n"
    mutant = {"module": "svd", "change": "V is U", "caught": True, "by": "test_svd.py::test_v_has_signs[a-1]"}
    survivor = {"module": "ppmi", "change": "log base 2", "caught": False, "by": None}
    counts.save("mutants", {"seconds": 150, "mutants": [mutant, survivor]})
    shown = (tmp_path / "mutants.md").read_text()
    assert "1 of 2 mutants were caught." in shown
    assert "| `svd` | V is U | v has signs |" in shown
    assert "| `ppmi` | log base 2 | **nothing** |" in shown
    assert re.search(r"Last run \d{4}-\d\d-\d\d, at commit \w+, 2 minutes\.", shown)
    runs = [{"machine": "SSE", "blas": "Nehalem", "threads": 2, "passed": 7, "failed": 3}]
    counts.save("kernels", {"seconds": 9, "runs": runs})
    assert "| SSE | Nehalem | 2 | 10 | 3 |" in counts.table("kernels")
    counts.save("newest", {"seconds": 9, "runs": [{"versions": "Python 3.13", "passed": 3000, "failed": 1}]})
    assert "| Python 3.13 | 3,000 | 1 |" in counts.table("newest")
    counts.save("wheel", {"seconds": 9, "runs": [{"python": "Python 3.12.1", "works": False}]})
    assert "| 3.12.1 | **fails** |" in counts.table("wheel")


@pytest.mark.parametrize("check", [*counts.TABLES, "audit"])
def test_every_check_has_a_target_and_runs_every_week(check):
    assert re.search(rf"^{check}: .*## ", (ROOT / "Makefile").read_text(), flags=re.M)
    assert check in (ROOT / ".github/workflows/trust.yml").read_text()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: f"{m.module}: {m.change}")
def test_the_text_of_every_mutant_is_in_the_source_once(mutant):
    source = (ROOT / mutant.file).read_text(encoding="utf-8")
    assert source.count(mutant.find) == 1
    mutants.check_syntax(mutant, source.replace(mutant.find, mutant.put))
    assert (ROOT / mutants.suite(mutant)[0]).exists()


def test_the_oldest_versions_are_the_lower_bounds():
    lines = (ROOT / "constraints-oldest.txt").read_text().splitlines(keepends=True)
    assert "".join(line for line in lines if not line.startswith("#")) == versions.lower_bounds()

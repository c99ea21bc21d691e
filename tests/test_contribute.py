"""The recipes of the book's pages for contributors do what they say."""

import doctest
import re
import textwrap
import tomllib
from pathlib import Path

from spikylib import datasets, spikes
from spikylib.datasets import _catalogue, _readers

BOOK = Path(__file__).resolve().parents[1] / "book"


def recipe(page, language="python"):
    """The blocks of a page in a language."""
    text = (BOOK / page).read_text(encoding="utf-8")
    return [textwrap.dedent(block) for block in re.findall(rf"```{language}\n(.*?)```", text, re.S)]


def test_the_dataset_of_the_recipe_passes_the_test_of_the_recipe(tmp_path, monkeypatch):
    (row,), (reader, test) = recipe("new_dataset.md", "toml"), recipe("new_dataset.md")
    for name, fields in tomllib.loads(row).items():
        monkeypatch.setitem(_catalogue.DATASETS, name, _catalogue.Dataset(**fields))
    exec(reader, vars(_readers) | (names := {}), names)
    monkeypatch.setattr(_readers, "toy", names["toy"], raising=False)
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "plays.csv").write_text("playlist,song\na,x\na,y\nb,x\na,x\n")
    exec(test, names := {"DATA": tmp_path, "load": datasets.load})
    names["test_toy_counts_a_song_once_per_playlist"]()


def test_the_metric_of_the_recipe_passes_its_own_example():
    (metric,) = recipe("new_metric.md")
    exec(metric, names := dict(vars(spikes)))
    example = doctest.DocTestParser().get_doctest(
        names["captured_share"].__doc__, names, "captured_share", None, None
    )
    result = doctest.DocTestRunner().run(example)
    assert (result.attempted, result.failed) == (2, 0)


def test_what_the_recipes_name_is_there():
    root = BOOK.parent
    for page in ("new_dataset.md", "new_metric.md", "new_chapter.md", "contribute.md"):
        text = (BOOK / page).read_text(encoding="utf-8")
        named = re.findall(r"`((?:book|tests|tools|spikylib|notebooks|\.github)/[\w./]*)`", text)
        assert [name for name in named if not (root / name).exists() and "toy" not in name] == []
    assert {"_require", "_table"} <= set(vars(_readers))

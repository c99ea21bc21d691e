"""The recipes of the book's pages for contributors do what they say."""

import doctest
import re
import textwrap
from pathlib import Path

from spikylib import spikes
from spikylib.datasets import _readers

BOOK = Path(__file__).resolve().parents[1] / "book"


def recipe(page):
    """The Python blocks of a page."""
    text = (BOOK / page).read_text(encoding="utf-8")
    return [textwrap.dedent(block) for block in re.findall(r"```python\n(.*?)```", text, re.S)]


def test_the_reader_of_the_recipe_passes_the_test_of_the_recipe(tmp_path):
    reader, test = recipe("new_dataset.md")
    exec(reader, names := dict(vars(_readers)))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "plays.csv").write_text("playlist,song\na,x\na,y\nb,x\na,x\n")
    names |= {"DATA": tmp_path, "load": lambda name, data_home: names[name](name, data_home)}
    exec(test, names)
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
    assert "_LOADERS" in (root / "spikylib" / "datasets.py").read_text()
    assert {"_require", "_table", "build"} <= set(vars(_readers))

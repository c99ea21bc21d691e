"""The printed book: every page is in it, in order, with its pictures, and it leads to itself."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

pytestmark = pytest.mark.printed

ROOT = Path(__file__).resolve().parents[2]
CONTENTS = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def pdf(tool, html, tmp_path_factory):
    from pypdf import PdfReader

    target = tmp_path_factory.mktemp("pdf") / "book.pdf"
    printed = subprocess.run(
        [sys.executable, "tools/pdf.py", target], cwd=ROOT, capture_output=True, text=True
    )
    assert printed.returncode == 0, printed.stderr[-3000:]
    return PdfReader(target)


@pytest.fixture(scope="module")
def chapters(pdf, html):
    """For each page of the book, in order: its HTML, and the leaves from its outline entry to the next."""
    entries = []
    for item in pdf.outline:
        for entry in item if isinstance(item, list) else [item]:
            if not isinstance(entry, list):
                entries.append((entry.title, pdf.get_destination_page_number(entry)))
    parts = re.findall(r"caption: (.+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    front = re.findall(r"^## (.+)", (ROOT / "book" / "intro.md").read_text(encoding="utf-8"), re.M)
    pages = [entry for entry in dict.fromkeys(entries) if entry[0] not in (*front, *parts)]
    ends = [start for _, start in pages[1:]] + [len(pdf.pages)]
    return {
        name: (BeautifulSoup((html / f"{name}.html").read_text("utf-8"), "html.parser"), title, range(a, b))
        for name, (title, a), b in zip(CONTENTS, pages, ends, strict=True)
    }


def squeezed(text):
    return re.sub(r"\s+", "", text)


def test_every_page_of_the_contents_is_there_under_its_title(pdf, chapters):
    assert len(pdf.pages) > len(CONTENTS)
    for page, title, leaves in chapters.values():
        heading = page.find("article").find("h1")
        for link in heading.find_all("a", class_="headerlink"):
            link.extract()
        assert squeezed(title) == squeezed(heading.get_text())
        words = squeezed(title).lstrip("0123456789.")
        printed = squeezed(pdf.pages[leaves[0]].extract_text())
        assert printed.count(words) >= 2, "the heading, and the title at the foot of the leaf"


def test_the_last_paragraph_of_every_page_is_printed(pdf, chapters):
    for name, (page, _, leaves) in chapters.items():
        # the code of a claim is for the screen alone
        shown = [
            p for p in page.find("article").find_all(["p", "pre"]) if not p.find_parent(class_="claim-code")
        ]
        last = [squeezed(p.get_text()) for p in shown]
        # few letters, as a leaf may end within the paragraph, with its title and number between
        words = [text for text in last if len(text) > 20 and "\\" not in text][-1][-12:]
        printed = "".join(squeezed(pdf.pages[leaf].extract_text()) for leaf in leaves)
        assert words in printed, name


def test_pictures_are_printed_and_stills_stand_for_the_interactive_ones(pdf, chapters):
    for name, (page, _, leaves) in chapters.items():
        pictures = len(page.find("article").find_all("img"))
        assert sum(len(pdf.pages[leaf].images) for leaf in leaves) >= pictures, name
    assert len(chapters["notebooks/02_datasets"][0].select("img.spiky-twin")) == 1
    leaf = "".join(pdf.pages[i].extract_text() for i in chapters["notebooks/02_datasets"][2])
    assert "Stop turning" not in leaf and not re.search(r"\d\s+items\s+drawn", leaf)


def test_every_leaf_has_its_number(pdf, chapters):
    first = chapters[CONTENTS[0]][2][0]
    for number in range(first, len(pdf.pages)):
        assert re.search(rf"(?<!\d){number + 1}(?!\d)", pdf.pages[number].extract_text().split("\n")[-1]), (
            number
        )


def test_links_lead_inside_the_book_or_to_the_web(pdf, chapters):
    inside = 0
    for leaf in pdf.pages:
        for annotation in leaf.get("/Annots", []):
            link = annotation.get_object()
            if "/A" in link:
                assert str(link["/A"].get("/URI", "")).startswith(("http://", "https://", "mailto:")), link
            elif "/Dest" in link:
                assert link["/Dest"][0].get_object()["/Type"] == "/Page"
                inside += 1
    assert inside > 100
    starts = [pdf.pages[leaves[0]] for _, _, leaves in chapters.values()]
    before = pdf.pages[: min(leaves[0] for _, _, leaves in chapters.values())]
    annotations = [a for leaf in before for a in leaf.get("/Annots", [])]
    contents = [a.get_object()["/Dest"][0].get_object() for a in annotations]
    assert [c == s for c, s in zip(contents, starts, strict=True)] == [True] * len(starts)


def test_mathematics_is_typeset(pdf, chapters):
    text = "".join(pdf.pages[i].extract_text() for i in chapters["notebooks/04_theorem_dcbm"][2])
    assert "\\Sigma" not in text and "\\mathrm" not in text and "\\[" not in text

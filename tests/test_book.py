"""The book builds without a warning, its links resolve, and it loads nothing from the network."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"


@pytest.fixture(scope="module")
def pages():
    """Every page of a fresh build, parsed, by path."""
    built = subprocess.run(
        [sys.executable, "tools/book.py", "html"], cwd=ROOT, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-6000:]
    files = [f for f in HTML.rglob("*.html") if "_static" not in f.parts]
    return {f: BeautifulSoup(f.read_text(encoding="utf-8"), "html.parser") for f in files}


def test_every_page_of_the_contents_is_there(pages):
    toc = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text())
    assert [name for name in toc if HTML / f"{name}.html" not in pages] == []


def test_links_lead_somewhere(pages):
    broken = []
    anchors = {f: {t["id"] for t in page.find_all(id=True)} for f, page in pages.items()}
    for file, page in pages.items():
        for tag in page.find_all("a", href=True):
            url = urlsplit(tag["href"])
            if url.scheme or url.netloc or tag["href"] == "#":
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            if not target.exists():
                broken.append(f"{file.name}: {tag['href']}")
            elif url.fragment and target in anchors and unquote(url.fragment) not in anchors[target]:
                broken.append(f"{file.name}: no anchor {tag['href']}")
    assert broken == []


def test_nothing_is_loaded_from_the_network(pages):
    outside = []
    for file, page in pages.items():
        loads = [t["src"] for t in page.find_all(["script", "img", "iframe", "source", "video"], src=True)]
        loads += [t["href"] for t in page.find_all("link", href=True) if "canonical" not in t.get("rel", [])]
        for url in loads:
            if urlsplit(url).scheme in ("data",):
                continue
            path = file.parent / unquote(urlsplit(url).path)
            if urlsplit(url).netloc or not path.exists():
                outside.append(f"{file.name}: {url}")
    assert outside == []
    sheets = [
        f for f in HTML.rglob("*.css") if re.search(r"(@import|url\()\s*['\"]?(https?:)?//", f.read_text())
    ]
    assert sheets == []


def test_every_picture_says_what_is_seen(pages):
    silent = [
        f"{file.name}: {image.get('src')}"
        for file, page in pages.items()
        for image in page.find_all("img")
        if not image.get("alt", "").strip()
    ]
    assert silent == []


def test_every_number_was_glued(pages):
    for file, page in pages.items():
        for code in page.find_all(["code", "pre"]):
            code.extract()
        assert "{glue" not in page.get_text(), file


def test_claims_have_the_numbers_of_the_list_and_a_verdict(pages):
    rows = [
        [cell.get_text(" ", strip=True) for cell in row.find_all("td")]
        for table in pages[HTML / "book" / "claims.html"].find_all("table", class_="claims")
        for row in table.find_all("tr")
        if row.find("td")
    ]
    ids = [row[0] for row in rows]
    assert len(ids) == len(set(ids))
    verdicts = ("reproduced", "with a qualification", "not reproduced", "not testable", "answered", "open")
    for row in rows:
        assert re.fullmatch(r"[PNAD]\d+", row[0])
        assert row[4].startswith(verdicts), row
    counts = {"P": 34, "N": 10, "A": 8, "D": 9}
    assert ids == [f"{letter}{i}" for letter, last in counts.items() for i in range(1, last + 1)]


def test_the_results_page_tells_measured_from_published(pages):
    text = pages[HTML / "book" / "results.html"].get_text(" ", strip=True)
    for word in ("measured here", "measured, real data", "published", "cornell-yes-small", "17.76 %"):
        assert word in text

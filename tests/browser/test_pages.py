"""Every page in a real browser: alone, on a phone, in the dark, read out, and light enough."""

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.browser

CONTENTS = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
PAGES = [f"{name}.html" for name in (*CONTENTS, "genindex", "search")]
BUDGET = 1_000_000  # bytes of a page's own HTML and images


@pytest.mark.parametrize("name", [*PAGES, "index.html"])
def test_a_page_loads_with_the_network_off_and_nothing_goes_wrong(visit, name):
    with visit(name) as page:
        page.wait_for_function("document.querySelectorAll('.spiky-figure:not([data-ready])').length === 0")
        assert page.locator("h1:visible").first.inner_text()
        assert page.wrong == []


@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_phone(visit, name):
    with visit(name, width=390) as page:
        wide = page.evaluate("""() => [...document.querySelectorAll("article *")].filter((e) => {
            if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
            if (e.closest("mjx-assistive-mml, svg") || !e.getClientRects().length) return false;
            for (let box = e; box.tagName !== "ARTICLE"; box = box.parentElement)
                if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
            return true;
        }).map((e) => e.outerHTML.slice(0, 120))""")
        assert wide == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_violation(visit, name, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with visit(name, scheme=scheme) as page:
        assert page.evaluate("document.documentElement.dataset.theme") == scheme
        page.wait_for_function("document.querySelectorAll('.spiky-figure:not([data-ready])').length === 0")
        found = Axe().run(page).response
    serious = [
        f"{rule['id']}: {node['target']} {node['html'][:120]}"
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]
    assert serious == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_and_its_pictures_stay_in_the_budget(html, name):
    file = html / name
    page = BeautifulSoup(file.read_text(encoding="utf-8"), "html.parser")
    sources = {unquote(urlsplit(i["src"]).path) for i in page.find_all("img", src=True)}
    pictures = {(file.parent / s).resolve() for s in sources if s and not s.startswith("image/")}
    weight = file.stat().st_size + sum(p.stat().st_size for p in pictures)
    assert weight < BUDGET


def test_search_finds_spike(visit):
    with visit("search.html", query="?q=spike") as page:
        page.wait_for_selector("#search-results li a")
        page.wait_for_function("document.querySelector('#search-results p')?.innerText.match(/[0-9]+ page/)")
        found = page.locator("#search-results li a").evaluate_all("links => links.map(a => a.href)")
        assert any("03_spk_metric.html" in href for href in found)
        assert page.wrong == []
        page.locator("#search-results li a").first.click()
        page.wait_for_load_state("load")
        assert "spike" in page.locator("article").inner_text().lower()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_math_is_typeset(visit, scheme):
    with visit("notebooks/04_theorem_dcbm.html", scheme=scheme) as page:
        assert page.locator("mjx-container").count() > 50
        assert page.locator("mjx-merror").count() == 0

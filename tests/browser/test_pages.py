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
SEEN = ".filter((e) => e.checkVisibility({ visibilityProperty: true }))"
BUDGET = 1_000_000  # bytes of a page's own HTML and images


def resize(page, width):
    """Give a page another width, and the formulas and figures on it the time to follow."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.wait_for_function("""() => [...document.querySelectorAll(".spiky-plot:has(.main-svg)")].every(
        (plot) => Math.abs(plot.clientWidth - plot.querySelector(".main-svg").clientWidth) <= 1
    )""")


@pytest.fixture(scope="module", params=PAGES)
def page(request, visit):
    """A page on a wide screen with its figures drawn, which the tests below share, in this order."""
    with visit(request.param) as page:
        page.wait_for_function("document.querySelectorAll('.spiky-figure:not([data-ready])').length === 0")
        yield page


def test_a_page_loads_with_the_network_off_and_nothing_goes_wrong(page):
    assert page.locator("h1:visible").first.inner_text()
    assert page.wrong == []


def test_axe_finds_no_serious_violation(page, violations):
    assert violations(page) == []
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    assert violations(page, contrast_only=True) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_faint_word_anywhere_is_found(visit, violations, scheme):
    with visit("genindex.html", scheme=scheme) as page:
        assert violations(page, contrast_only=True) == []
        page.locator("article li a").last.evaluate("e => (e.style.color = 'rgb(128 128 128 / 50%)')")
        (found,) = violations(page, contrast_only=True)
        assert found.startswith("color-contrast: ")


def test_a_reader_scrolls_past_little_code(page):
    share = page.evaluate(f"""() => {{
        const article = document.querySelector("article") ?? document.body;  // of the search
        const code = [...article.querySelectorAll(".cell_input")]{SEEN};
        const height = (e) => e.getBoundingClientRect().height;
        return code.reduce((sum, e) => sum + height(e), 0) / height(article);
    }}""")
    assert share <= 0.15


def test_nothing_is_wider_than_a_phone(page):
    resize(page, 390)
    wide = page.evaluate("""() => [...document.querySelectorAll("article *")].filter((e) => {
        if (e.getBoundingClientRect().right <= innerWidth + 1) return false;
        if (e.closest("mjx-assistive-mml, svg") || !e.getClientRects().length) return false;
        for (let box = e; box.tagName !== "ARTICLE"; box = box.parentElement)
            if (["auto", "scroll"].includes(getComputedStyle(box).overflowX)) return false;
        return true;
    }).map((e) => e.outerHTML.slice(0, 120))""")
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_nothing_is_cut_off_on_a_wide_screen(page):
    resize(page, 1300)
    page.evaluate("document.querySelectorAll('details').forEach((folded) => (folded.open = true))")
    cut = page.evaluate(f"""() => [...document.querySelectorAll(
        "article pre, .output.text_html, .pst-scrollable-table-container, article figure, mjx-container[display]"
    )]{SEEN}.filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) =>
        `${{e.closest(".cell")?.id ?? "text"}}: ${{e.scrollWidth - e.clientWidth}} px of ${{e.innerText.slice(0, 80)}}`
    )""")
    assert cut == []


def test_the_root_leads_to_the_front_page(visit):
    with visit("index.html") as page:
        page.wait_for_url(f"**/{CONTENTS[0]}.html")
        assert page.locator("h1:visible").first.inner_text()
        assert page.wrong == []


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


def test_math_is_typeset(visit):
    with visit("notebooks/04_theorem_dcbm.html") as page:
        assert page.locator("mjx-container").count() > 50
        assert page.locator("mjx-merror").count() == 0

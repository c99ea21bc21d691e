"""What a reader meets: how much of a page is code, what is cut off, previews, data, and quiet numbers."""

import csv
import re
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.browser

CONTENTS = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
CHAPTERS = [name for name in CONTENTS if name.startswith("notebooks/")]
THEOREM, METRIC = "notebooks/04_theorem_dcbm.html", "notebooks/03_spk_metric.html"


def test_lines_of_75_characters_fit_in_every_cell(visit):
    with visit(METRIC) as page:
        over = page.evaluate("""() => {
            document.querySelectorAll("details").forEach((folded) => (folded.open = true));
            return [...document.querySelectorAll(".cell_input pre")].map((code) => {
                code.textContent = "x".repeat(75);
                return code.scrollWidth - code.clientWidth;
            });
        }""")
    assert over and set(over) == {0}


def test_on_a_phone_what_scrolls_fades_until_its_end_and_takes_the_keyboard(visit):
    with visit(METRIC, width=390) as page:
        code = page.locator(".cell_input pre.more").first
        assert code.evaluate("e => getComputedStyle(e).maskImage").startswith("linear-gradient")
        code.focus()
        for _ in range(60):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("!document.activeElement.classList.contains('more')")
        assert page.evaluate("document.activeElement.scrollLeft") > 0
        page.evaluate("document.activeElement.scrollLeft = 0")
        page.wait_for_function("document.activeElement.classList.contains('more')")
        page.set_viewport_size({"width": 1300, "height": 900})
        page.wait_for_function("!document.querySelector('.cell_input pre.more')")
        page.set_viewport_size({"width": 390, "height": 900})
        page.wait_for_function("document.querySelector('.cell_input pre.more')")


def test_on_a_phone_a_figure_scrolls_above_its_caption_so_that_its_labels_can_be_read(visit):
    with visit(METRIC, width=390) as page:
        figure = page.locator(".cell figure").first
        caption = figure.locator("figcaption")
        before = caption.bounding_box()["x"]
        figure.focus()
        for _ in range(20):
            page.keyboard.press("ArrowRight")
        page.wait_for_function("document.activeElement.scrollLeft > 100")
        assert figure.locator("img").bounding_box()["width"] > 600
        assert abs(caption.bounding_box()["x"] - before) < 1


LINKS = {
    "an equation": ("#equation-", "mjx-container"),
    "a figure": ("#fig-", "img"),
    "a theorem": ("#thm-", ".admonition-title"),
    "a term": ("notation.html#term-", "p"),
    "a citation": ("bibliography.html#", ".citation"),
    "a claim": ("claims.html#claim-", ".verdict"),
}


def hover(page, link):
    link.scroll_into_view_if_needed()
    link.hover()
    page.wait_for_selector(".preview")


@pytest.mark.parametrize("what", LINKS)
def test_a_link_shows_what_it_leads_to(visit, html, what):
    target, holds = LINKS[what]
    link = f"article p a.reference.internal[href*='{target}']"
    pages = {
        n: BeautifulSoup((html / f"{n}.html").read_text(encoding="utf-8"), "html.parser") for n in CHAPTERS
    }
    with visit(next(f"{n}.html" for n, page in pages.items() if page.select(link))) as page:
        hover(page, page.locator(link).first)
        page.wait_for_selector(f".preview {holds}")
        assert page.locator(".preview mjx-merror").count() == 0
        picture = page.locator(".preview img")
        assert (
            not picture.count() or picture.evaluate("img => img.decode().then(() => img.naturalWidth)") > 300
        )
        assert page.locator(".preview [id]").count() == 0, "no name is on the page twice"
        assert page.wrong == []


def test_a_preview_can_be_pointed_at_and_dismissed(visit):
    with visit(THEOREM) as page:
        link = page.locator("article a.reference.internal[href*='#thm-']").first
        hover(page, link)
        assert link.get_attribute("aria-describedby") == page.locator("[role=tooltip]").get_attribute("id")
        page.locator(".preview").hover()
        page.wait_for_timeout(600)
        assert page.locator(".preview").is_visible(), "the pointer is on it"
        page.mouse.move(5, 5)
        page.wait_for_selector(".preview", state="detached")
        hover(page, link)
        page.keyboard.press("Escape")
        assert page.locator(".preview").count() == 0 and link.get_attribute("aria-describedby") is None


def test_the_keyboard_shows_a_preview_and_a_tap_only_follows_the_link(visit, chromium, html):
    first = "article a.reference.internal[href*='#fig-']"
    with visit(METRIC) as page:
        page.locator(first).first.evaluate(
            "e => { e.before(document.createElement('button')); e.previousSibling.focus(); }"
        )
        page.keyboard.press("Tab")
        page.wait_for_selector(".preview img")
        page.keyboard.press("Shift+Tab")
        page.wait_for_selector(".preview", state="detached")
    context = chromium.new_context(has_touch=True, viewport={"width": 390, "height": 800}, offline=True)
    page = context.new_page()
    page.goto((html / METRIC).as_uri())
    page.locator(first).first.tap()
    page.wait_for_timeout(500)
    assert page.locator(".preview").count() == 0 and "#fig-" in page.url
    context.close()


@pytest.mark.parametrize("name", CHAPTERS)
def test_a_figure_has_its_data_and_names_its_cell(html, name):
    page = BeautifulSoup((html / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    cells = nbformat.read(ROOT / f"{name}.ipynb", as_version=4).cells
    offered = 0
    for i, cell in enumerate(cells):
        for output in cell.get("outputs", []):
            shown = output.get("data", {})
            interactive = "spiky-figure" in shown.get("text/html", "")
            if interactive or ("image/png" in shown and "figure" in cell.metadata.get("mystnb", {})):
                origin = page.find(id=f"cell-{i}").select_one(".origin")
                assert f"drawn by cell [{cell.execution_count}]" in origin.get_text()
                assert origin.find("details") or origin.find("a", href=f"#cell-{i}")
                kept, link = output.metadata.get("text/csv"), origin.find("a", href=re.compile(r"\.csv$"))
                assert (kept is None) == (link is None)
                if kept:
                    file = (html / name).parent / link["href"]
                    assert file.read_text(encoding="utf-8") == kept and len(kept) <= 20_000
                    head, *rows = csv.reader(kept.splitlines())
                    assert rows and {len(row) for row in rows} == {len(head)}
                    offered += 1
    assert offered, "no figure of this chapter keeps its points: `make notebooks` makes them"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_number_is_text_until_it_is_pointed_at_and_leads_to_its_open_cell(visit, scheme):
    look = "e => (({ color, fontWeight, textDecorationStyle: line }) => [color, fontWeight, line])(getComputedStyle(e))"
    with visit(METRIC, scheme=scheme) as page:
        number = page.locator("article p > a.glued").first
        plain = number.locator("..").evaluate(look)
        assert number.evaluate(look) == [*plain[:2], "dotted"]
        assert number.locator("*").first.evaluate(look)[:2] == plain[:2]
        number.hover()
        assert number.evaluate(look)[0] != plain[0] and number.evaluate(look)[2] == "solid"
        folded = page.locator("article a.glued").evaluate_all(
            "all => all.find((a) => a.hash && document.querySelector(`${a.hash} > details`))?.hash"
        )
        page.evaluate("hash => (location.hash = hash)", folded)
        page.wait_for_function("document.querySelector(`${location.hash} > details`).open")

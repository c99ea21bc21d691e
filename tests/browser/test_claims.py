"""The claims page in a browser: the matrix opens, and a cell shows its finding, by mouse and by keyboard."""

import pytest

pytestmark = pytest.mark.browser
MATRIX = "details:has(table.findings)"


@pytest.fixture
def opened(visit):
    """The page with its matrix unfolded."""

    def opened(page):
        page.locator(f"{MATRIX} > summary").click()
        return page.locator("table.findings")

    return opened


def test_the_page_opens_with_the_tally_and_the_matrix_is_folded(visit):
    with visit("book/claims.html", width=390) as page:
        assert page.locator("ul.tally").bounding_box()["y"] < 900
        assert not page.locator("table.findings").is_visible()


def test_the_open_matrix_scrolls_in_its_own_box_on_a_phone(visit, opened):
    with visit("book/claims.html", width=390) as page:
        opened(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        box = page.locator(".matrix")
        box.evaluate("e => e.scrollLeft = 150")
        row = page.locator("table.findings th[scope=row]").first
        # the names of the rows stay where they are
        assert abs(row.bounding_box()["x"] - box.bounding_box()["x"]) < 5


def test_a_cell_shows_its_sentence_and_code(visit, opened, violations):
    with visit("book/claims.html", scheme="dark") as page:
        cell = opened(page).locator("button").first
        row = cell.locator("xpath=ancestor::tr")
        parts = (row, "data-before"), (cell, "data-why"), (row, "data-after")
        why = "".join(where.get_attribute(name) or "" for where, name in parts)
        assert why.endswith(".")
        cell.focus()
        page.keyboard.press("Enter")
        dialog = page.locator("dialog.finding")
        assert why in dialog.inner_text() and "@claim(" in dialog.inner_text()
        assert page.wrong == []
        assert violations(page, "dialog.finding") == []
        dialog.locator("pre").click()
        page.keyboard.press("Escape")
        assert dialog.count() == 0
        assert cell.evaluate("e => e === document.activeElement")


def test_on_paper_the_code_is_left_out_and_nothing_is_cut(visit, opened):
    with visit("book/claims.html") as page:
        opened(page)
        page.emulate_media(media="print")
        assert not page.locator(".claim-code").first.is_visible()
        heights = page.locator(".matrix").evaluate("e => [e.scrollHeight, e.clientHeight]")
        assert heights[0] <= heights[1] + 1

"""The page of a report in a browser: it asks the network for nothing, turns, and can be read by all."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
PAGE = "_static/report.html"


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_whole_and_accessible(visit, width, scheme):
    from axe_playwright_python.sync_playwright import Axe

    with visit(PAGE, width=width, scheme=scheme) as page:
        page.locator("details").first.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page).response["violations"]
        assert [rule["id"] for rule in found if rule["impact"] in ("serious", "critical")] == []
        assert page.wrong == []


def pixels(page):
    return page.locator(".rays canvas").evaluate("c => c.toDataURL()")


def test_the_items_turn_by_keyboard_and_by_mouse_and_show_their_names(visit):
    with visit(PAGE) as page:
        canvas = page.locator(".rays canvas")
        canvas.scroll_into_view_if_needed()
        before = pixels(page)
        canvas.focus()
        page.keyboard.press("ArrowRight")
        turned = pixels(page)
        assert turned != before
        box = canvas.bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(*middle)
        assert page.locator(".rays .name").inner_text()
        page.mouse.down()
        page.mouse.move(middle[0] + 60, middle[1])
        page.mouse.up()
        assert pixels(page) != turned
        page.locator("label select").select_option("1")
        assert page.wrong == []


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_it_turns_by_itself_unless_asked_not_to(visit, motion, moves):
    with visit(PAGE, reduced_motion=motion) as page:
        before = pixels(page)
        page.wait_for_timeout(500)
        assert (pixels(page) != before) is moves


def test_it_is_small(html):
    assert (Path(html) / PAGE).stat().st_size < 2_000_000

"""The page of a report in a browser: it asks the network for nothing, turns, and can be read by all."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
PAGE, ALONE = "_static/report.html", "_static/embedding.html"


@pytest.mark.parametrize(
    ("name", "width", "scheme"), [(PAGE, 390, "dark"), (PAGE, 1300, "light"), (ALONE, 390, "light")]
)
def test_it_is_whole_and_accessible(visit, violations, name, width, scheme):
    with visit(name, width=width, scheme=scheme) as page:
        page.locator("details").first.locator("summary").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.wrong == []  # before axe, which asks for the style sheets again
        assert violations(page) == []


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


def test_still_pictures_are_dark_in_the_dark(chromium, tmp_path):
    import io

    import numpy as np
    from matplotlib import image

    from spikylib.datasets import Embeddings
    from spikylib.report import compare
    from spikylib.study import Study

    vectors = np.random.default_rng(0).standard_normal((200, 16))
    a, b = (Study(embeddings=Embeddings(np.arange(200), E)) for E in (vectors, vectors + 0.1))
    address = compare(a, b).save(tmp_path).as_uri()
    seen = {}
    for scheme in ("light", "dark"):
        page = chromium.new_page(color_scheme=scheme)
        page.goto(address)
        picture = image.imread(io.BytesIO(page.locator("figure img").first.screenshot()))[..., :3]
        seen[scheme] = float(np.median(picture)), float(picture.max() - picture.min())
        page.close()
    assert seen["light"][0] > 0.95 and seen["dark"][0] < 0.15
    assert seen["dark"][1] > 0.6  # lines and letters stand out

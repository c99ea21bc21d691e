"""The interactive figures: drawn, steered, and replaced by their stills where they cannot be."""

import io
import json

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.browser

FRONT, DATASETS, METRIC = "book/start.html", "notebooks/02_datasets.html", "notebooks/03_spk_metric.html"
READY = ".spiky-figure[data-ready]"


def given(page):
    """The figure that the page was given."""
    return json.loads(page.locator(".spiky-figure script[type='application/json']").first.text_content())


def drawn(page, what):
    """A property of the first trace as Plotly has it now."""
    value = page.evaluate(f"document.querySelector('.spiky-plot').data[0].{what}")
    return list(value.values()) if isinstance(value, dict) else value


@pytest.mark.parametrize(("name", "scheme"), [(FRONT, "light"), (DATASETS, "dark")])
def test_the_embedding_has_drawn(visit, name, scheme):
    with visit(name, scheme=scheme) as page:
        page.wait_for_selector(READY)
        assert not page.locator(".spiky-twin").first.is_visible()
        canvas = page.locator(".spiky-plot canvas").first
        canvas.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        picture = np.asarray(Image.open(io.BytesIO(canvas.screenshot())).convert("RGB")).reshape(-1, 3)
        blue, orange = (
            (np.abs(picture - np.array(c)) < 60).all(axis=1).sum() for c in ((1, 115, 178), (222, 143, 5))
        )
        assert blue > 50 and orange > 50, "two spikes are seen"
        assert (picture > 240).all(axis=1).mean() > 0.5, "on white, also in the dark"


def test_a_reader_chooses_dimensions_and_a_spike(visit):
    with visit(DATASETS) as page:
        page.wait_for_selector(READY)
        meta = given(page)["layout"]["meta"]
        last = len(meta["dimensions"]) - 1
        page.get_by_label("z axis").select_option(str(last))
        page.wait_for_function(
            "n => document.querySelector('.spiky-plot').layout.scene.zaxis.title.text === `dim ${n}`",
            arg=meta["dimensions"][last],
        )
        assert drawn(page, "z") == meta["columns"][last]
        page.get_by_label("Spikes").select_option("0 2")
        page.wait_for_function("document.querySelector('.spiky-summary').textContent.includes('spike 3')")
        spike = meta["covers"][0]["spike"]
        assert drawn(page, "marker.color") == [k if k == 2 else -1 for k in spike]
        summary = page.locator(".spiky-summary").inner_text()
        assert f"{spike.count(2)} of the {len(spike)} items" in summary
        assert meta["covers"][0]["peaks"][2] in summary
        # another part of the embedding brings its own spikes
        page.get_by_label("x axis").select_option(str(last))
        page.wait_for_function("document.querySelector('.spiky-summary').textContent.includes('ten largest')")
        assert page.get_by_label("Spikes").input_value() == f"{len(meta['covers']) - 1} all"


def test_hovering_shows_the_item_in_dark_on_white(visit):
    with visit(DATASETS, scheme="dark") as page:
        page.wait_for_selector(READY)
        plot = page.locator(".spiky-plot").first
        plot.scroll_into_view_if_needed()
        page.wait_for_timeout(500)
        box = plot.bounding_box()
        picture = np.asarray(Image.open(io.BytesIO(plot.screenshot())).convert("RGB")).astype(int)
        at = np.argwhere((np.abs(picture - np.array((222, 143, 5))) < 40).all(axis=2))
        for y, x in at[:: max(len(at) // 40, 1)]:
            page.mouse.move(box["x"] + int(x), box["y"] + int(y))
            page.wait_for_timeout(60)
            if page.locator(".spiky-plot .hovertext").count():
                break
        label = page.locator(".spiky-plot .hovertext").first
        assert label.locator("text").first.text_content() in given(page)["data"][0]["text"]
        assert label.locator("path").first.evaluate("e => getComputedStyle(e).fill") == "rgb(255, 255, 255)"
        assert label.locator("text").first.evaluate("e => getComputedStyle(e).fill") == "rgb(26, 26, 26)"


def test_it_turns_until_stopped(visit):
    eye = "JSON.stringify(document.querySelector('.spiky-plot').layout.scene.camera.eye)"
    with visit(FRONT, reduced_motion="no-preference") as page:
        page.wait_for_selector(READY)
        page.locator(".spiky-plot").first.scroll_into_view_if_needed()
        before = page.evaluate(eye)
        page.wait_for_function(f"before => {eye} !== before", arg=before)
        page.get_by_role("button", name="Stop turning").press("Enter")
        assert page.get_by_role("button", name="Turn", exact=True).is_visible()
        stopped = page.evaluate(eye)
        page.wait_for_timeout(400)
        assert page.evaluate(eye) == stopped
        assert page.wrong == []


def test_it_stands_still_for_who_asked_for_less_motion(visit):
    with visit(FRONT) as page:
        page.wait_for_selector(READY)
        assert page.get_by_role("button", name="Turn", exact=True).is_visible()


def test_the_sliders_follow_the_keyboard_and_say_what_they_show(visit):
    with visit(METRIC) as page:
        page.wait_for_selector(READY)
        meta = given(page)["layout"]["meta"]
        t, r = meta["start"]
        page.get_by_label("ρ").press("ArrowLeft")
        page.get_by_label("cos θ").press("ArrowRight")
        curve = meta["curves"][t + 1][0]
        needed = curve["needed"][r - 1]
        page.wait_for_function(
            "n => document.querySelector('.spiky-summary').textContent.includes(`: ${n} peaks`)", arg=needed
        )
        assert needed != meta["curves"][t][0]["needed"][r]
        assert drawn(page, "x")[-1] == needed
        assert drawn(page, "y")[-1] == curve["share"][curve["peaks"].index(needed)]
        line = page.evaluate("document.querySelector('.spiky-plot').layout.shapes[0].y0")
        assert line == meta["rho"][r - 1]
        assert (
            page.get_by_label("cos θ")
            .get_attribute("aria-valuetext")
            .startswith(f"{meta['cos_theta'][t + 1]:.2f}")
        )


@pytest.mark.parametrize("name", [FRONT, METRIC])
def test_a_figure_fits_when_the_window_was_widened(visit, name):
    with visit(name, width=390, reduced_motion="no-preference") as page:
        page.wait_for_selector(READY)
        page.set_viewport_size({"width": 1300, "height": 900})
        page.wait_for_timeout(1000)  # the sidebars have slid in
        plot, box = (
            page.locator(f".spiky-plot{part}").first.bounding_box()["width"] for part in (" .main-svg", "")
        )
        assert plot == pytest.approx(box, abs=1)
        assert page.locator(".more:has(.spiky-plot)").count() == 0


@pytest.mark.parametrize("name", [FRONT, METRIC])
def test_print_shows_the_still_picture(visit, name):
    with visit(name) as page:
        page.wait_for_selector(READY)
        page.emulate_media(media="print")
        assert page.locator(".spiky-twin").first.is_visible()
        assert page.locator(".spiky-twin").first.evaluate("e => e.naturalWidth") > 300
        assert not page.locator(".spiky-live").first.is_visible()


def test_without_webgl_the_still_picture_stays(tool, chromium, visit):
    blind = chromium.browser_type.launch(executable_path=tool.find(), args=[*tool.FLAGS, "--disable-3d-apis"])
    with blind, visit(FRONT, browser=blind) as page:
        page.wait_for_selector(".spiky-figure[data-started]")
        page.wait_for_function("document.querySelector('.spiky-still').textContent !== ''")
        assert "no WebGL" in page.locator(".spiky-still").inner_text()
        assert page.locator(".spiky-twin").is_visible()
        assert not page.locator(".spiky-live").is_visible()
        assert page.wrong == []

"""The playground and the drop zone in a browser: every slider, preset and kind of file, and nothing leaves the page."""

import re

import numpy as np
import pytest
from bs4 import BeautifulSoup

from spikylib import spikes

pytestmark = pytest.mark.browser
PLAY, DROP = "notebooks/04_theorem_dcbm.html", "book/start.html"
READY = "document.querySelector('.spiky-play')?.dataset.ready === 'yes'"


@pytest.fixture(scope="module")
def opened(visit):
    with visit(PLAY) as page:
        page.wait_for_function(READY)
        yield page


@pytest.fixture
def play(opened):
    """The page that tests of the playground share, at its first preset, with which it starts."""
    opened.locator(".play-presets button").first.click()
    drawn(opened)
    yield opened
    assert opened.wrong == []


def drawn(page):
    """What the pictures and the table show, as one text, after the next frame."""
    return page.evaluate("""async () => {
        for (let k = 0; k < 2; k += 1) await new Promise(requestAnimationFrame);
        const play = document.querySelector(".spiky-play");
        return [...play.querySelectorAll("canvas")].map((c) => c.toDataURL()).join() + play.innerText;
    }""")


def values(page):
    return page.locator(".play-sliders input").evaluate_all("all => all.map((i) => Number(i.value))")


def test_every_slider_and_every_preset_changes_what_is_drawn(play):
    before = drawn(play)
    sliders = play.locator(".spiky-play input[type=range]")
    assert sliders.count() == 9
    for slider in sliders.all():
        assert slider.get_attribute("aria-valuetext")
        slider.focus()
        play.keyboard.press(
            "ArrowLeft" if slider.input_value() == slider.get_attribute("max") else "ArrowRight"
        )
        after = drawn(play)
        assert after != before, slider.get_attribute("id")
        before = after
    stories = set()
    for button in play.locator(".play-presets button").all():
        button.click()
        after = drawn(play)
        assert after != before, button.inner_text()
        before = after
        assert button.get_attribute("aria-pressed") == "true"
        stories.add(play.locator(".play-story").inner_text())
    assert len(stories) == 7


def test_the_presets_end_as_their_sentences_say(play):
    verdicts = {}
    for button in play.locator(".play-presets button").all():
        button.click()
        drawn(play)
        verdicts[button.inner_text()] = play.locator(".play-verdict").inner_text().split(":")[0]
    spiky = {name for name, said in verdicts.items() if said == "Spiky"}
    assert spiky == {"Exact", "Equal weights", "Disassortative"}


def slide(page, **settings):
    for name, value in settings.items():
        page.locator(f"#play-0-{name}").fill(str(value))
    drawn(page)


def test_the_words_follow_the_sliders(play):
    story, verdict = play.locator(".play-story"), play.locator(".play-verdict")
    preset, spiky = story.inner_text(), verdict.inner_text()
    slide(play, within=0.5, f=1)
    assert story.inner_text() == "Moved from “Exact”. Affinity within: 0.50; Dimensions f: 1."
    assert verdict.inner_text().startswith("Not spiky at 1 dimension: ")
    assert play.locator(".play-presets [aria-pressed=true]").count() == 0
    slide(play, within=0.9, f=5)
    assert (story.inner_text(), verdict.inner_text()) == (preset, spiky)


def test_dimensions_end_at_the_rank(play):
    slide(play, p=0)
    five = play.locator(".play-verdict").inner_text()
    slide(play, f=24)
    further = " M has rank 5: there are no further dimensions to keep."
    assert play.locator(".play-verdict").inner_text() == five + further
    slide(play, within=0, between=0)
    assert play.locator(".play-verdict").inner_text().startswith("M is zero: ")
    assert not play.locator(".play-grid").is_visible()
    slide(play, between=0.3)
    assert play.locator(".play-verdict").inner_text().startswith("Spiky: ")
    assert play.locator(".play-grid").is_visible()


def test_numbers_are_spoken_once_a_slider_rests(play):
    spoken = play.locator(".play-spoken")
    assert spoken.get_attribute("aria-live") == "polite"
    play.evaluate(
        """async () => {
            window.said = [];
            const spoken = document.querySelector(".play-spoken"), slider = document.querySelector("#play-0-f");
            new MutationObserver(() => window.said.push(spoken.textContent)).observe(spoken, { childList: true });
            for (const f of [2, 3, 4, 5, 6]) {  // each is drawn, faster than it could be spoken
                slider.value = f;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
            }
        }"""
    )
    drawn(play)
    verdict = play.locator(".play-verdict").inner_text()
    play.wait_for_function("verdict => window.said.some(text => text.includes(verdict))", arg=verdict)
    assert play.evaluate("window.said.length") == 1


def test_a_link_holds_the_settings(play, visit):
    play.locator(".play-presets button").nth(3).click()
    drawn(play)
    link, there = play.locator(".spiky-play a").get_attribute("href"), values(play)
    with visit(PLAY, query=link) as page:
        page.wait_for_function(READY)
        page.wait_for_function("document.querySelector('.play-sliders input').value !== '5'")
        assert values(page) == there
        assert page.wrong == []
    with visit(PLAY, query="#play-K-99-f-3_6-p-no") as page:  # typed by somebody
        page.wait_for_function(READY)
        page.wait_for_function("document.querySelector('.play-sliders input').value === '8'")
        assert values(page)[5] == 4 and values(page)[7] == 1


def test_ten_frames_a_second(play):
    clock = play.context.new_cdp_session(play)
    # of the processor: the wall clock also counts what else the machine does
    clock.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy():
        metrics = clock.send("Performance.getMetrics")["metrics"]
        return next(m["value"] for m in metrics if m["name"] == "TaskDuration")

    before = busy()
    play.evaluate("""async () => {
        const slider = document.getElementById("play-0-between");
        for (let k = 0; k < 20; k += 1) {
            slider.value = 0.05 * (k % 10);
            slider.dispatchEvent(new Event("input"));
            await new Promise(requestAnimationFrame);
        }
    }""")
    assert 0.005 < (busy() - before) / 20 < 0.1


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1300, "light")])
@pytest.mark.parametrize("name", [PLAY, DROP])
def test_it_is_accessible_and_fits(visit, violations, name, width, scheme, embedding):
    with visit(name, width=width, scheme=scheme) as page:
        if name == PLAY:
            page.wait_for_function(READY)
        else:
            page.locator(".spiky-drop input").set_input_files(embedding)
            page.wait_for_selector(".spiky-drop .rays canvas")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.wrong == []  # before axe, which asks for the style sheets again
        assert violations(page, ".spiky-play" if name == PLAY else ".spiky-drop") == []


@pytest.mark.parametrize("name", [PLAY, DROP])
def test_in_print_and_without_script_something_still_stands_for_it(visit, html, name):
    with visit(name) as page:
        page.wait_for_selector(".live")
        assert not page.locator(".play-still").is_visible()
        page.emulate_media(media="print")
        assert page.locator(".live > *").evaluate_all(
            "all => all.filter((e) => e.getClientRects().length).map((e) => e.className)"
        ) == ["play-still"]
    page = BeautifulSoup((html / name).read_text(encoding="utf-8"), "html.parser")
    assert "in a browser with JavaScript" in page.select_one(".play-still").get_text()
    assert [len(image["alt"]) > 40 for image in page.select(".play-still img")] == [True] * 2 * (name == PLAY)


@pytest.mark.parametrize("name", [PLAY, DROP])
def test_it_adds_little_to_a_page(html, name):
    text = (html / name).read_text(encoding="utf-8")
    added = re.findall(r'src="\.\./_static/((?:rays|spiky|playground|drop)\.js)"', text)
    assert len(added) == 3
    weight = sum((html / "_static" / file).stat().st_size for file in [*added, "play.css"])
    still = BeautifulSoup(text, "html.parser").select_one(".play-still")
    assert weight + len(str(still)) <= 150_000


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    """A file of twelve rays in forty dimensions."""
    rng = np.random.default_rng(0)
    E = rng.standard_normal((12, 40))[rng.integers(0, 12, 800)] + 0.15 * rng.standard_normal((800, 40))
    path = tmp_path_factory.mktemp("drop") / "vectors.npz"
    np.savez_compressed(
        path, vectors=E * rng.uniform(0.1, 1, (800, 1)), ids=[f"song {i}" for i in range(800)]
    )
    return path


def drop(page, path):
    """Let a file fall on the zone."""
    file = page.evaluate_handle(
        """([bytes, name]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name));
            return data;
        }""",
        [list(path.read_bytes()), path.name],
    )
    page.dispatch_event(".play-zone", "drop", {"dataTransfer": file})


@pytest.mark.parametrize("workers", [True, False])
def test_a_dropped_file_is_measured(visit, embedding, workers):
    with visit(DROP) as page:
        if not workers:
            page.evaluate("() => { window.Worker = () => { throw new Error('forbidden'); }; }")
        drop(page, embedding)
        page.wait_for_selector(".play-found .rays canvas")
        assert page.locator(".play-found .play-verdict").inner_text().startswith("Spiky: ")
        E = spikes.principal(np.load(embedding)["vectors"])
        rows = page.locator(".play-found table").first.locator("tbody tr").all()
        shown = {
            int(row.locator("td").first.inner_text()): row.locator("td").nth(1).inner_text() for row in rows
        }
        assert shown == {f: str(len(spikes.cover(E, f=f).peaks)) for f in (16, 32)}
        assert "song " in page.locator(".play-found table").last.inner_text()
        assert page.wrong == []


def test_a_bad_file_is_refused_in_words_and_a_long_one_can_be_stopped(visit, tmp_path):
    with visit(DROP) as page:
        (tmp_path / "bad.csv").write_text("id,a,b\nx,1.5,2.5\ny,1.5,oops\n")
        drop(page, tmp_path / "bad.csv")
        page.wait_for_selector(".play-wrong")
        assert "'oops', which is not a number" in page.locator(".play-state").inner_text()
        np.save(tmp_path / "long.npy", np.random.default_rng(1).standard_normal((6000, 64)).astype("<f4"))
        page.locator(".spiky-drop input").set_input_files(tmp_path / "long.npy")
        page.wait_for_function("document.querySelector('.spiky-drop progress').value > 0")
        page.locator(".spiky-drop button").click()
        assert page.locator(".play-state").inner_text() == "Stopped."
        assert not page.locator(".spiky-drop progress").is_visible()
        assert page.locator(".play-found").inner_text() == ""
        assert page.wrong == []

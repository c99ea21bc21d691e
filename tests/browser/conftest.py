"""A browser that has no network, and the pages of the book in it."""

import importlib.util
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTLED = """async () => {
    if (window.MathJax?.startup) await MathJax.startup.promise;
    await document.fonts.ready;
}"""
# One element of each look: how text and ground contrast follows from their colours, the size and the weight.
LOOKS = """() => {
    const seen = new Set();
    for (const e of document.body.querySelectorAll("*")) {
        const words = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.data.trim());
        if (!(words || e.matches("input, select, textarea"))) continue;
        if (!e.checkVisibility({ visibilityProperty: true })) continue;
        const { color, fontSize, fontWeight } = getComputedStyle(e);
        const look = [color, fontSize, fontWeight];
        for (let box = e; box; box = box.parentElement) {
            const { backgroundColor, backgroundImage, opacity } = getComputedStyle(box);
            look.push(`${backgroundColor} ${backgroundImage} ${opacity}`);
        }
        const key = look.filter((part, i) => part !== look[i - 1]).join();
        e.toggleAttribute("data-look", !seen.has(key));
        seen.add(key);
    }
}"""
INSIDE = ("file:", "data:", "blob:", "about:")


def load_tool(name):
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def html(html):
    """The folder of the built pages, with the reports that one of them shows."""
    subprocess.run([sys.executable, "tools/book.py", "reports"], cwd=ROOT, check=True)
    return html


@pytest.fixture(scope="session")
def tool():
    browser = load_tool("browser")
    if browser.find() is None:
        pytest.skip("no Chromium: install one (apt-get install chromium) or name it in $CHROMIUM")
    return browser


@pytest.fixture(scope="session")
def chromium(tool):
    with tool.launch() as browser:
        yield browser


@pytest.fixture(scope="session")
def visit(chromium, html):
    """A context manager: a page of the book, settled, with what went wrong in ``page.wrong``."""

    @contextmanager
    def visit(name, *, width=1300, scheme="light", reduced_motion="reduce", browser=chromium, query=""):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=scheme,
            reduced_motion=reduced_motion,
            offline=True,
        )
        wrong = []

        def guard(route):
            if route.request.url.startswith(INSIDE):
                route.continue_()
            else:
                wrong.append(f"asked the network for {route.request.url}")
                route.abort()

        context.route("**/*", guard)
        page = context.new_page()
        page.wrong = wrong
        page.on("console", lambda m: wrong.append(f"console: {m.text}") if m.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
        page.on("requestfailed", lambda r: wrong.append(f"failed: {r.url}"))
        try:
            page.goto((html / name).as_uri() + query)
            page.wait_for_load_state("load")
            if "http-equiv" not in (html / name).read_text(encoding="utf-8")[:300]:
                page.evaluate(SETTLED)
            yield page
        finally:
            context.close()

    return visit


@pytest.fixture(scope="session")
def violations():
    """A function: what axe finds in a box, or what is serious on a page, whose theme is not ours."""
    from axe_playwright_python.sync_playwright import Axe

    def found(page, within, **options):
        # without the elements that pass, each of which would be named
        response = Axe().run(page, within or None, {"resultTypes": ["violations"]} | options).response
        return [
            f"{rule['id']}: {node['target']} {node['html'][:120]}"
            for rule in response["violations"]
            if within or rule["impact"] in ("serious", "critical")
            for node in rule["nodes"]
        ]

    def violations(page, box="", *, contrast_only=False):
        page.evaluate(LOOKS)
        looks = {"include": [[f"{box} [data-look]"]]}
        wrong = found(page, looks, runOnly=["color-contrast"])
        if not contrast_only:
            wrong += found(page, box, rules={"color-contrast": {"enabled": False}})
        return wrong

    return violations

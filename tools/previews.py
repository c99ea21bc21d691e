"""What a link within the book leads to, kept for a look at it: a Sphinx extension, named in _config.yml.

Equations, figures, terms, citations, claims, theorems and functions go into ``_static/previews.js``, one
file for all pages and the same at every build; book/style/hover.js shows them. sphinx-tippy does the
like, but names its files anew at every build and shows them with scripts from the network.
"""

import json
import re
from pathlib import Path
from posixpath import dirname, join, normpath

from bs4 import BeautifulSoup

LINK = re.compile(r'<a class="reference internal" href="([^"#]*)#([^"]+)"')
LEFT_OUT = ".headerlink, .eqno, .origin, button, script, details"


def setup(app):
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(app, exception):
    """Write the previews of all that the finished pages link to."""
    if exception or app.builder.format != "html":
        return
    out = Path(app.outdir)
    wanted = {f"{name}.html": set() for name in sorted(app.env.found_docs)}
    for page in wanted:
        article = (out / page).read_text(encoding="utf-8").partition("<article")[2].partition("</article>")[0]
        for path, target in LINK.findall(article):
            # a link to a page that is not there is Sphinx's to report
            wanted.get(normpath(join(dirname(page), path)) if path else page, set()).add(target)
    found = {}
    for page in filter(wanted.get, wanted):
        soup = BeautifulSoup((out / page).read_text(encoding="utf-8"), "html.parser")
        named = {element["id"]: element for element in soup.find_all(id=True)}
        for target in sorted(wanted[page]):
            if shown := _preview(named.get(target)):
                found[f"{page}#{target}"] = shown
    text = json.dumps(found, ensure_ascii=False, indent=0)
    (out / "_static" / "previews.js").write_text(f"const previews = {text};\n", encoding="utf-8")


def _preview(element):
    """Some HTML without links and names, which would be on the page twice; "" where there is little to see."""
    if element is None or "cell" in element.get("class", []):  # of a cell the page has no more to show
        return ""
    if element.name == "span" and not element.contents:  # a second name of what follows
        element = element.find_next_sibling() or element.parent
    shown = [element]
    if element.name == "section":
        shown = [element.find(re.compile("^h[1-6]$")), element.find("p", recursive=False)]
    elif element.name == "dt":
        shown.append(element.find_next_sibling("dd").find("p"))
    soup = BeautifulSoup("".join(map(str, filter(None, shown))), "html.parser")
    for part in soup.select(LEFT_OUT):
        part.decompose()
    for part in soup.find_all(True):
        for attribute in ("id", "role", "title"):
            del part[attribute]
        if part.name == "a":
            part.unwrap()
        elif part.name == "img":
            part["src"] = part["src"].replace("../", "", 1)  # from the root, as every page's own
        elif part.name in ("dt", "dd"):
            part.name = "div"
        elif part.name == "span" and not {"math", "verdict"} & {*part.get("class", [])}:
            part.unwrap()
    return str(soup).strip()

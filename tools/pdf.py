"""Print the built book as one PDF, by Chromium: _build/spiky-svds.pdf, or the file named.

Every page of the contents is printed by itself, with folded code and solutions open and still
pictures instead of the interactive ones. Then they are joined: a list of contents, page numbers,
an outline, and links from page to page.
"""

import html
import io
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import yaml
from browser import find, launch
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject, NullObject

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
PAPER = {"format": "A4", "print_background": True}
SCALE = 0.8  # 16 pixels of the screen become 9.6 points
MARGIN = {"top": "18mm", "bottom": "20mm", "left": "17mm", "right": "17mm"}
SETTLE = """async () => {
    for (const fold of document.querySelectorAll("details")) fold.open = true;
    for (const fold of document.querySelectorAll(".toggle-hidden")) fold.classList.remove("toggle-hidden");
    for (const image of document.images) image.loading = "eager";
    if (window.MathJax?.startup) await MathJax.startup.promise;
    await document.fonts.ready;
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    const said = (heading) => [...heading.childNodes]
        .filter((node) => !node.classList?.contains("headerlink")).map((node) => node.textContent).join("");
    return [...document.querySelectorAll("article h1, article h2")].map((h) => said(h).replace(/\\s+/g, " ").trim());
}"""


def contents():
    """Return (caption of the part or "", name of the page) for every page, in reading order."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    pages = [("", toc["root"])]
    for part in toc["parts"]:
        pages += [(part["caption"], name) for name in _files(part["chapters"])]
    return pages


def write(target):
    """Print, join and write the book; tell how many pages it has."""
    names = [name for _, name in contents()]
    missing = [name for name in names if not (HTML / f"{name}.html").is_file()]
    if missing:
        sys.exit(f"{missing[0]}.html is not in {HTML}: build the book first (make html)")
    with launch() as browser:
        context = browser.new_context(color_scheme="light", reduced_motion="reduce", offline=True)
        page = context.new_page()
        printed = [_print(page, (HTML / f"{name}.html").as_uri()) for name in names]
        titles = [headings[0] for _, headings in printed]
        front = _front(page, titles, [0] * len(names))
        headings, printed = [h for _, h in printed], [d for d, _ in printed]
        starts = _starts(len(front.pages), printed)
        front = _front(page, titles, starts)
        numbers = _numbers(page, starts, titles, sum(len(d.pages) for d in printed))
    writer = _join([front, *printed])
    for leaf, number in zip(writer.pages[len(front.pages) :], numbers.pages):
        leaf.merge_page(number)
        leaf.compress_content_streams()
    _link(writer, [front, *printed], [None, *names])
    _outline(writer, printed, headings, starts)
    writer.add_metadata({"/Title": _config()["title"], "/Author": _config()["author"]})
    writer.compress_identical_objects(remove_duplicates=True, remove_unreferenced=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    writer.write(target)
    print(f"{target}: {len(writer.pages)} pages, {target.stat().st_size / 1e6:.1f} MB")


def _files(entries):
    """Names of pages, each followed by those below it."""
    for entry in entries:
        yield from [entry["file"], *_files(entry.get("sections", []))]


def _print(page, url):
    """A page as PDF, and its headings of the first two levels, the title first."""
    page.goto(url)
    page.wait_for_load_state("load")
    page.emulate_media(media="print")
    headings = page.evaluate(SETTLE)
    pdf = page.pdf(**PAPER, scale=SCALE, margin=MARGIN, outline=True, tagged=True)
    return PdfReader(io.BytesIO(pdf)), headings


def _print_text(page, text, **options):
    page.set_content(text)
    return PdfReader(io.BytesIO(page.pdf(**PAPER, **options)))


def _config():
    return yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))


def _starts(first, printed):
    """Number of the leaf, from 0, on which each page of the book starts."""
    starts = [first]
    for document in printed[:-1]:
        starts.append(starts[-1] + len(document.pages))
    return starts


def _front(page, titles, starts):
    """A title and a list of contents."""
    rows, caption = [], None
    for (part, name), title, start in zip(contents(), titles, starts):
        if part != caption:
            rows.append(f"<h2>{html.escape(part)}</h2>" if part else "")
            caption = part
        url = (HTML / f"{name}.html").as_uri()
        rows.append(f'<p><a href="{url}">{html.escape(title)}</a><span>{start + 1}</span></p>')
    config = _config()
    style = """body { font: 11pt/1.5 sans-serif; } h1 { font-size: 30pt; margin: 30mm 0 2mm; }
        h2 { font-size: 12pt; margin: 5mm 0 1mm; } p { display: flex; justify-content: space-between; margin: 0; }
        a { color: inherit; text-decoration: none; }"""
    text = f"<style>{style}</style><h1>{config['title']}</h1><div>{config['author']}</div>{''.join(rows)}"
    return _print_text(page, text, margin=MARGIN)


def _numbers(page, starts, titles, n):
    """Leaves that hold only the number of the leaf and the title that it belongs to."""
    leaves = []
    for number in range(starts[0], starts[0] + n):
        title = [t for t, start in zip(titles, starts) if start <= number][-1]
        leaves.append(f"<div><span>{html.escape(title)}</span><span>{number + 1}</span></div>")
    style = """@page { margin: 0; } body { margin: 0; font: 8.5pt sans-serif; color: #444; }
        div { height: 297mm; box-sizing: border-box; padding: 284mm 17mm 0; display: flex;
              justify-content: space-between; break-after: page; break-inside: avoid; overflow: hidden; }
        div:last-child { break-after: auto; }"""
    return _print_text(page, f"<style>{style}</style>{''.join(leaves)}")


def _join(documents):
    writer = PdfWriter()
    for document in documents:
        for leaf in document.pages:
            writer.add_page(leaf)
    return writer


def _link(writer, documents, names):
    """Let links from page to page lead inside the PDF; drop those to files that are not in it."""
    first, at = {}, 0
    places = {}
    for document, name in zip(documents, names):
        first[name] = at
        for anchor, place in document.named_destinations.items():
            number = document.get_destination_page_number(place)
            places[name, anchor.lstrip("/")] = (at + number, float(place.top or 0))
        at += len(document.pages)
    owner = [name for document, name in zip(documents, names) for _ in document.pages]
    for leaf, name in zip(writer.pages, owner):
        kept = ArrayObject()
        for annotation in leaf.get("/Annots", ArrayObject()):
            link = annotation.get_object()
            to = _target(link, name)
            if to is None:
                kept.append(annotation)
            elif to[0] in first:
                number, top = places.get(to, (first[to[0]], None))
                height = NullObject() if top is None else FloatObject(top)
                link.pop("/A", None)
                link[NameObject("/Dest")] = ArrayObject(
                    [
                        writer.pages[number].indirect_reference,
                        NameObject("/XYZ"),
                        NullObject(),
                        height,
                        NullObject(),
                    ]
                )
                kept.append(annotation)
        leaf[NameObject("/Annots")] = kept


def _target(link, name):
    """(page of the book, anchor) that a link inside the book leads to; None for one to the outside."""
    if "/Dest" in link:
        return name, str(link["/Dest"]).lstrip("/")
    action = link.get("/A", DictionaryObject())
    url = urlsplit(str(action.get("/URI", "")))
    if url.scheme != "file":
        return None
    path = Path(unquote(url.path))
    inside = path.relative_to(HTML) if path.is_relative_to(HTML) else path
    return str(inside.with_suffix("")), unquote(url.fragment)


def _outline(writer, printed, headings, starts):
    """Parts, pages and sections."""
    parents = {}
    for (part, _), document, said, start in zip(contents(), printed, headings, starts):
        if part and part not in parents:
            parents[part] = writer.add_outline_item(title=part, page_number=start)
        entry = writer.add_outline_item(title=said[0], page_number=start, parent=parents.get(part))
        # Chromium's own outline knows the leaf, but drops the space where a heading wraps
        spelt = {"".join(heading.split()): heading for heading in said}
        for section in _flat(document.outline):
            heading = spelt.get("".join(section.title.removesuffix("#").split()))
            if heading in said[1:]:
                number = start + document.get_destination_page_number(section)
                writer.add_outline_item(title=heading, page_number=number, parent=entry)


def _flat(outline):
    for item in outline:
        yield from _flat(item) if isinstance(item, list) else [item]


if __name__ == "__main__":
    if find() is None:
        sys.exit("printing needs a Chromium: apt-get install chromium, or name one in $CHROMIUM")
    write(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "_build" / "spiky-svds.pdf")

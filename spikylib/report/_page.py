"""Reports as one page that loads nothing, and as Markdown."""

import io
import json
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from itertools import groupby, zip_longest
from pathlib import Path
from statistics import mode
from string import Template

from spikylib._files import markdown_table
from spikylib.claims import described

_FRAME, _CSS, _RAYS = (
    Path(__file__).with_name(name).read_text("utf-8") for name in ("page.html", "page.css", "rays.js")
)
WORDS = (
    ("f", "dimensions kept, the leading ones first"),
    ("peak", "an item that gives a spike its direction: the longest row there"),
    ("Spk", "peaks needed to capture half of the items, divided by the number of items; low means spiky"),
    ("context", "what groups items: a playlist, a user, a basket"),
    (
        "baseline",
        "as many rows without communities; data are spiky where they need at most half the peaks of every baseline",
    ),
)
# of the largest spikes, in the canvas and beside the names
_COLOURS = ("#0173b2", "#de8f05", "#029e73", "#d55e00", "#cc78bc", "#ca9161", "#fbafe4", "#56b4e9")
LETTERS = {"holds": "H", "fails": "F", "undecided": "U", "not applicable": "–", "untested": "?"}


def page(content: dict, figures: dict) -> str:
    """The whole page of a report or a comparison."""
    sections = _report if content["kind"] == "report" else _comparison
    body = "\n".join(sections(content, figures))
    title = f"{'Spikes' if content['kind'] == 'report' else 'Comparison'}: {content['data']}"
    script = _RAYS if "rays" in content else ""
    return Template(_FRAME).substitute(title=escape(title), css=_CSS, body=body, script=script)


def markdown(content: dict) -> str:
    """The short form, without pictures."""
    lines = [f"## {content['data']}", "", f"**{content['verdict']}**", ""]
    if content["kind"] == "report":
        rows = [(row["question"], row["answer"], row["why"]) for row in content["decisions"]]
        lines += markdown_table(("Question", "Answer", "Why"), rows)
        counts = [(verdict, sum(f["verdict"] == verdict for f in content["findings"])) for verdict in LETTERS]
        told = ", ".join(f"{n} {verdict}" for verdict, n in counts if n)
        return "\n".join([*lines, "", f"Findings on the book's claims: {told}."])
    lines += [content["compared"], ""]
    shown = [
        (name, _shown(row["value"]), _shown(row.get("floor"))) for name, row in content["conditions"].items()
    ]
    lines += markdown_table(("Condition", "Value", "Floor"), shown)
    for gate in content["gates"]:
        lines += ["", f"{'Failed' if gate['failed'] else 'Passed'}: {gate['sentence']}"]
    return "\n".join(lines)


def text(content: dict) -> str:
    """The short form for a terminal."""
    if content["kind"] == "report":
        rows = [f"{row['question']}\n  {row['answer']}. {row['why']}" for row in content["decisions"]]
    else:
        rows = [
            f"{'FAILED' if gate['failed'] else 'passed'}: {gate['sentence']}" for gate in content["gates"]
        ]
    heads = filter(None, [content["verdict"], content.get("compared")])
    return "\n".join([*heads, *[""][: len(rows)], *rows])


def junit(content: dict) -> str:
    """The gates as JUnit's XML, a test case each, which CI servers show."""
    failed = sum(gate["failed"] for gate in content["gates"])
    counts = {"tests": str(len(content["gates"])), "failures": str(failed), "time": str(content["seconds"])}
    suite = ET.Element("testsuite", {"name": "spiky compare"} | counts)
    for gate in content["gates"]:
        case = ET.SubElement(suite, "testcase", classname="spiky compare", name=gate["gate"])
        if gate["failed"]:
            ET.SubElement(case, "failure", message=gate["sentence"]).text = gate["sentence"]
    ET.indent(suite)
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _report(content, figures) -> Iterator[str]:
    yield f'<p class="verdict">{escape(content["verdict"])}</p>'
    yield f"<p>{escape(content['meaning'])}</p><p>{escape(_was_read(content['read']))}</p>"
    words = "".join(f"<dt>{word}</dt><dd>{escape(means)}</dd>" for word, means in WORDS)
    yield f"<details><summary>Words on this page</summary><dl>{words}</dl></details>"
    yield "<h2>What to do</h2>"
    yield '<table class="decisions"><tbody>'
    for row in content["decisions"]:
        unknown = ' class="unknown"' if row["answer"].startswith("Cannot tell") else ""
        rests = f" <small>({', '.join(row['claims'])})</small>"
        yield (
            f'<tr><th scope="row">{escape(row["question"])}</th><td{unknown}><b>{escape(row["answer"])}.</b>'
            f"<br>{escape(row['why'])}{rests}</td></tr>"
        )
    yield "</tbody></table>"
    yield "<h2>The items, seen from the origin</h2>"
    yield _rays(content["rays"])
    yield f"<h2>The largest spikes in {content['spikes']['f']} dimensions</h2>"
    largest = content["spikes"]["largest"]
    n = content["read"]["rows"]
    rows = [(s["peak"], f"{s['items']:,} ({s['items'] / n:.1%})", "; ".join(s["members"])) for s in largest]
    shared = [f"{s['shared']} ({s['share']:.0%} of them)" if "shared" in s else "" for s in largest]
    head: tuple[str, ...] = ("Peak", "Items", "Among them")
    if any(shared):
        head, rows = (*head, "Label they share most"), [(*row, s) for row, s in zip(rows, shared)]
    yield _html_table(head, rows, _COLOURS)
    yield from _pictures(figures)
    yield "<h2>Hubs: the items in most lists by dot product</h2>"
    yield f"<p>An even share would be {50 / n:.1%} of all lists of 50.</p>"
    yield _html_table(("Item", "Share of lists"), [(h["item"], f"{h['lists']:.1%}") for h in content["hubs"]])
    if content["safety"]:
        yield "<h2>Items whose neighbours stay when the data are resampled</h2>"
        head = ("Least safe", "List kept", "Contexts", "Safest", "List kept", "Contexts")
        pairs = zip(content["safety"]["least"], content["safety"]["most"])
        rows = [
            tuple(c for i in pair for c in (i["item"], f"{i['kept']:.0%}", f"{i['plays']:,}"))
            for pair in pairs
        ]
        yield _html_table(head, rows)
    yield "<h2>The book's claims on this data</h2>"
    looked_at = mode([f["n"] for f in content["findings"] if f["n"]] or [n])
    on = "" if looked_at >= n else f" Most were measured on {looked_at:,} of the {n:,} items."
    yield (
        f"<details><summary>{len({f['id'] for f in content['findings']})} claims of research, measured here</summary><p><b>H</b> holds, <b>F</b> fails, "
        "<b>U</b> undecided, <b>–</b> not applicable, one letter per part. <b>F</b> is not an error of yours: the effect is "
        "absent here, opposite, or smaller than the claim requires. Values are means over five draws, of 80 % of the contexts or of hidden items, and so differ a little "
        f"from those above.{on} Click on a claim for what was measured, and on how many public datasets it holds.</p>"
    )
    yield from _claims(content["findings"])
    yield f"</details>{_foot(content)}"


def _comparison(content, figures) -> Iterator[str]:
    yield f'<p class="verdict">{escape(content["verdict"])}</p>'
    yield f"<p>{escape(content['compared'])}</p>"
    if content["gates"]:
        yield "<h2>Gates</h2>"
        yield _html_table(
            ("Gate", "Result", "Why"),
            [(g["gate"], "failed" if g["failed"] else "passed", g["sentence"]) for g in content["gates"]],
        )
    yield "<h2>Conditions that a gate can name</h2>"
    rows = [
        (name, _shown(row["value"]), _shown(row.get("floor")), row["meaning"])
        for name, row in content["conditions"].items()
    ]
    yield _html_table(("Condition", "Value", "Floor", "Meaning"), rows)
    yield from _pictures(figures)
    for title, key in (("Spikes born", "born"), ("Spikes dead", "dead"), ("Spikes merged", "merged")):
        if content[key]:
            yield f"<h2>{title}</h2>"
            rows = [(s["peak"], f"{s['items']:,}", "; ".join(s["members"])) for s in content[key]]
            yield _html_table(("Peak", "Items", "Among its members"), rows)
    yield "<h2>Items most moved</h2>"
    yield _html_table(
        ("Item", "Neighbours kept"), [(m["item"], f"{m['kept']:.0%}") for m in content["moved"]]
    )
    yield _foot(content)


def _foot(content):
    made = f"Schema {content['schema']}, spikylib {escape(content['version'])}, {content['seconds']:g} s."
    return f"<p><small>{made} Computed on your machine; this page loads nothing from the network.</small></p>"


def _was_read(read):
    said = f"{read['rows']:,} rows of {read['dimensions']} dimensions"
    said += f", {read['zero_rows']:,} of them all zeros" if read["zero_rows"] else ""
    said += f", {read['repeated_rows']:,} that repeat another" if read["repeated_rows"] else ""
    if "contexts" in read:
        said += f"; {read['interactions']:,} interactions of {read['items']:,} items in {read['contexts']:,} contexts"
        left = read["items"] - read["rows"]
        said += f" ({left:,} items have no row: none shares two contexts with another)" if left > 0 else ""
    return f"Read: {said}.{' ' + read['notes'] + '.' if read['notes'] else ''}"


def _rays(rays):
    drawn = rays | {"colours": _COLOURS}
    data = json.dumps(drawn, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    told = (
        f"{len(rays['names']):,} of {rays['of']:,} items"
        if len(rays["names"]) < rays["of"]
        else f"All {rays['of']:,} items"
    )
    peaks = "; ".join(rays["peaks"])
    key = " ".join(
        f'<span class="key"><i style="background:{c}"></i>{escape(p)}</span>'
        for c, p in zip(_COLOURS, rays["peaks"])
    )
    return (
        f'<div class="rays" data-label="{told} as points around the origin; colours are the largest '
        f'spikes in {rays["f"]} dimensions, whose peaks are {escape(peaks, quote=True)}."></div>'
        f'<script type="application/json" class="rays-data">{data}</script>'
        f"<p><small>{told}. Colours: the largest spikes in {rays['f']} dimensions, by their peaks; some coincide in the "
        f"three dimensions drawn. Drag to turn, or use the arrow keys; point at an item for its name.<br>{key}</small></p>"
    )


def _pictures(figures):
    for title, (figure, seen) in figures.items():
        png = io.BytesIO()
        figure.savefig(png, format="png", dpi=90, metadata={"Software": None})
        data = b64encode(png.getvalue()).decode()
        image = f'<img alt="{escape(seen)}" src="data:image/png;base64,{data}">'
        yield f"<h2>{escape(title)}</h2><figure>{image}<figcaption>{escape(seen)}</figcaption></figure>"


def _html_table(head, rows, colours=()):
    if not rows:
        return "<p>None.</p>"
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    cells = ""
    for row, colour in zip_longest(rows, colours[: len(rows)]):
        mark = f'<i style="background:{colour}"></i>' if colour else ""
        first, *others = map(escape, map(str, row))
        cells += f"<tr><td>{mark}{first}</td>{''.join(f'<td>{cell}</td>' for cell in others)}</tr>"
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{cells}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(head[0])}">{table}</div>'


def _claims(findings):
    known = described()
    order = list(known)
    for id, own in groupby(sorted(findings, key=lambda f: order.index(f["id"])), key=lambda f: f["id"]):
        rows, letters = [], []
        for f in own:
            letter = LETTERS[f["verdict"]]
            letters.append(f'<span class="{f["verdict"].replace(" ", "-")}">{letter}</span>')
            holds, fails = (len(f["public"].get(key, [])) for key in ("holds", "fails"))
            elsewhere = f"holds on {holds}, fails on {fails}" if holds + fails else "undecided on all"
            rows.append((f["part"], f["verdict"], f["why"], elsewhere))
        yield (
            f"<details><summary>{''.join(letters)} <b>{id}</b> {escape(known[id]['statement'])}</summary>"
            f"{_html_table(('Part', 'Here', 'Why', 'Public datasets'), rows)}</details>"
        )


def _shown(value):
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"

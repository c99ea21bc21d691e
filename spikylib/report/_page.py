"""Reports as one page that loads nothing, and as Markdown."""

import io
import json
import xml.etree.ElementTree as ET
from base64 import b64encode
from collections.abc import Iterator
from html import escape
from itertools import groupby
from pathlib import Path
from string import Template

from spikylib.claims import described

_FRAME, _CSS, _RAYS = (
    Path(__file__).with_name(name).read_text("utf-8") for name in ("page.html", "page.css", "rays.js")
)
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
        lines += _table(("Question", "Answer", "Why"), rows)
        counts = [(verdict, sum(f["verdict"] == verdict for f in content["findings"])) for verdict in LETTERS]
        told = ", ".join(f"{n} {verdict}" for verdict, n in counts if n)
        return "\n".join([*lines, "", f"Findings on the book's claims: {told}."])
    shown = [
        (name, _shown(row["value"]), _shown(row.get("floor"))) for name, row in content["conditions"].items()
    ]
    lines += _table(("Condition", "Value", "Floor"), shown)
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
    return "\n".join([content["verdict"], *[""][: len(rows)], *rows])


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


def _table(head, rows):
    cells = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in row)} |" for row in cells]


def _report(content, figures) -> Iterator[str]:
    read = content["read"]
    yield f'<p class="verdict">{escape(content["verdict"])}</p>'
    yield f"<p>{escape(_was_read(read))}</p>"
    yield "<h2>What to do</h2>"
    yield '<table class="decisions"><tbody>'
    for row in content["decisions"]:
        unknown = ' class="unknown"' if row["answer"].startswith("Cannot tell") else ""
        rests = f" <small>({', '.join(row['claims'])})</small>"
        yield (
            f'<tr><th scope="row">{escape(row["question"])}</th><td{unknown}><b>{escape(row["answer"])}</b>'
            f"<br>{escape(row['why'])}{rests}</td></tr>"
        )
    yield "</tbody></table>"
    yield "<h2>The items, seen from the origin</h2>"
    yield _rays(content["rays"], content["spikes"]["f"])
    for title, (figure, seen) in figures.items():
        yield f"<h2>{escape(title)}</h2>{_picture(figure, seen)}"
    yield f"<h2>The largest spikes at f = {content['spikes']['f']}</h2>"
    largest = content["spikes"]["largest"]
    rows = [(s["peak"], f"{s['items']:,}", "; ".join(s["members"])) for s in largest]
    shared = [f"{s['shared']} ({s['share']:.0%})" if "shared" in s else "" for s in largest]
    head: tuple[str, ...] = ("Peak", "Items", "Among its members")
    if any(shared):
        head, rows = (*head, "What they share"), [(*row, s) for row, s in zip(rows, shared)]
    yield _html_table(head, rows)
    yield "<h2>Hubs: the items in most lists by dot product</h2>"
    yield _html_table(
        ("Item", "In so many lists"), [(h["item"], f"{h['lists']:.1%}") for h in content["hubs"]]
    )
    if content["safety"]:
        yield "<h2>Whose neighbours stay when the data are drawn anew</h2>"
        head = ("Least safe", "List kept", "Contexts", "Safest", "List kept", "Contexts")
        pairs = zip(content["safety"]["least"], content["safety"]["most"])
        yield _html_table(
            head,
            [
                tuple(c for i in pair for c in (i["item"], f"{i['kept']:.0%}", f"{i['plays']:,}"))
                for pair in pairs
            ],
        )
    yield "<h2>The book's claims on this data</h2>"
    yield (
        "<p><b>H</b> holds, <b>F</b> fails, <b>U</b> undecided, <b>–</b> not applicable; beside it, on how many public "
        "datasets the same holds and fails.</p>"
    )
    yield from _claims(content["findings"])
    yield f"<p><small>Schema {content['schema']}, spikylib {escape(content['version'])}, {content['seconds']:g} s.</small></p>"


def _comparison(content, figures) -> Iterator[str]:
    yield f'<p class="verdict">{escape(content["verdict"])}</p>'
    yield f"<p>{escape(content['compared'])}</p>"
    if content["gates"]:
        yield "<h2>Gates</h2>"
        yield _html_table(
            ("Gate", "Came out", "Why"),
            [(g["gate"], "failed" if g["failed"] else "passed", g["sentence"]) for g in content["gates"]],
        )
    yield "<h2>What can be asked of it</h2>"
    rows = [
        (name, _shown(row["value"]), _shown(row.get("floor")), row["meaning"])
        for name, row in content["conditions"].items()
    ]
    yield _html_table(("Condition", "Value", "Floor", "Meaning"), rows)
    for title, (figure, seen) in figures.items():
        yield f"<h2>{escape(title)}</h2>{_picture(figure, seen)}"
    for title, key in (("Spikes born", "born"), ("Spikes dead", "dead"), ("Spikes merged", "merged")):
        if content[key]:
            yield f"<h2>{title}</h2>"
            rows = [(s["peak"], f"{s['items']:,}", "; ".join(s["members"])) for s in content[key]]
            yield _html_table(("Peak", "Items", "Among its members"), rows)
    yield "<h2>Items most moved</h2>"
    yield _html_table(
        ("Item", "Neighbours kept"), [(m["item"], f"{m['kept']:.0%}") for m in content["moved"]]
    )
    yield f"<p><small>Schema {content['schema']}, spikylib {escape(content['version'])}, {content['seconds']:g} s.</small></p>"


def _was_read(read):
    said = f"{read['rows']:,} rows of {read['dimensions']} dimensions"
    for key, name in (("zero_rows", "of no length"), ("repeated_rows", "that repeat another")):
        said += f", {read[key]:,} {name}" if read[key] else ""
    if "contexts" in read:
        said += f"; {read['interactions']:,} interactions of {read['items']:,} items in {read['contexts']:,} contexts"
    return f"Read: {said}.{' ' + read['notes'] + '.' if read['notes'] else ''}"


def _rays(rays, f):
    data = json.dumps(rays, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    told = (
        f"{len(rays['names']):,} of {rays['of']:,} items"
        if len(rays["names"]) < rays["of"]
        else f"all {rays['of']:,} items"
    )
    peaks = "; ".join(rays["peaks"])
    return (
        f'<div class="rays" role="img" aria-label="{told} as points around the origin, turning; colours are the '
        f'largest spikes at f = {f}, whose peaks are {escape(peaks, quote=True)}."></div>'
        f'<script type="application/json" class="rays-data">{data}</script>'
        f"<p><small>{told[0].upper()}{told[1:]}. Drag to turn, or use the arrow keys; point at an item for its name. Grey: on "
        "none of the largest spikes.</small></p>"
    )


def _picture(figure, seen):
    png = io.BytesIO()
    figure.savefig(png, format="png", dpi=90, metadata={"Software": None})
    data = b64encode(png.getvalue()).decode()
    return f'<figure><img alt="{escape(seen)}" src="data:image/png;base64,{data}"></figure>'


def _html_table(head, rows):
    if not rows:
        return "<p>None.</p>"
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in head)
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f'<div class="wide" tabindex="0" role="region" aria-label="{escape(head[0])}"><table><thead><tr>{titles}</tr></thead><tbody>{cells}</tbody></table></div>'


def _claims(findings):
    known = described()
    order = list(known)
    for id, own in groupby(sorted(findings, key=lambda f: order.index(f["id"])), key=lambda f: f["id"]):
        rows, letters = [], []
        for f in own:
            letter = LETTERS[f["verdict"]]
            letters.append(f'<span class="{f["verdict"].replace(" ", "-")}">{letter}</span>')
            holds, fails = (len(f["public"].get(key, [])) for key in ("holds", "fails"))
            rows.append((f["part"], f["verdict"], f["why"], f"holds on {holds}, fails on {fails}"))
        yield (
            f"<details><summary>{''.join(letters)} <b>{id}</b> {escape(known[id]['statement'])}</summary>"
            f"{_html_table(('Part', 'Here', 'Why', 'Public datasets'), rows)}</details>"
        )


def _shown(value):
    return "" if value is None else f"{value:,}" if isinstance(value, int) else f"{value:.3g}"

"""What the page of claims says, written from the claims and their stored findings.

``{{ paper }}`` is the table of the paper's claims for the page *What we learned*; ``{{ claims_overview }}`` is the tally, the claims on which datasets disagree, and behind a click every
finding; ``{{ claims_list }}`` is a paragraph a claim, with its code behind a click.
"""

import html
import math
import re
from collections import Counter

from spikylib import claims
from spikylib.claims._finding import GENERATED, number
from spikylib.claims._registry import described, of_the_sentence

VERDICTS = ("holds", "holds in part", "on generated data only", "fails", "undecided", "untested")
LETTERS = {"holds": "H", "fails": "F", "undecided": "U", "not applicable": "–", "untested": "?"}
GROUPS = {
    "P": "The paper",
    "N": "The notes and the summary",
    "A": "The poster: average embeddings",
    "D": "The slides: playlist recommender",
    "L": "Of this book: learned embeddings",
    "T": "Of this book: theory",
    "H": "Of this book: hyperparameters",
    "S": "Of this book: what the sources name and did not test",
}


def overview(evidence):
    """Tally, disagreements and matrix, as Markdown.

    Parameters
    ----------
    evidence : list of dict, one per dataset
        As :func:`spikylib.claims.read_evidence` returns them.
    """
    found = _findings(evidence)
    counts = Counter(claims.across(id, found).verdict for id in described())
    tally = "".join(f"<li>{chip(v, f'<b>{counts[v]}</b> {v}')}</li>" for v in VERDICTS if counts[v])
    lines = [_raw(f'<ul class="tally" aria-label="Claims by verdict">{tally}</ul>'), ""]
    disputes = _disputes(found)
    if disputes:
        told = f"Datasets disagree on {len(disputes)} of the {len(described())} claims"
        lines += [f"**{told}**, most evenly on the first of these:", ""]
    for id, sides in disputes.items():
        statement = _plain(described()[id]["statement"])
        lines.append(f"- [{id}](#{_anchor(id)}) {statement}: {_sides(*sides.pop('', ([], [])))}")
        lines += [f"  - {_plain(part)}: {_sides(*side)}" for part, side in sides.items()]
    return "\n".join([*lines, "", _raw(_matrix(evidence))])


def paragraphs(evidence, chapters):
    """One paragraph per claim, as Markdown: claimed, found, one number, and what that does not show.

    Parameters
    ----------
    evidence : list of dict, one per dataset
    chapters : dict of str to str
        Page of each chapter, by its two digits.
    """
    found, lines, group = _findings(evidence), [], None
    for id, claim in described().items():
        if id[0] != group:
            group = id[0]
            lines += [f"## {GROUPS[group]}", ""]
        book = claims.across(id, found)
        where = f"{{doc}}`chapter {int(claim['chapter'])} <{chapters[claim['chapter']]}>`"
        lines += [
            f"({_anchor(id)})=",
            f"**{id}** {chip(book.verdict, book.verdict)} **{_plain(claim['statement'])}** ({claim['source']}; {where}).",
            f"*Found:* {_plain(' '.join([book.why, *_one_number(id, found)]))}",
            f"*Not shown:* {_plain(claim['limits'])}" if claim["limits"] else "",
            "",
            _raw(_code(id)),
            "",
        ]
    return "\n".join(lines)


def paper(evidence):
    """The claims of the paper by verdict, a row each, as Markdown: on how many catalogues, and what fails most."""
    found = _findings(evidence)
    verdicts = {id: claims.across(id, found).verdict for id in described() if id[0] == "P"}
    counts = Counter(verdicts.values())
    told = ", ".join(f"{v} {counts[v]}" for v in VERDICTS if counts[v])
    lines = [
        f"Verdicts on {len(verdicts)} claims, computed from the stored evidence: {told}. The column *catalogues* counts real"
        " catalogues, by those parts behind the verdict that are decided there: all hold / some hold / none holds / none is decided.",
        "",
        "| | claim | verdict | catalogues | what fails most |",
        "|---|---|---|---|---|",
    ]
    for id in sorted(verdicts, key=lambda id: VERDICTS.index(verdicts[id])):
        own = of_the_sentence(id, found)
        said = _plain(described()[id].get("short", described()[id]["statement"]))
        shown = chip(verdicts[id], verdicts[id])
        lines.append(
            f"| {{ref}}`{id} <{_anchor(id)}>` | {said} | {shown} | {_catalogues(own)} | {_plain(_worst(own))} |"
        )
    return "\n".join(lines)


def _catalogues(findings):
    """On how many catalogues all parts of a claim that are decided hold, some do, none does, or none is decided."""
    said = {}
    for f in findings:
        if f.data != GENERATED and f.verdict in ("holds", "fails", "undecided"):
            said.setdefault(f.data, set()).add(f.verdict)
    sides = [said - {"undecided"} for said in said.values()]
    counts = [sides.count(side) for side in ({"holds"}, {"holds", "fails"}, {"fails"}, set())]
    return " / ".join(map(str, counts)) if any(counts) else "–"


def _worst(findings):
    """The part that fails on the largest share of what decides it, and where."""
    decided = {}
    for f in findings:
        if f.verdict in ("holds", "fails"):
            decided.setdefault(f.part, []).append(f)
    fails = {part: [f.data for f in own if f.verdict == "fails"] for part, own in decided.items()}
    part = max(fails, key=lambda part: len(fails[part]) / len(decided[part]), default=None)
    if part is None or not fails[part]:
        return ""
    n, of = len(fails[part]), len(decided[part])
    named = ["on generated data" if data == GENERATED else data for data in fails[part]]
    where = ", ".join(named) if n <= 2 else "everywhere" if n == of else f"{n} of {of}"
    return f"{part}: {where}" if part else where


def _findings(evidence):
    return [finding for file in evidence for finding in file["findings"]]


def _disputes(found):
    """Of each claim on which datasets disagree, the parts that hold on some and fail on others: where they do."""
    disputes, closeness = {}, {}
    for part in claims.parts():
        own = [f for f in found if (f.id, f.part) == (part.id, part.part) and f.data != GENERATED]
        sides = [[f.data for f in own if f.verdict == verdict] for verdict in ("holds", "fails")]
        if all(sides):
            disputes.setdefault(part.id, {})[part.part] = sides
            closeness[part.id] = max(closeness.get(part.id, 0), min(map(len, sides)))
    return {id: disputes[id] for id in sorted(disputes, key=lambda id: -closeness[id])}


def _sides(holds, fails):
    """Where a part holds and where it fails: datasets by name where they are few."""
    sides = [(verb, names) for verb, names in (("holds", holds), ("fails", fails)) if names]
    return "; ".join(
        f"{verb} on {len(names) if len(names) > 3 else ', '.join(names)}" for verb, names in sides
    )


def _one_number(id, found):
    """What was measured on the dataset whose estimate is the median of those that decide the claim."""
    own = of_the_sentence(id, found)
    own = [f for f in own if f.data != GENERATED and f.verdict in ("holds", "fails")]
    own = sorted((f for f in own if f.part == own[0].part), key=lambda f: f.estimate)
    if own:
        middle = own[(len(own) - 1) // 2]
        part = f" ({middle.part})" if middle.part else ""
        found = middle.why if middle.why.startswith("Spk") else middle.why[0].lower() + middle.why[1:]
        yield f"The median catalogue is {middle.data}{part}: {found}"


def _number(finding):
    estimate, low, high, reference = (
        number(value, finding.unit)
        for value in (finding.estimate, finding.low, finding.high, finding.reference)
    )
    within = f" ({low} to {high})" if finding.low < finding.high else ""
    return f"{estimate}{within} against {reference}"


def _matrix(evidence):
    """Every finding: claims down, datasets across by domain, in a box of its own that scrolls."""
    if not evidence:
        return "<p>No finding is stored yet.</p>"
    n_of = Counter(map(_domain, evidence))
    order = sorted(evidence, key=lambda f: (f["data"] == GENERATED, -n_of[_domain(f)], _domain(f), f["data"]))
    domains = "".join(
        f'<th scope="colgroup" colspan="{n}"><span>{html.escape(domain)}</span></th>'
        for domain, n in Counter(map(_domain, order)).items()
    )
    names = "".join(f'<th scope="col"><span>{html.escape(file["data"])}</span></th>' for file in order)
    cells = {(f.id, f.part, file["data"]): f for file in evidence for f in file["findings"]}
    rows = "".join(_rows(id, order, cells) for id in described())
    letters = ", ".join(f"<b>{letter}</b> {verdict}" for verdict, letter in LETTERS.items())
    return (
        f"<details><summary>Every finding: {len(described())} claims on {len(order)} datasets</summary>"
        f"<p>{letters}. Hover over a cell for the number, with its 95 % interval in brackets; click for the sentence and the code. An"
        " empty cell means that the claim is not about such data.</p>"
        '<div class="matrix" role="region" aria-label="Every finding" tabindex="0"><table class="findings">'
        f'<thead><tr><td rowspan="2"></td>{domains}</tr><tr>{names}</tr></thead>{rows}</table></div></details>'
    )


def _domain(file):
    return "no dataset" if file["data"] == GENERATED else file["domain"]


def _rows(id, order, cells):
    """The body of one claim: its own row where it is one statement, else a heading and a row a part."""
    link = f'<a href="#{_anchor(id)}">{id}</a> {html.escape(described()[id]["statement"])}'
    parts, lines = claims.parts(id), []
    if len(parts) != 1:
        width = len(order) + 1
        lines.append(f'<tr><th scope="rowgroup" colspan="{width}"><span>{link}</span></th></tr>')
    for part, code in zip(parts, _code_names(id)):
        said = link if len(parts) == 1 else html.escape(part.part)
        own = [cells.get((id, part.part, file["data"])) for file in order]
        before, after = _shared(own)
        found = "".join(_cell(part, file["data"], f, before, after) for file, f in zip(order, own))
        kept = "".join(
            f' data-{key}="{html.escape(v)}"' for key, v in (("before", before), ("after", after)) if v
        )
        lines.append(f'<tr data-code="{code}"{kept}><th scope="row"><span>{said}</span></th>{found}</tr>')
    return f"<tbody>{''.join(lines)}</tbody>"


def _shared(findings):
    """The common beginning and end of the sentences of a row, which the page then contains once."""
    said = [f.why.split(" ") for f in findings if f is not None and math.isfinite(f.estimate)]
    if len(set(map(tuple, said))) < 2:
        return "", ""
    n = _alike(said)
    end = _alike([words[:n:-1] for words in said])
    return " ".join(said[0][:n]), " ".join(said[0][len(said[0]) - end :])


def _alike(rows):
    """How many words rows of words begin with that are the same."""
    return next((i for i, words in enumerate(zip(*rows)) if len(set(words)) > 1), min(map(len, rows)))


def _cell(part, data, finding, before, after):
    if finding is None and part.on_data == (data == GENERATED):
        return "<td></td>"
    finding = finding or claims.Finding(part.id, verdict="untested", why="No finding is stored.")
    title, why = finding.why, ""
    if math.isfinite(finding.estimate):
        title = _number(finding)
        why = f' data-why="{html.escape(finding.why[len(before) : len(finding.why) - len(after)])}"'
    return (
        f'<td><button class="{_css(finding.verdict)}" title="{html.escape(title)}"'
        f' aria-label="{finding.verdict}"{why}>{LETTERS[finding.verdict]}</button></td>'
    )


def _code(id):
    """The code that measures a claim, once where its parts share it."""
    names = _code_names(id)
    shown = dict(zip(names, (part.source for part in claims.parts(id))))
    blocks = "".join(
        f'<pre id="{name}"><code>{html.escape(code)}</code></pre>' for name, code in shown.items()
    )
    return f'<details class="claim-code"><summary>Code of {id}</summary>{blocks}</details>' if blocks else ""


def _code_names(id):
    sources = [part.source for part in claims.parts(id)]
    return [f"code-{id.lower()}-{sources.index(source) + 1}" for source in sources]


def _anchor(id):
    return f"claim-{id.lower()}"


def chip(verdict, text):
    return f'<span class="verdict {_css(verdict)}">{text}</span>'


def _css(verdict):
    return verdict.replace(" ", "-")


def _plain(text):
    """Text that Markdown shows as it stands."""
    return re.sub(r"([\\`*_{}\[\]<>#$|~^&])", r"\\\1", text)


def _raw(text):
    return f"::::::{{raw}} html\n{text}\n::::::" if text else ""

"""The page of claims, written from findings that are made up here."""

import importlib.util
import inspect
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from spikylib import claims
from spikylib.claims._registry import described

ROOT = Path(__file__).resolve().parents[1]
DATA = {
    "gowalla": "places",
    "triplej": "music",
    "glove-50d": "words",
    "lastfm-2k": "music",
    "yelp": "businesses",
    "generated": "generated",
}
LETTERS = {"H": "holds", "F": "fails", "U": "undecided", "–": "not applicable", "?": "untested"}


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("claims_page", ROOT / "tools" / "claims_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def chapters():
    return {f.stem[:2]: f"/notebooks/{f.stem}" for f in (ROOT / "notebooks").glob("*.ipynb")}


def finding(part, data, verdict="holds", **others):
    about = {"estimate": 0.84, "low": 0.81, "high": 0.87, "reference": 0.31, "unit": "%", "why": "All of it."}
    return claims.Finding(part.id, part.part, data, verdict=verdict, **(about | others))


def evidence(verdict_of, data=DATA):
    """A file a dataset, with the findings of the claims about it; a verdict of None leaves one out."""
    files = []
    for name in data:
        own = [p for p in claims.parts() if bool(p.needs) == (name != "generated")]
        found = [finding(p, name, verdict_of(p, name)) for p in own if verdict_of(p, name)]
        files.append({"data": name, "domain": DATA[name], "findings": found})
    return files


def page(markdown):
    """What Markdown and reStructuredText leave as it is."""
    return BeautifulSoup(
        "\n".join(re.findall(r"^:{6}\{raw\} html\n(.*?)\n:{6}$", markdown, re.S | re.M)), "html.parser"
    )


def first(part):
    return part == claims.parts("P1")[0]


def tally(soup):
    counts = [li.get_text().split(" ", 1) for li in soup.select("ul.tally li")]
    return {verdict: int(count) for count, verdict in counts}


def test_the_tally_counts_every_claim_once(tool):
    on_real = evidence(lambda part, name: "holds" if part.id == "P1" and name != "generated" else None)
    assert tally(page(tool.overview(on_real))) == {"holds": 1, "untested": len(described()) - 1}
    most = list(DATA)[:3]
    against = evidence(lambda part, name: ("fails" if name in most else "holds") if part.id == "P1" else None)
    assert tally(page(tool.overview(against))) == {"fails": 1, "untested": len(described()) - 1}


def test_claims_on_which_datasets_disagree_come_first(tool):
    split = {"gowalla": "fails", "triplej": "undecided", "yelp": "not applicable"}
    text = tool.overview(evidence(lambda part, name: split.get(name, "holds") if first(part) else "holds"))
    assert f"**Datasets disagree on 1 of the {len(described())} claims**" in text
    top = text[: text.index("<details")]
    assert re.findall(r"^- \[(\w+)\]\(#claim-(\w+)\)", top, re.M) == [("P1", "p1")]
    assert f"  - {claims.parts('P1')[0].part}: holds on glove-50d, lastfm-2k; fails on gowalla" in top
    agreed = tool.overview(evidence(lambda part, name: "holds"))
    assert "disagree" not in agreed and "](#claim-" not in agreed


def test_the_most_evenly_split_claim_is_the_first(tool):
    several = [part for part in claims.parts() if part.needs]
    ids = list(dict.fromkeys(part.id for part in several))
    if len(ids) < 2:
        pytest.skip("there is one claim about catalogues")
    odd, even = {"gowalla"}, {"gowalla", "yelp"}
    text = tool.overview(
        evidence(
            lambda part, name: "fails" if name in {ids[0]: odd, ids[1]: even}.get(part.id, ()) else "holds"
        )
    )
    assert re.findall(r"^- \[(\w+)\]", text, re.M) == [ids[1], ids[0]]


def test_the_matrix_has_every_finding_in_its_row_and_column(tool):
    verdicts = list(LETTERS.values())
    given = evidence(lambda part, name: verdicts[(len(part.part) + len(part.id) + len(name)) % 5])
    table = page(tool.overview(given)).find("table")
    domains, names = table.thead.find_all("tr")
    assert [th.get_text() for th in domains.find_all("th")] == [
        "music", "businesses", "places", "words", "no dataset",
    ]  # fmt: skip
    assert [int(th["colspan"]) for th in domains.find_all("th")] == [2, 1, 1, 1, 1]
    order = [th.get_text() for th in names.find_all("th", scope="col")]
    assert order == ["lastfm-2k", "triplej", "yelp", "gowalla", "glove-50d", "generated"]
    assert [body.find("a")["href"] for body in table.find_all("tbody")] == [
        f"#claim-{id.lower()}" for id in described()
    ]
    shown = {}
    for body in table.find_all("tbody"):
        id = body.find("a").get_text()
        for row in body.select("tr:has(th[scope=row])"):
            part = row.th.get_text() if len(claims.parts(id)) > 1 else ""
            for name, cell in zip(order, row.find_all("td"), strict=True):
                if cell.button:
                    assert LETTERS[cell.get_text()] == cell.button["aria-label"]
                    assert cell.button["class"] == [cell.button["aria-label"].replace(" ", "-")]
                    assert cell.button["title"] == "84.0 % (81.0 % to 87.0 %) against 31.0 %"
                    assert cell.button["data-why"] == "All of it."
                    shown[id, part, name] = cell.button["aria-label"]
    alone = {id for id in described() if len(claims.parts(id)) == 1}
    assert shown == {
        (f.id, "" if f.id in alone else f.part, file["data"]): f.verdict
        for file in given
        for f in file["findings"]
    }


def test_a_row_keeps_what_its_sentences_share_once(tool):
    part = claims.parts("P1")[0]
    whys = {"yelp": "Spk: 12 %, the most being 50 %.", "gowalla": "Spk: 7 %, the most being 50 %."}
    given = [
        {"data": data, "domain": "places", "findings": [replace(finding(part, data, "holds"), why=why)]}
        for data, why in whys.items()
    ]
    row = page(tool.overview(given)).select_one("tr[data-before]")
    assert (row["data-before"], row["data-after"]) == ("Spk:", "%, the most being 50 %.")
    said = {row["data-before"] + b["data-why"] + row["data-after"] for b in row.select("button[data-why]")}
    assert said == set(whys.values())


def test_a_finding_that_is_not_stored_is_seen(tool):
    given = evidence(lambda part, name: None if first(part) and name == "yelp" else "holds")
    (button,) = page(tool.overview(given)).select("button.untested")
    assert button["title"] == "No finding is stored."
    assert button.get_text() == "?"


def test_what_is_not_measured_has_its_reason_instead_of_a_number(tool):
    part = claims.parts("P1")[0]
    nothing = dict.fromkeys(["estimate", "low", "high", "reference"], float("nan"))
    why = 'The data lack "dates" & <b>tags</b> | $x$.'
    found = finding(part, "yelp", "not applicable", why=why, **nothing)
    given = [{"data": "yelp", "domain": "businesses", "findings": [found]}]
    button = page(tool.overview(given)).select_one("button.not-applicable")
    assert button["title"] == why


def test_without_evidence_every_claim_is_untested(tool, chapters):
    text = tool.overview([])
    assert tally(page(text)) == {"untested": len(described())}
    assert "No finding is stored yet." in text
    assert tool.paragraphs([], chapters).count('<span class="verdict untested">') == len(described())


def test_there_is_a_paragraph_a_claim_with_one_number(tool, chapters):
    numbers = dict(zip(DATA, (0.1, 0.9, 0.5, 0.2, 0.8, 0.3)))
    part = claims.parts("P1")[0]
    files = [
        {"data": name, "findings": [finding(part, name, estimate=x, why=f"Share: {x:.0%} *of* all.")]}
        for name, x in numbers.items()
    ]
    text = tool.paragraphs(files, chapters)
    assert re.findall(r"^\(claim-(\w+)\)=$", text, re.M) == [id.lower() for id in described()]
    paragraph = text[text.index("(claim-p1)=") :].split("\n\n")[0]
    across = claims.across("P1", [f for file in files for f in file["findings"]])
    assert f'<span class="verdict {across.verdict.replace(" ", "-")}">{across.verdict}</span>' in paragraph
    assert across.why in paragraph
    middle = f"The median catalogue is glove-50d ({part.part}): share: 50% \\*of\\* all."
    assert middle in paragraph
    assert paragraph.count("%") == 1
    for id, claim in described().items():
        own = text[text.index(f"(claim-{id.lower()})=") :].split("\n\n")[0]
        assert chapters[claim["chapter"]] in own and claim["source"] in own


def test_the_code_of_every_part_is_shown_once(tool, chapters):
    rows = page(tool.overview(evidence(lambda part, name: "holds"))).select("tr[data-code]")
    blocks = page(tool.paragraphs([], chapters)).select("details.claim-code pre")
    assert [row["data-code"] for row in rows if row["data-code"] not in {b["id"] for b in blocks}] == []
    assert max(Counter(block["id"] for block in blocks).values()) == 1
    shown = {block["id"]: block.get_text() for block in blocks}
    assert [shown[row["data-code"]] for row in rows] == [inspect.getsource(p.measure) for p in claims.parts()]
    assert len(shown) == len({(p.id, p.source) for p in claims.parts()})

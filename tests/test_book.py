"""The book builds without a warning, its links resolve, and it loads nothing from the network."""

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from spikylib import claims
from spikylib.claims._registry import described

ROOT = Path(__file__).resolve().parents[1]
HTML = ROOT / "_build" / "html"
# made where they are read: with `make book` and `make html`, and for the tests in a browser, which open them
REPORTS = {HTML / "_static" / name for name in ("report.html", "embedding.html")}


@functools.cache
def stored(name):
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


@pytest.fixture(scope="module")
def pages(html):
    """Every page of the book, parsed, by path."""
    files = [f for f in html.rglob("*.html") if "_static" not in f.parts]
    return {f: BeautifulSoup(f.read_text(encoding="utf-8"), "html.parser") for f in files}


def test_every_page_of_the_contents_is_there(pages):
    toc = re.findall(r"(?:file|root): (\S+)", (ROOT / "_toc.yml").read_text())
    assert [name for name in toc if HTML / f"{name}.html" not in pages] == []


def test_links_lead_somewhere(pages):
    broken = []
    anchors = {f: {t["id"] for t in page.find_all(id=True)} for f, page in pages.items()}
    for file, page in pages.items():
        for tag in page.find_all("a", href=True):
            url = urlsplit(tag["href"])
            if url.scheme or url.netloc or tag["href"] == "#":
                continue
            target = (file.parent / unquote(url.path)).resolve() if url.path else file
            if not target.exists() and target not in REPORTS:
                broken.append(f"{file.name}: {tag['href']}")
            elif url.fragment and target in anchors and unquote(url.fragment) not in anchors[target]:
                broken.append(f"{file.name}: no anchor {tag['href']}")
    assert broken == []


def test_nothing_is_loaded_from_the_network(pages):
    outside = []
    for file, page in pages.items():
        loads = [t["src"] for t in page.find_all(["script", "img", "iframe", "source", "video"], src=True)]
        loads += [t["href"] for t in page.find_all("link", href=True) if "canonical" not in t.get("rel", [])]
        for url in loads:
            if urlsplit(url).scheme in ("data",):
                continue
            path = (file.parent / unquote(urlsplit(url).path)).resolve()
            if urlsplit(url).netloc or not (path.exists() or path in REPORTS):
                outside.append(f"{file.name}: {url}")
    assert outside == []
    sheets = [
        f for f in HTML.rglob("*.css") if re.search(r"(@import|url\()\s*['\"]?(https?:)?//", f.read_text())
    ]
    assert sheets == []


def test_every_picture_says_what_is_seen(pages):
    silent = [
        f"{file.name}: {image.get('src')}"
        for file, page in pages.items()
        for image in page.find_all("img")
        if not image.get("alt", "").strip()
    ]
    assert silent == []


def test_every_number_was_glued(pages):
    for file, page in pages.items():
        for code in page.find_all(["code", "pre"]):
            code.extract()
        assert not re.search(r"\{(glue|stored)", page.get_text()), file


def test_the_claims_page_has_every_claim_with_a_verdict_and_a_chapter(pages):
    page = pages[HTML / "book" / "claims.html"]
    ids = [anchor["id"] for anchor in page.find_all(id=re.compile("^claim-"))]
    counts = {"p": 34, "n": 10, "a": 8, "d": 9}
    seeds = [f"claim-{letter}{i}" for letter, last in counts.items() for i in range(1, last + 1)]
    assert [id for id in ids if id in seeds] == seeds
    for id in ids:
        paragraph = page.find(id=id)
        assert paragraph.find(class_="verdict").get_text() and "Found:" in paragraph.get_text()
        assert [a for a in paragraph.select("a.internal") if "notebooks/" in a["href"]], id
    links = {a["href"].removeprefix("#") for a in page.select("table.findings th a")}
    assert links <= set(ids)


def test_the_results_page_tells_measured_from_published(pages):
    text = pages[HTML / "book" / "results.html"].get_text(" ", strip=True)
    for word in ("measured cornell-yes-small 2888 17.76%", "published deezer 1438603"):
        assert word in text


def test_every_number_links_to_the_cell_that_recorded_it(pages):
    told, wrong = 0, []
    for file, page in pages.items():
        for number in page.find_all(class_="pasted-text"):
            assert not re.search(r"\d%", number.get_text()), f"{file.name}: {number.get_text()}"
            link = number.find_parent("a", class_="glued")
            if link is None:
                wrong.append(f"{file.name}: {number.get_text()} links nowhere")
                continue
            url = urlsplit(link["href"])
            target = (file.parent / url.path).resolve() if url.path else file
            cell = stored(target.stem).cells[int(url.fragment.removeprefix("cell-"))]
            outputs = [output.get("metadata", {}) for output in cell.outputs]
            recorded = {metadata["scrapbook"]["name"] for metadata in outputs if "scrapbook" in metadata}
            told += 1
            # a result that only runs on real data have is not glued: the cell that saves has it
            if link["title"].split(":")[0] not in recorded and "record.save(" not in cell.source:
                wrong.append(f"{file.name}: {number.get_text()} is not of {url.fragment}")
    assert wrong == []
    assert told > 200


def test_the_front_page_maps_the_chapters(pages):
    toc = (ROOT / "_toc.yml").read_text()
    text = pages[HTML / "book" / "intro.html"].find("article").get_text(" ", strip=True)
    places = [text.index(f" {part} ") for part in re.findall(r"caption: (.+)", toc)]
    assert places == sorted(places)
    links = [a["href"] for a in pages[HTML / "book" / "intro.html"].select("article ol a.internal")]
    assert links == [f"../{name}.html" for name in re.findall(r"file: (notebooks/\S+)", toc)]
    assert len(re.findall(r"\((?:\d+ s|\d+ min) ?\)", text)) == len(links)
    top = {page["file"] for part in yaml.safe_load(toc)["parts"] for page in part["chapters"]}
    linked = {a["href"] for a in pages[HTML / "book" / "intro.html"].select("article a.internal")}
    assert {f"../{name}.html".replace("../book/", "") for name in top} <= linked


def test_the_front_page_shows_how_spiky_every_catalogue_is(pages):
    page = pages[HTML / "book" / "intro.html"]
    table = page.find("article").find("table")
    shown = {row.td.get_text(strip=True): row.find_all("td")[2:] for row in table.find_all("tr")[1:]}
    stored = {file.stem: json.loads(file.read_text()) for file in (ROOT / "book" / "evidence").glob("*.json")}
    del stored["generated"]
    assert shown.keys() == stored.keys()
    holding = Counter()
    for name, cells in shown.items():
        findings = [f for f in stored[name]["findings"] if f["id"] == "P1"]
        told = ["" if f["estimate"] is None else f"{100 * f['estimate']:.0f} %" for f in findings]
        assert [cell.get_text(strip=True) for cell in cells] == told, name
        holding.update(f["f"] for f in findings if f["verdict"] == "holds")
    assert f"{holding[16]} of {len(stored)} catalogues are spiky at f = 16" in page.get_text(" ", strip=True)


def test_start_here_counts_catalogues_by_model_and_its_rules_follow_the_counts(pages):
    table = pages[HTML / "book" / "start.html"].find("article").find("table")
    rows = [[cell.get_text(strip=True) for cell in row.find_all("td")] for row in table.find_all("tr")[1:]]
    models = ["SVD", "ALS", "BPR", "SGNS, 5 passes", "SGNS"]
    public = claims.public()
    for (_, rule, *counts), model in zip(rows, models, strict=True):
        spiky, norm, found, rarer, _ = [tuple(map(int, pair.split(", "))) for pair in counts]
        assert spiky == tuple(len(public["L1", f"{model}, f = {f}"]["holds"]) for f in (32, 64))
        own = {id: claims.stored(f"{id}, {model}, f = 32") for id in ("L2", "L3", "L4")}
        measured = {id: [f for f in part if f.data != "generated" and f.n] for id, part in own.items()}
        assert norm[0] >= len(public["L2", f"{model}, f = 32"]["holds"])
        assert norm[0] + norm[1] <= len(measured["L2"])
        assert norm[1] == sum(f.high < 0 for f in measured["L2"])
        for (dot, cosine), id in ((found, "L3"), (rarer, "L4")):
            assert dot == len(public[id, f"{model}, f = 32"]["holds"])
            assert cosine <= len(public[id, f"{model}, f = 32"]["fails"])
        most = len(measured["L3"]) / 2
        assert rule.startswith("dot product") == (found[0] > most)
        assert rule.startswith("cosine") == (found[1] > most)


def test_what_we_learned_has_every_claim_of_the_paper_once_with_its_verdict(pages):
    page = pages[HTML / "book" / "learned.html"].find("article")
    rows = [
        [cell.get_text(strip=True) for cell in row.find_all("td")]
        for row in page.find("table").find_all("tr")[1:]
    ]
    paper = [id for id in claims.table()["id"].unique() if id.startswith("P")]
    assert sorted(row[0] for row in rows) == sorted(paper)
    for id, said, verdict, counts, _ in rows:
        assert len(said.split()) <= 10, said
        assert verdict == claims.across(id, claims.stored(id)).verdict
        of, main = {}, described()[id].get("main")
        for found in claims.stored(id):
            if found.data != "generated" and (main is None or found.part in main):
                of.setdefault(found.data, []).append(found.verdict)
        everywhere = [{v for v in verdicts if v in ("holds", "fails")} for verdicts in of.values()]
        assert counts.split(" / ")[0] in ("–", str(everywhere.count({"holds"})))
    chapters = page.find_all("a", string=re.compile("^chapter "))
    assert len(chapters) >= 5
    assert [a["href"] for a in chapters if "#" not in a["href"]] == [], "no heading states the claim"


def test_the_status_page_tells_what_made_each_notebook(pages):
    rows = {
        cells[0]: cells[1:]
        for row in pages[HTML / "book" / "status.html"].find("table").find_all("tr")
        if len(cells := [cell.get_text(" ", strip=True) for cell in row.find_all("td")])
    }
    assert list(rows) == [f.stem for f in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for name, (time, dataset, versions) in rows.items():
        footer = stored(name).cells[-1].outputs[0].text
        assert re.fullmatch(r"\d+ (s|min)", time), f"run `make notebooks N={name[:2]}`"
        assert dataset.split(",")[0] in footer
        for version in versions.split(", "):
            assert version in footer


def test_the_library_reference_names_the_chapters_of_every_entry(pages):
    sources = {
        f.stem: "\n".join(c.source for c in stored(f.stem).cells if c.cell_type == "code")
        for f in (ROOT / "notebooks").glob("*.ipynb")
    }
    for page in (ROOT / "book").glob("*.md"):
        blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.S | re.M)
        sources[page.stem] = "\n".join(blocks)
    entries = pages[HTML / "book" / "api.html"].select("dl.py.function, dl.py.class")
    assert len(entries) > 60
    for entry in entries:
        module, name = entry.find("dt")["id"].split(".")[-2:]
        (told,) = [p for p in entry.find("dd").find_all("p") if p.get_text().startswith("Used ")]
        linked = {Path(a["href"]).stem for a in told.find_all("a")}
        called = re.compile(rf"\b{module}\.{name}\b|from spikylib\.{module} import .*\b{name}\b")
        calling = {stem for stem, code in sources.items() if called.search(code)}
        if linked and "through other functions" not in told.get_text():
            assert linked <= calling, name
        elif "no chapter" in told.get_text():
            assert not calling, name
        else:
            assert "through other functions" in told.get_text() or "spiky" in told.get_text(), name


def test_the_notebook_can_be_downloaded(pages):
    for name in re.findall(r"file: (notebooks/\S+)", (ROOT / "_toc.yml").read_text()):
        (link,) = pages[HTML / f"{name}.html"].select("a.btn-download-source-button")
        file = (HTML / "notebooks" / link["href"]).resolve()
        assert file.read_bytes() == (ROOT / f"{name}.ipynb").read_bytes()


def launchers(page):
    return {a["href"] for a in page.select(".dropdown-launch-buttons a, .btn-source-repository-button")}


def test_a_named_repository_turns_on_the_launch_buttons(pages, tmp_path):
    for name in ("notebooks", "book", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("static", "__pycache__"))
    shutil.copy(ROOT / "_config.yml", tmp_path)
    chapter = "notebooks/01_background"
    (tmp_path / "_toc.yml").write_text(
        f"format: jb-book\nroot: {chapter}\nparts: [{{caption: C, chapters: [{{file: book/bibliography}}]}}]\n"
    )
    repository = "https://github.com/someone/a-book"
    subprocess.run(
        [Path(sys.executable).with_name("jupyter-book"), "build", tmp_path, "--all"],
        env=os.environ | {"BOOK_REPOSITORY": repository, "BOOK_BRANCH": "trunk"},
        capture_output=True,
        check=True,
    )
    page = BeautifulSoup((tmp_path / "_build/html" / f"{chapter}.html").read_text(), "html.parser")
    binder = "https://mybinder.org/v2/gh/someone/a-book/trunk?urlpath=lab/tree/"
    colab = "https://colab.research.google.com/github/someone/a-book/blob/trunk/"
    assert launchers(page) == {f"{binder}{chapter}.ipynb", f"{colab}{chapter}.ipynb", repository}
    assert launchers(pages[HTML / f"{chapter}.html"]) == set()  # none was named there


def test_a_claim_named_in_a_chapter_links_to_its_verdict(pages):
    for page in [p for f, p in pages.items() if f.parent.name == "notebooks"]:
        article = page.find("article")
        named = [a for a in article.find_all("a", class_="internal") if "#claim-" in a["href"]]
        assert all(a["href"].endswith(f"claims.html#claim-{a.get_text().lower()}") for a in named)
        bare = [
            text
            for text in article.find_all(string=re.compile(r"\bclaims? [PNAD]\d"))
            if not text.find_parent(["h1", "h2", "h3", "figcaption", "pre"])
        ]
        assert named and bare == []


def test_the_first_use_of_a_word_links_to_the_glossary(pages):
    glossary = {dt["id"] for dt in pages[HTML / "book" / "notation.html"].select("dl.glossary dt")}
    linked = set()
    for file, page in pages.items():
        if file.parent.name == "notebooks":
            words = [urlsplit(a["href"]).fragment for a in page.select("article a[href*='#term-']")]
            assert {"term-PPMI", "term-spike", "term-embedding"} & set(words), file.name
            assert len(words) == len(set(words))
            linked |= set(words)
    assert linked == glossary, "a word that no chapter uses"


def test_the_pages_are_published_from_where_they_are_built():
    text = (ROOT / ".github/workflows/pages.yml").read_text()
    workflow = yaml.safe_load(text)
    build, publish = workflow["jobs"]["build"]["steps"], workflow["jobs"]["publish"]
    (make,) = [step for step in build if step.get("run") == "make book"]
    assert make["env"]["BOOK_REPOSITORY"] == "${{ github.server_url }}/${{ github.repository }}"
    (upload,) = [step for step in build if "upload-pages-artifact" in step.get("uses", "")]
    assert ROOT / upload["with"]["path"] == HTML
    assert workflow["permissions"] == {"contents": "read"}
    assert publish["permissions"] == {"pages": "write", "id-token": "write"}
    assert publish["needs"] == "build"


def test_what_contributing_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"(?:`|\]\()((?:\w[\w.]*/)+[\w.]*)[`)]", text)
    assert len(paths) > 8 and [path for path in paths if not (ROOT / path).exists()] == []
    targets = re.findall(r"^(\w+):.*##", (ROOT / "Makefile").read_text(), flags=re.M)
    assert set(re.findall(r"(?:^|`)make (\w+)", text, flags=re.M)) <= set(targets)


def test_binder_finds_what_it_installs():
    python = (ROOT / "binder" / "runtime.txt").read_text().strip().removeprefix("python-")
    ci = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
    assert python in ci["jobs"]["test"]["strategy"]["matrix"]["python"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    constraints, package = [line.split() for line in lines if not line.startswith("#")]
    assert (ROOT / "binder" / constraints[1]).resolve() == ROOT / "constraints.txt"
    assert package == ["-e", ".[book]"] and "book" in project["optional-dependencies"]


def test_the_bibliography_labels_works_as_the_text_cites_them(pages):
    bibliography = pages[HTML / "book" / "bibliography.html"]
    labels = {
        c["id"]: c.find(class_="label").get_text().strip("[] ")
        for c in bibliography.find_all(class_="citation")
    }
    cited = 0
    for page in pages.values():
        for link in page.select("article a[href*='bibliography.html#id']"):
            label = labels[urlsplit(link["href"]).fragment]
            told = " ".join(link.get_text().split())
            assert told in (label, label[-4:]), label
            cited += told == label
    assert cited > 10

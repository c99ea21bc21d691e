"""The stored notebooks keep the promises of book/contribute.md, and nbval compares all of them."""

import ast
import importlib.util
import json
import re
import symtable
from pathlib import Path

import nbformat
import papermill
import pytest

from spikylib import claims

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
HIDING = {"parameters", "remove-cell", "remove-input", "hide-input"}
FRAME = {"What we learned", "Exercises", "Further reading"}


@pytest.fixture(params=NOTEBOOKS, ids=lambda p: p.stem)
def notebook(request):
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code"]


def markdown(notebook):
    return "\n\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_there_are_notebooks_and_all_are_in_the_book():
    toc = (ROOT / "_toc.yml").read_text()
    assert NOTEBOOKS
    assert [p.stem for p in NOTEBOOKS if f"notebooks/{p.stem}" not in toc] == []


def test_every_cell_was_executed_in_order(notebook):
    # nbval runs a cell without a count but compares nothing
    assert [c.execution_count for c in code_cells(notebook)] == list(range(1, len(code_cells(notebook)) + 1))


def test_every_result_is_stored(notebook):
    # a cell whose output was deleted would be compared with nothing
    for cell in code_cells(notebook):
        last = ast.parse(cell.source).body[-1:]
        if last and isinstance(last[0], ast.Expr) and not cell.source.rstrip().endswith(";"):
            silent = ast.unparse(last[0]).startswith(("record", "rerun.", "claims.banner"))
            assert cell.outputs or silent, f"no output stored for: {cell.source[-80:]}"


def test_nothing_failed_and_nothing_went_to_stderr(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", output.get("text")


def test_what_changes_from_run_to_run_is_stripped(notebook):
    assert set(notebook.metadata) == {"kernelspec", "language_info", "spiky"}
    assert notebook.metadata.language_info == {"name": "python"}
    for cell in code_cells(notebook):
        assert not {"execution", "papermill", "ExecuteTime"} & set(cell.metadata)
        for output in cell.outputs:
            text = "".join(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"commit [0-9a-f]{7}", text)
            assert not re.search(r"0x[0-9a-f]{6,}", text), "an address in memory is printed"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_parameters_are_typed_commented_and_read_by_papermill(path, notebook_of):
    notebook = notebook_of(path)
    (cell,) = [c for c in code_cells(notebook) if "parameters" in c.metadata.get("tags", [])]
    declared = {n.target.id: n for n in ast.parse(cell.source).body if isinstance(n, ast.AnnAssign)}
    assert len(declared) == len([line for line in cell.source.splitlines() if line.strip()])
    assert list(declared)[-1] == "results_file"
    inspected = papermill.inspect_notebook(str(path))
    assert list(inspected) == list(declared), "papermill drops a parameter that it cannot parse"
    for name, parameter in inspected.items():
        assert parameter["inferred_type_name"] in ("int", "float", "str", "bool"), name
        assert parameter["help"], f"{name} has no comment"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_no_later_cell_assigns_a_parameter(path, notebook_of):
    # a rerun would say one value and compute with another
    parameters = set(papermill.inspect_notebook(str(path)))
    for cell in code_cells(notebook_of(path)):
        if "parameters" not in cell.metadata.get("tags", []):
            names = symtable.symtable(cell.source, path.stem, "exec").get_symbols()
            assert parameters & {name.get_name() for name in names if name.is_assigned()} == set(), (
                cell.source
            )


def test_every_figure_has_alt_text_caption_and_name(notebook):
    names = []
    for cell in code_cells(notebook):
        if any("image/png" in o.get("data", {}) for o in cell.outputs):
            told = cell.metadata.get("mystnb", {})
            assert len(told["image"]["alt"]) > 40, cell.source
            assert len(told["figure"]["caption"]) > 20, cell.source
            names.append(told["figure"]["name"])
    assert len(names) == len(set(names))


def test_alt_text_and_caption_say_different_things(notebook):
    for cell in code_cells(notebook):
        told = cell.metadata.get("mystnb", {})
        if "figure" in told:
            assert told["image"]["alt"].split() != told["figure"]["caption"].split()


def test_theorems_are_numbered_and_checked_by_the_code_that_follows(notebook):
    cells = notebook.cells
    for i, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        stated = re.findall(
            r"\{prf:(?:theorem|lemma|proposition|corollary|definition)\}.*\n:label: \S+", cell.source
        )
        assert len(stated) == len(re.findall(r"\{prf:(?!proof|ref)", cell.source)), (
            "a statement without a label"
        )
        if stated:
            section = cells[i + 1 :]
            ends = [
                k
                for k, c in enumerate(section)
                if re.search(r"^## ", c.source, re.M) and c.cell_type == "markdown"
            ]
            checks = [c for c in section[: ends[0]] if c.cell_type == "code"]
            assert checks, f"no code follows {stated[0]}"


def test_every_figure_is_named_in_the_text(notebook):
    text = markdown(notebook)
    figures = [cell.metadata.get("mystnb", {}).get("figure", {}).get("name") for cell in code_cells(notebook)]
    assert [name for name in figures if name and f"{{numref}}`{name}`" not in text] == []


def code_lines(cell):
    return [x for x in cell.source.splitlines() if x.strip() and not x.strip().startswith("#")]


def hidden(cell):
    return bool(HIDING & set(cell.metadata.get("tags", [])))


def test_what_is_not_for_reading_is_out_of_sight(notebook):
    for cell in code_cells(notebook):
        draws = "figure" in cell.metadata.get("mystnb", {})
        plumbs = re.match(r"\s*(import|from|record|rerun)\b", cell.source)
        assert hidden(cell) or not (draws or plumbs), cell.source[:80]
    folded = [cell for cell in code_cells(notebook) if "hide-input" in cell.metadata.get("tags", [])]
    assert len(folded) <= 1, "one folded cell, which the numbers link to; the others are removed"


def test_hidden_code_is_short_and_has_no_method(notebook):
    out_of_sight = [
        c for c in code_cells(notebook) if hidden(c) and "parameters" not in c.metadata.get("tags", [])
    ]
    assert sum(len(code_lines(c)) for c in out_of_sight) <= 60
    assert [c.source[:80] for c in out_of_sight if re.search(r"^\s*(def|class) ", c.source, re.M)] == []


def test_the_chapters_are_short():
    cells = [cell for path in NOTEBOOKS for cell in code_cells(nbformat.read(path, as_version=4))]
    assert sum(len(code_lines(cell)) for cell in cells) <= 1500
    assert [x for cell in cells for x in cell.source.splitlines() if len(x) > 75] == []


def test_headings_are_findings_with_the_verdict_of_the_evidence(notebook):
    """A heading names in its cell's metadata the parts of claims it states; {} where it states none."""
    named = {}
    for cell in notebook.cells:
        for heading in re.findall(r"^## (.+)$", cell.source, re.M) if cell.cell_type == "markdown" else ():
            if heading not in FRAME:
                assert cell.source.count("\n## ") + cell.source.startswith("## ") == 1, heading
                named |= cell.metadata["spiky"]["headline"]
    verdicts = {key: claims.across(key.partition(",")[0], claims.stored(key)).verdict for key in named}
    assert named == verdicts
    banners = [c.source for c in code_cells(notebook) if "claims.banner(" in c.source]
    on_data = {k for k in named if any(f.data != "generated" for f in claims.stored(k))}
    told = {key for source in banners for key in literals(source)}
    assert on_data <= told <= named.keys(), "the banner names the parts that the headings do"


def literals(source):
    return {
        n.value
        for n in ast.walk(ast.parse(source))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }


def test_a_sentence_has_two_numbers_at_most(notebook):
    text = re.sub(r"```\{.*?\n|\n\n|\|\n|\n[-*] ", ". ", markdown(notebook))
    roles = r"\{(?:glue:text|stored)\}`[^`]*`"
    text = re.sub(roles, "NUMBER", text)
    sentences = re.split(r"(?<=[.:;!?])[*)\"]*\s+(?=[A-Z*$`({])|\. ", text)
    assert [x for x in sentences if x.count("NUMBER") > 2] == []


def test_exercises_have_solutions_that_run(notebook):
    text = markdown(notebook)
    labels = re.findall(r":label: (ex-\S+)", text)
    assert len(labels) >= 2
    assert re.findall(r"\{solution-start\} (\S+)", text) == labels
    solved = 0
    for cell in notebook.cells:
        if cell.cell_type == "code":
            has_code = True
        for mark in re.findall(
            r"\{solution-(start|end)\}", cell.source if cell.cell_type == "markdown" else ""
        ):
            if mark == "end":
                assert has_code, "a solution without code that CI runs"
                solved += 1
            has_code = False
    assert solved == len(labels)


def test_cells_are_small(notebook):
    long = [
        c.source for c in code_cells(notebook) if len([x for x in c.source.splitlines() if x.strip()]) > 18
    ]
    assert long == []


def test_the_frame_is_there(notebook):
    text = markdown(notebook)
    for part in (
        "In this chapter",
        "**You will** ",
        "**You will learn to** ",
        "**You need** ",
        "**Time**",
        "## What we learned",
        "## Exercises",
        "## Further reading",
    ):
        assert part in text, part
    assert "rerun.footer" in code_cells(notebook)[-1].source


@pytest.fixture
def notebook_of():
    return lambda path: nbformat.read(path, as_version=4)


@pytest.mark.parametrize("path", sorted((ROOT / "book" / "results").glob("*.json")), ids=lambda p: p.stem)
def test_stored_reruns_are_whole_small_and_of_a_chapter(path):
    run = json.loads(path.read_text())
    assert path.stat().st_size < 200_000
    assert run["chapter"] in {p.stem for p in NOTEBOOKS}
    assert path.stem == f"{run['chapter']}--{run['parameters']['dataset']}"
    assert run["results"]
    assert run["provenance"]["commit"]
    hashes = run["provenance"]["data_sha256"]
    assert hashes
    assert all(re.fullmatch("[0-9a-f]{64}", h) for h in hashes.values())


def test_the_results_page_has_every_number_of_the_stored_reruns():
    spec = importlib.util.spec_from_file_location("book_tool", ROOT / "tools" / "book.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    stored = (ROOT / "book" / "results" / "every_number.md").read_text(encoding="utf-8")
    assert stored == tool.every_number(), "run `make results`"
    assert "| `peaks_128` | 513 | 1698 | 2649 |" in stored


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_record_is_made_of_the_parameters_alone(path):
    cells = code_cells(nbformat.read(path, as_version=4))
    (first,) = [i for i, c in enumerate(cells) if "parameters" in c.metadata.get("tags", [])]
    assert sum(c.source.count("rerun.Record(") for c in cells) == 1
    before = [node for cell in (*cells[:first], cells[first + 1]) for node in ast.parse(cell.source).body]
    lines = [ast.unparse(node) for node in before if not isinstance(node, ast.Import | ast.ImportFrom)]
    # a plain value that an earlier line assigns would be taken for a parameter
    assert lines[0] == f"record = rerun.Record({path.stem!r}, globals())"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_what_is_glued_is_what_the_prose_names(path):
    """Names of stored runs count, for a run of the chapter records them; so do those that its tables read."""
    notebook = nbformat.read(path, as_version=4)
    glued = {
        output.metadata.scrapbook.name
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "scrapbook" in output.get("metadata", {})
    }
    named, stored = names_in_prose(path.stem)
    assert named - glued == set(), "the prose names what is not glued"
    unused = {name for name in glued - named - stored if not read_by_code(notebook, name)}
    assert unused == set(), "glued, and named nowhere"


def names_in_prose(chapter):
    """The names of a chapter that any page glues, and those that any page takes from its stored runs."""
    named, stored = set(), set()
    for file in [*NOTEBOOKS, *(ROOT / "book").glob("*.md")]:
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".ipynb":
            cells = nbformat.reads(text, as_version=4).cells
            text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        for document, name in re.findall(r"\{glue:(?:text)?\}`(?:([^`]+)::)?([^`:]+)[^`]*`", text):
            named |= {name} if (Path(document).stem or file.stem) == chapter else set()
        for name, document in re.findall(r"\{glue:\} (\S+)(?:\n:doc: (\S+))?", text):
            named |= {name} if (Path(document).stem or file.stem) == chapter else set()
        for page, name in re.findall(r"\{stored\}`(?:([^`/]+)/)?[^`/]+/([^`:]+)[^`]*`", text):
            stored |= {name} if (page or file.stem) == chapter else set()
    return named, stored


def read_by_code(notebook, name):
    """Whether code other than that which records has the name, as a text or the pattern of an f-string."""
    for cell in code_cells(notebook):
        tree = ast.parse(cell.source)
        records = [
            n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func).startswith("record")
        ]
        recording = {id(inner) for call in records for inner in ast.walk(call)}
        for node in ast.walk(tree):
            if id(node) in recording:
                continue
            if isinstance(node, ast.Constant) and node.value == name:
                return True
            if isinstance(node, ast.JoinedStr):
                fixed = [p.value if isinstance(p, ast.Constant) else None for p in node.values]
                pattern = "".join(".+" if part is None else re.escape(part) for part in fixed)
                # a pattern with nothing of its own would have every name
                if re.search(r"\w{3}", "".join(filter(None, fixed))) and re.fullmatch(pattern, name):
                    return True
    return False

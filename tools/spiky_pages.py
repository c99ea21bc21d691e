"""What the book's pages compute about the book: a Sphinx extension, named in _config.yml.

- ``{{ chapters }}``, ``{{ reference }}`` and ``{{ status }}`` tell what there is, from the table of contents,
  the stored notebooks and book/status.json.
- ``{{ advice }}`` and ``{{ models }}`` are what to do, on what evidence, and where not: by question and by model.
- ``{{ spikiness }}``, ``{{ paper }}``, ``{{ claims_overview }}`` and ``{{ claims_list }}`` show what holds, from
  the findings in book/evidence; ``{headline}`P25, more is found` `` links to the section whose heading states it.
- ``{stored}`dataset/name:format` `` puts a number of a stored run on real data into a chapter's prose; elsewhere
  the chapter is named first. An unknown name is a warning.
- Every figure names the cell that drew it, and offers its points as CSV where the notebook keeps them.
- Every number links to the cell that recorded it, every claim named in a chapter to its verdict, and the
  first use of a word of the glossary in a chapter to its definition.
- Every entry of the library reference names the chapters that use it.
- `BOOK_REPOSITORY` (https://github.com/owner/name) and `BOOK_BRANCH` turn on the buttons that launch a
  chapter on Binder and Colab, and the links to the repository. ``{{ launch }}`` tells how to use them.
- The bibliography style ``author_year`` labels works as the citations in the text do.
"""

import ast
import json
import os
import re
from functools import cache
from pathlib import Path

import claims_page
import nbformat
import yaml
from docutils import nodes
from myst_nb.ext.glue.roles import PasteTextRole
from pybtex.plugin import register_plugin
from pybtex.richtext import Text
from pybtex.style.formatting.plain import Style as PlainStyle
from pybtex.style.labels import BaseLabelStyle
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.nodes import make_refnode

from spikylib import claims, datasets
from spikylib.claims._finding import GENERATED, HOLDS
from spikylib.claims._registry import described
from spikylib.rerun import read_results
from spikylib.rerun._results import stored_number

logger = logging.getLogger(__name__)
CLAIMS = "book/claims"


def setup(app):
    app.connect("config-inited", _configure)
    app.connect("doctree-read", _name_cells)
    app.connect("doctree-read", _link_words)
    app.connect("missing-reference", _link_number)
    app.connect("missing-reference", _link_claim)
    app.connect("missing-reference", _link_headline)
    app.connect("autodoc-process-docstring", _tell_uses, priority=600)  # after napoleon
    app.add_role_to_domain("glue", "text", GluedNumber(), override=True)
    app.add_role("stored", StoredNumber())
    app.add_role("headline", Headline())
    register_plugin("pybtex.style.formatting", "author_year", AuthorYear)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def chapters(source):
    """What comes first, and the chapters by part: what the reader will do, and how long the code runs."""
    lines = [*_pages(_toc(source)[:1])]
    seconds = _status(source)["seconds"]
    for part, names in _parts(source):
        lines += [f"*{part}*", ""]
        for name in names:
            text = _markdown(source / "notebooks" / f"{name}.ipynb")
            found = re.search(r"\*\*You will\*\* (.*?)\n\s*\n", text, re.S)
            if not found:
                raise ExtensionError(f"notebooks/{name}.ipynb does not say what **You will** do in it")
            told = " ".join(found[1].split())
            lines.append(
                f"{int(name[:2])}. {{doc}}`/notebooks/{name}` ({_duration(seconds.get(name))}). You will {told}"
            )
        lines.append("")
    return "\n".join(lines)


def reference(source):
    """The pages of the parts without chapters that come after them."""
    return "\n".join(_pages(_toc(source)[1:]))


def _pages(parts):
    """Links to the pages of some parts that are no chapters."""
    for part in parts:
        pages = [page["file"] for page in part["chapters"] if not page["file"].startswith("notebooks/")]
        if pages:
            yield f"*{part['caption']}*\n\n" + " · ".join(f"{{doc}}`/{page}`" for page in pages) + "\n"


def status(source):
    """Tables of the stored runs: of every chapter, and of its reruns on real data."""
    told = _status(source)
    lines = [
        f"Run times are by the clock, rounded to 5 seconds, with two notebooks running at a time, on {told['machine']}.",
        "",
        "| notebook | run time | run on | with |",
        "|---|---|---|---|",
    ]
    for _, names in _parts(source):
        for name in names:
            dataset, versions = _footer(source / "notebooks" / f"{name}.ipynb")
            time = _duration(told["seconds"].get(name))
            lines.append(f"| {{doc}}`{name} </notebooks/{name}>` | {time} | {dataset} | {versions} |")
    lines += [
        "",
        "## Reruns on real data",
        "",
        "| notebook | dataset | day | commit | with |",
        "|---" * 5 + "|",
    ]
    for file in sorted((source / "book" / "results").glob("*--*.json")):
        run = json.loads(file.read_text(encoding="utf-8"))["provenance"]
        versions = ", ".join(f"{name} {run['versions'][name]}" for name in ("numpy", "scipy"))
        name, dataset = file.stem.split("--")
        lines.append(
            f"| {{doc}}`{name} </notebooks/{name}>` | {dataset} | {run['time'][:10]} | `{run['commit']}`"
            f" | Python {run['python']}, {versions} |"
        )
    return "\n".join(lines)


def launch(repository=None):
    """How to run a chapter on Binder and on Colab, for a book of a known or unknown repository."""
    if repository:
        buttons = "The rocket at the top of every chapter opens it on Binder or on Colab."
    else:
        repository = "https://github.com/OWNER/NAME"
        buttons = (
            "A book that was built from a known repository has a rocket at the top of every chapter, which opens it on"
            " Binder or on Colab. This one was not: put the address of the repository in place of the one below."
        )
    return f"""{buttons}

Binder installs the book by itself, from `binder/`, which takes some minutes. On Colab, run this first, in a cell above the chapter's own,
and then restart the session (*Runtime*, *Restart session*), since Colab has loaded other versions already:

```ipython3
!git clone -q {repository} spiky
%pip install -q "./spiky[book]"
```

After the restart, `%cd spiky/notebooks`, and the chapter finds the stored reruns on real data."""


def uses(source):
    """Where each object of the library is used.

    Returns
    -------
    dict of str to (list of str, list of str)
        For every qualified name, the notebooks and pages whose code names it, and those that reach it through
        other functions only; ``"cli"`` is the command.
    """
    library = _references()
    found = {name: ([], []) for name in library}
    users = {
        f"notebooks/{f.stem}": _notebook_names(f) for f in sorted((source / "notebooks").glob("*.ipynb"))
    }
    users |= {f"book/{f.stem}": _page_names(f) for f in sorted((source / "book").glob("*.md"))}
    users["cli"] = {name for name in library if name.startswith("spikylib.cli.")}
    for user, named in users.items():
        reached, todo = set(), [name for name in named if name in library]
        while todo:
            name = todo.pop()
            if name not in reached:
                reached.add(name)
                todo += library[name] & library.keys()
        for name in reached:
            found[name][0 if name in named else 1].append(user)
    return found


class GluedNumber(PasteTextRole):
    """``{glue:text}`` whose number links to the cell that recorded it."""

    def run(self):
        numbers, messages = super().run()
        document, _, key = self.text.rpartition("::")
        key = key.partition(":")[0]
        env = self.env
        notebook = env.path2doc(env.relfn2path(document)[1]) if document else env.docname
        link = addnodes.pending_xref("", *numbers, reftype="glued", reftarget=key, notebook=notebook)
        link["refdoc"] = env.docname
        return [link] if numbers else [], messages

    @property
    def env(self):
        return self.document.settings.env


class StoredNumber(SphinxRole):
    """``{stored}``: a number of a stored run, linked to the cell that recorded it in the run."""

    def run(self):
        page = self.env.docname
        source = Path(self.env.srcdir)
        try:
            chapter, dataset, name, text = stored_number(
                self.text, Path(page).name, lambda chapter: _stored(source, chapter)
            )
        except ValueError as error:
            logger.warning(str(error), location=self.get_location())
            return [], []
        number = nodes.inline(text, text, classes=["pasted-text"])
        link = addnodes.pending_xref("", number, reftype="glued", reftarget=name, dataset=dataset)
        link["notebook"], link["refdoc"] = f"notebooks/{chapter}", page
        return [link], []


class Headline(SphinxRole):
    """``{headline}``: the chapter that states a claim, or a part of one, in the heading of a section, linked."""

    def run(self):
        source = Path(self.env.srcdir)
        id = self.text.partition(",")[0]
        chapter = described()[id]["chapter"]
        notebook, heading = _headlines(source).get(
            self.text, (next((source / "notebooks").glob(f"{chapter}_*")).stem, "")
        )
        link = addnodes.pending_xref("", reftype="headline", reftarget=heading, refdoc=self.env.docname)
        link["notebook"] = f"notebooks/{notebook}"
        link += nodes.inline("", f"chapter {int(notebook[:2])}")
        return [link], []


# What a report decides: the rule, what the parts of claims say on which it rests most, and where it does not hold
GUIDE = (
    (
        "Do my items lie on spikes?",
        "Compare Spk with the lowest of several nulls at the same f. The embedding is spiky if it needs at most half as many peaks.",
        [("P1", "f = 32", "spiky at 32 dimensions: {holds}")],
        "Where all rows share a direction, as those of word2vec may, a low Spk alone is no evidence.",
    ),
    (
        "Rank by cosine or by dot product?",
        "Test both on hidden items. Where long rows are popular, the dot product mostly finds more hits, the cosine more of "
        "the rest; cosine times norm^1/4 is a compromise.",
        [
            ("P25", "more is found", "recall is higher by dot product, by a point or more: {holds}"),
            ("P24", "less popular half", "on the less popular half, by cosine: {holds}"),
        ],
        "On films, papers and baskets the dot product finds no more; on films long rows are not popular items. "
        "On lastfm-2k the cosine finds no more of the less popular half.",
    ),
    (
        "How many dimensions?",
        "Hide items, and take the smallest f within 3 % of the best recall. Do not use the knee of Spk.",
        [
            ("P30", "beside f = 64", "the knee comes nearer to that f than a fixed 64 does: {holds}"),
            ("P30", "beside held-out recall", "as near as a choice by other hidden items: {holds}"),
        ],
        "To look at communities, take 16 or 32: at 128 fewer catalogues are spiky.",
    ),
    (
        "May the norm be read as popularity?",
        "Only if the two correlate, which one line of code shows.",
        [("P22", "long rows are popular", "the longest 10 % of rows are popular items: {holds}")],
        "Films; and word2vec that was trained long, where long rows are rare items.",
    ),
    (
        "Is it safe to average items?",
        "To recommend from a history, yes. To represent the items themselves, no: few of them are nearest to their mean.",
        [
            (
                "S3",
                "cosine, than one item",
                "by cosine, the mean of a history finds more than a single item of it does: {holds}",
            ),
            ("A7", "10 items, cosine", "the mean finds fewer of its ten items than theory predicts: {holds}"),
        ],
        "Items of one spike point the same way as their mean.",
    ),
    (
        "Which items will lose their neighbours?",
        "In another sample of the same listeners, those in few contexts, or, without interactions, those with short rows. "
        "Over time, those that lose contexts.",
        [
            (
                "P27",
                "lists repeat, equal plays",
                "at equal plays, lists of long rows repeat more than with shuffled items: {holds}",
            ),
            (
                "H4",
                "list, an eighth left",
                "an item left with an eighth of its contexts keeps less of its list: {holds}",
            ),
        ],
        "Films: the longest rows do not keep more of their lists than the shortest.",
    ),
    (
        "How long will lists of neighbours last?",
        "First train twice on samples of one period: only a larger difference is a change over time.",
        [
            ("P31", "half-way, cosine", "long rows keep more of their lists half-way: {holds}"),
            ("P31", "at the end, cosine", "to the end: {holds}"),
            ("P31", "beyond chance", "more than chance explains: {holds}"),
        ],
        "Baskets: there the longest rows keep more of their lists to the end.",
    ),
)
# Embeddings that people train: their names, here and in the parts of claims L1 to L4, and what to rank by
MODELS = (
    ("SVD of PPMI", "SVD", "test both"),
    ("ALS", "ALS", "dot product for hits, cosine for the rest"),
    ("BPR", "BPR", "dot product for hits, cosine for the rest"),
    ("word2vec, few passes", "SGNS, 5 passes", "test both"),
    ("word2vec, many passes", "SGNS", "cosine; for rarer items test both"),
)


def models(evidence):
    """What to rank by, by the model that made the embedding, and on how many catalogues each side was ahead, in Markdown."""
    found = {}
    for file in evidence:
        for f in file["findings"]:
            if file["data"] != GENERATED and f.n:
                found.setdefault((f.id, f.part), []).append(f)
    lines = []
    for name, model, rule in MODELS:
        spiky, norms, all_items, rarer = (found[id, f"{model}, f = 32"] for id in ("L1", "L2", "L3", "L4"))
        larger = {id: found[id, f"{model}, f = 64"] for id in ("L1", "L3")}
        most = [[max(f.estimate, f.reference) for f in part] for part in (larger["L3"], all_items)]
        counts = (
            [sum(f.verdict == HOLDS for f in part) for part in (spiky, larger["L1"])],
            _sides([(f.low, f.high) for f in norms]),
            *(
                _sides([(f.low - f.reference, f.high - f.reference) for f in part], 0.01)
                for part in (all_items, rarer)
            ),
            [sum(a > 1.03 * b for a, b in zip(*ordered, strict=True)) for ordered in (most, most[::-1])],
        )
        lines.append(f"| **{name}** | {rule} | {' | '.join(f'{a}, {b}' for a, b in counts)} |")
    return "\n".join(
        [
            f"| of {len(spiky)} catalogues | rank items by | spiky at f = 32, at 64 | norm rises, falls with plays"
            " | more found by dot product, by cosine | of the rarer half | more found at f = 64, at 32 |",
            "|---|---|" + "--:|" * 5,
            *lines,
        ]
    )


def _sides(intervals, margin=0.0):
    """How many intervals lie wholly above the margin, and how many below its negative."""
    return sum(low >= margin for low, _ in intervals), sum(high <= -margin for _, high in intervals)


def spikiness(evidence):
    """Spk of every public catalogue compared with its lowest null, as P1 measured it, in Markdown."""
    found = {file["data"]: [f for f in file["findings"] if f.id == "P1"] for file in evidence}
    found.pop(GENERATED)
    kind = datasets.catalogue().set_index("name")["kind"]
    ranks = [part.part for part in claims.parts("P1")]
    told = []
    for k in (0, -1):
        verdicts = [parts[k].verdict for parts in found.values() if parts[k].n]
        told.append(f"{verdicts.count(HOLDS)} of {len(verdicts)} catalogues are spiky at {ranks[k]}")
    lines = [
        f"**{', and '.join(told)}.** Each cell gives the number of directions that capture half of the items, as a percentage "
        "of the fewest that any of several random embeddings needs. Up to 50 % "
        "counts as spiky ({ref}`P1 <claim-p1>`). The value is the mean over five draws of 80 % of the contexts, or the single value of a "
        "published embedding; a cell is empty where the embedding has fewer dimensions. Compare catalogues with care: Spk falls as the "
        "number of items grows.",
        "",
        f"| catalogue | of | {' | '.join(ranks).replace('| f = ', '| ')} |",
        "|---|---|" + "--:|" * len(ranks),
    ]
    for data, parts in sorted(found.items(), key=lambda pair: pair[1][0].estimate):
        cells = [claims_page.chip(f.verdict, f"{100 * f.estimate:.0f} %") if f.n else "" for f in parts]
        lines.append(f"| {data} | {parts[0].n / 1000:.0f}k {kind[data].split()[0]} | {' | '.join(cells)} |")
    return "\n".join(lines)


def advice():
    """The questions of a report, each with its rule, the evidence and the exception, in Markdown."""
    known = claims.public()
    lines = [
        "| question | rule | holds on how many public catalogues, of those with a clear verdict | exception |",
        "|---|---|---|---|",
    ]
    for question, rule, rests, exception in GUIDE:
        told = [
            f"{said.format(holds=_of_decided(known[id, part]))} ({{ref}}`{id} <claim-{id.lower()}>`)"
            for id, part, said in rests
        ]
        lines.append(f"| **{question}** | {rule} | {'; '.join(told)} | {exception} |")
    return "\n".join(lines)


def _of_decided(known):
    return f"{len(known['holds'])} of {len(known['holds']) + len(known['fails'])}"


class AuthorYearLabels(BaseLabelStyle):
    """``Afchar et al., 2023``."""

    def format_labels(self, entries):
        for entry in entries:
            names = [
                " ".join([*person.prelast_names, *person.last_names]) for person in entry.persons["author"]
            ]
            told = names[0] + " et al." if len(names) > 2 else " and ".join(names)
            yield f"{Text.from_latex(told)}, {entry.fields['year']}"


class AuthorYear(PlainStyle):
    default_label_style = AuthorYearLabels


def _configure(app, config):
    source = Path(app.srcdir)
    options = config.html_theme_options
    repository = os.environ.get("BOOK_REPOSITORY") or options.get("repository_url")
    evidence = claims.read_evidence(source / "book" / "evidence")
    numbers = {file.stem[:2]: f"/notebooks/{file.stem}" for file in (source / "notebooks").glob("*.ipynb")}
    config.myst_substitutions = {
        "chapters": chapters(source),
        "advice": advice(),
        "models": models(evidence),
        "spikiness": spikiness(evidence),
        "paper": claims_page.paper(evidence),
        "claims_overview": claims_page.overview(evidence),
        "claims_list": claims_page.paragraphs(evidence, numbers),
        "reference": reference(source),
        "status": status(source),
        "launch": launch(repository),
        "clone": f"The repository is <{repository}>."
        if repository
        else "This copy of the book was built without the address of its repository, which its publisher can give you. If you "
        "have the files already, run the commands in the folder that contains `pyproject.toml`.",
        "judged": f"{sum(f.verdict != 'not applicable' for file in evidence for f in file['findings']):,}",
    }
    if repository:
        options["repository_url"] = repository
        options["repository_branch"] = (
            os.environ.get("BOOK_BRANCH") or options.get("repository_branch") or "main"
        )
        options["use_repository_button"] = True
    else:
        options.pop("launch_buttons", None)  # there is nothing to launch from


def _name_cells(app, doctree):
    """Give every cell an address, and every figure its data and the cell that drew it."""
    file = Path(app.env.doc2path(app.env.docname))
    cells = _cells(file) if file.suffix == ".ipynb" else []
    for cell in list(doctree.findall(nodes.container)):
        if cell.get("nb_element") == "cell_code":
            cell["ids"].append(f"cell-{cell['cell_index']}")
            source = cells[cell["cell_index"]]
            drawn = list(cell.findall(nodes.figure))
            if any(
                "spiky-figure" in output.get("data", {}).get("text/html", "") for output in source.outputs
            ):
                drawn.append(cell)
            for figure in drawn:
                figure += _origin(app, cell, source, figure["names"] or figure["ids"])


def _origin(app, cell, source, names):
    """Below the caption: the points as CSV where the notebook keeps them, and the cell, folded where it is removed."""
    line, name = nodes.paragraph(), f"cell [{source.execution_count}]"
    for output in source.outputs:
        if points := output.get("metadata", {}).get("text/csv"):
            file = Path(app.outdir, "_downloads", f"{names[0]}.csv")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(points, encoding="utf-8")
            line += nodes.reference("", "data (CSV)", refuri=f"../_downloads/{file.name}", internal=True)
    if any(part.get("nb_element") == "cell_code_source" for part in cell.findall(nodes.container)):
        line += nodes.reference("", f"drawn by {name}", refid=f"cell-{cell['cell_index']}", internal=True)
        return nodes.container("", line, classes=["origin"])
    code = nodes.literal_block(source.source, source.source, language="ipython3")
    before = nodes.raw("", f"<details><summary>drawn by {name}</summary>", format="html")
    after = nodes.raw("", "</details>", format="html")
    return nodes.container("", line, before, code, after, classes=["origin"])


def _link_number(app, env, node, number):
    if node["reftype"] != "glued":
        return None
    name, notebook = node["reftarget"], node["notebook"]
    file = Path(env.doc2path(notebook))
    # what a chapter records on real data only is glued nowhere: its link leads to the cell that saves
    index = _glued(file)[name] if name in _glued(file) else _saving_cell(file)
    # a space before the sign, as in the typed numbers, which a line does not part either
    for text in list(number.findall(nodes.Text)):
        text.parent.replace(text, nodes.Text(re.sub(r"(?<=\d)%", "\N{NO-BREAK SPACE}%", text)))
    by = f"stored rerun on {node['dataset']}" if "dataset" in node else "recorded by this cell"
    link = make_refnode(app.builder, node["refdoc"], notebook, f"cell-{index}", number, f"{name}: {by}")
    link["classes"].append("glued")
    return link


@cache
def _stored(source, chapter):
    return read_results(chapter, source / "book" / "results")


@cache
def _glued(file):
    """For every name glued in a notebook, the index of its cell."""
    return {
        output.metadata.scrapbook.name: index
        for index, cell in enumerate(_cells(file))
        for output in cell.get("outputs", [])
        if "scrapbook" in output.get("metadata", {})
    }


def _saving_cell(file):
    """The index of the cell that writes the result file."""
    cells = _cells(file)
    return next(i for i, cell in enumerate(cells) if "record.save(" in cell.source)


def _link_words(app, doctree):
    """Link the claims that a chapter names, and its first use of each word of the glossary."""
    docname = app.env.docname
    if not docname.startswith("notebooks/"):
        return
    source = Path(app.srcdir)
    targets = {("claim", claim): re.compile(rf"\b{claim}\b") for claim in described()}
    targets |= {("term", term): _word(term) for term in _glossary(source)}
    prose = (nodes.paragraph, nodes.emphasis, nodes.strong, nodes.inline)
    outside = (nodes.reference, addnodes.pending_xref, nodes.title, nodes.caption, nodes.literal, nodes.math)
    for text in list(doctree.findall(nodes.Text)):
        parents = list(_parents(text))
        if isinstance(text.parent, prose) and not any(isinstance(p, outside) for p in parents):
            _link_text(text, targets, docname)


def _link_text(text, targets, docname):
    told, made, rest = text.astext(), [], 0
    found = [(match, target) for target, pattern in targets.items() for match in pattern.finditer(told)]
    for match, (kind, name) in sorted(found, key=lambda f: (f[0].start(), -f[0].end())):
        if match.start() < rest or (kind, name) not in targets:
            continue
        link = addnodes.pending_xref("", reftype=kind, reftarget=name, refexplicit=True, refdoc=docname)
        link["refdomain"] = "std" if kind == "term" else ""
        link += nodes.inline("", match[0])
        made += [nodes.Text(told[rest : match.start()]), link]
        rest = match.end()
        if kind == "term":
            del targets[kind, name]
    if made:
        text.parent.replace(text, [node for node in [*made, nodes.Text(told[rest:])] if node.astext()])


def _link_claim(app, env, node, claim):
    if node["reftype"] != "claim":
        return None
    name = node["reftarget"]
    return make_refnode(app.builder, node["refdoc"], CLAIMS, f"claim-{name.lower()}", claim)


def _link_headline(app, env, node, chapter):
    if node["reftype"] != "headline":
        return None
    heading, notebook = node["reftarget"], node["notebook"]
    return make_refnode(app.builder, node["refdoc"], notebook, nodes.make_id(heading), chapter, heading)


@cache
def _headlines(source):
    """Of each claim or part that a heading states, the notebook and the heading."""
    found = {}
    for file in sorted((source / "notebooks").glob("*.ipynb")):
        for cell in _cells(file):
            for key in cell.metadata.get("spiky", {}).get("headline", {}):
                found.setdefault(key, (file.stem, re.search(r"^## (.+)$", cell.source, re.M)[1]))
    return found


@cache
def _glossary(source):
    text = (source / "book" / "notation.md").read_text(encoding="utf-8")
    return re.findall(r"^(\S.*)$", re.search(r"```\{glossary\}\n(.*?)```", text, re.S)[1], re.M)


def _word(term):
    """A term in the singular or plural; a lower-case one also at the beginning of a sentence."""
    first = f"[{term[0]}{term[0].upper()}]"
    return re.compile(rf"(?<![\w@-]){first}{re.escape(term[1:])}s?(?![\w-])")


def _parents(node):
    while node := node.parent:
        yield node


def _tell_uses(app, what, name, obj, options, lines):
    if what not in ("function", "class"):
        return
    direct, through = _uses_of(Path(app.srcdir)).get(f"{obj.__module__}.{obj.__name__}", ([], []))
    if links := _user_links(direct):
        told = f"Used in {links}."
    elif links := _user_links([user for user in through if user.startswith("notebooks/")] or through):
        told = f"Used through other functions, in {links}."
    else:
        told = "Used by the command *spiky*." if direct or through else "Used in no chapter."
    lines += ["", told, ""]


@cache
def _uses_of(source):
    return uses(source)


def _user_links(docnames):
    links = []
    for docname in docnames:
        if docname.startswith("notebooks/"):
            links.append(f":doc:`chapter {int(Path(docname).name[:2])} </{docname}>`")
        elif docname != "cli":
            links.append(f":doc:`/{docname}`")
    return ", ".join(links)


def _references():
    """For every top-level object of the library, the objects of the library that it names."""
    found = {}
    for module, tree in _modules().items():
        objects = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        known = _imported(tree) | {node.name: f"{module}.{node.name}" for node in objects}
        found |= {f"{module}.{node.name}": _named(node, known) for node in objects}
    return found


@cache
def _modules():
    """The library, parsed, by the names of its modules."""
    import spikylib

    package = Path(spikylib.__file__).parent
    files = {
        ".".join(file.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): file
        for file in sorted(package.rglob("*.py"))
    }
    return {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in files.items()}


@cache
def _definition(name):
    """Where an object is defined that a package offers: ``spikylib.datasets.Embeddings`` is elsewhere."""
    module, _, own = name.rpartition(".")
    if name in _modules() or module not in _modules():
        return name
    imported = _imported(_modules()[module])
    return _definition(imported[own]) if own in imported else name


def _notebook_names(file):
    cells = _cells(file)
    tree = ast.parse("\n".join(c.source for c in cells if c.cell_type == "code"))
    return _named(tree, _imported(tree))


def _page_names(file):
    blocks = re.findall(r"^```python\n(.*?)^```", file.read_text(encoding="utf-8"), re.S | re.M)
    try:
        tree = ast.parse("\n".join(blocks))
    except SyntaxError as error:
        raise ExtensionError(f"{file.name}: its blocks of Python are none: {error}") from None
    return _named(tree, _imported(tree))


@cache
def _imported(tree):
    """What a file takes from the library, by the names that it uses."""
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "spikylib"
        for alias in node.names
    }


def _named(tree, known):
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in known:
            found.add(known[node.id])
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            found.add(f"{known[node.value.id]}.{node.attr}")
    return {_definition(name) for name in found}


def _parts(source):
    """The parts of the table of contents that hold chapters, with their notebooks."""
    for part in _toc(source):
        names = [Path(c["file"]).name for c in part["chapters"] if c["file"].startswith("notebooks/")]
        if names:
            yield part["caption"], names


def _toc(source):
    return yaml.safe_load((source / "_toc.yml").read_text(encoding="utf-8"))["parts"]


def _status(source):
    return json.loads((source / "book" / "status.json").read_text(encoding="utf-8"))


def _duration(seconds):
    if seconds is None:
        return "not timed"
    return f"{seconds} s" if seconds < 120 else f"{seconds / 60:.0f} min"


@cache
def _cells(file):
    """The cells of a notebook, read once a build: several steps look at each."""
    return nbformat.read(file, as_version=4).cells


def _markdown(file):
    return "\n\n".join(c.source for c in _cells(file) if c.cell_type == "markdown")


def _footer(file):
    """What the footer of a stored notebook told: dataset and seed, and versions."""
    outputs = _cells(file)[-1].get("outputs")
    if not outputs:
        raise ExtensionError(
            f"{file.name} is not executed, or has no footer; run `make notebooks N={file.stem[:2]}`"
        )
    first, *versions = outputs[0].text.splitlines()
    dataset, python = first.removeprefix("dataset ").rsplit(" · Python ", 1)
    # the last line is the commit
    return dataset.replace(" · ", ", "), f"Python {python}, {', '.join(versions[:-1]).replace(' · ', ', ')}"

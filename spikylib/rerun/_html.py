"""An executed notebook as one HTML file that loads nothing from anywhere."""

import ast
import base64
import contextlib
import importlib.metadata
import re
from pathlib import Path

from spikylib._files import write_whole
from spikylib.rerun._results import stored_number


def write(notebook_file: Path) -> None:
    """Write an executed notebook as a page beside it, with the numbers of this run in its prose."""
    import nbformat
    from nbconvert import HTMLExporter

    notebook = nbformat.read(notebook_file, as_version=4)
    _fill_numbers(notebook, notebook_file.stem)
    # where nbconvert would have the page fetch a script: the script itself, or none
    urls = dict.fromkeys(("require_js_url", "mermaid_js_url"), _script("")) | {"mathjax_url": _mathjax()}
    page, _ = HTMLExporter(embed_images=True, **urls).from_notebook_node(notebook)
    page = re.sub(r'src="[^"]*plotly\.min\.js"', _plotly, page)
    write_whole(notebook_file.with_suffix(".html"), page)


def _fill_numbers(notebook, chapter):
    """Put the glued numbers, and those of stored runs, where the prose names them, as the book does."""
    glued = {}
    for cell in notebook.cells:
        for output in list(cell.get("outputs", [])):
            if mark := output.get("metadata", {}).get("scrapbook"):
                with contextlib.suppress(KeyError, ValueError, SyntaxError):
                    glued[mark["name"]] = ast.literal_eval(output.data[f"{mark['mime_prefix']}text/plain"])
                # with a prefix it was glued without being shown
                if mark["mime_prefix"]:
                    cell.outputs.remove(output)

    def number(role):
        kind, reference = role.groups()
        name, _, form = reference.partition(":")
        with contextlib.suppress(ValueError, KeyError, FileNotFoundError):
            return format(glued[name], form) if kind == "glue:text" else stored_number(reference, chapter)[-1]
        # a rank that this data does not have, say
        return "(not measured in this run)" if kind == "glue:text" else role[0]

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\{(glue:text|stored)\}`([^`]+)`", number, cell.source)


def _mathjax():
    """Address of MathJax from the installed package, set up for formulas between dollars."""
    # SVG needs no fonts, which the page would have to fetch
    (file,) = [f for f in importlib.metadata.files("sphinx-mathjax-offline") if f.name == "tex-svg.js"]
    settings = 'window.MathJax = {tex: {inlineMath: [["$", "$"]], tags: "ams"}};'
    return _script(settings + file.locate().read_text(encoding="utf-8"))


def _plotly(_match):
    """Plotly from its package, which is imported only for a page that has such a figure."""
    import plotly.offline

    return f'src="{_script(plotly.offline.get_plotlyjs())}"'


def _script(text):
    return "data:text/javascript;base64," + base64.b64encode(text.encode()).decode()

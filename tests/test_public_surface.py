"""The house: which module may import which, how much there is, and what a caller can see of it."""

import ast
import importlib
import inspect
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "spikylib"
# data goes one way: a module imports only from rows above its own
ROWS = (
    ("synthetic",),
    ("datasets",),
    ("ppmi",),
    ("svd", "nulls", "selectors"),
    ("spikes",),
    ("retrieval",),
    ("dcbm", "stability", "consistency", "continuation"),
    ("beyond", "cluster"),
    ("study",),
    ("claims",),
    ("plots",),
    ("report",),
    ("rerun",),
    ("cli",),
)
LAYOUT = {getattr(tokenize, kind) for kind in ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENDMARKER")}


def module_name(file):
    parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(file): file for file in sorted(PACKAGE.rglob("*.py"))}
TREES = {name: ast.parse(file.read_text(encoding="utf-8")) for name, file in FILES.items()}
PUBLIC = [name for name in FILES if "._" not in name]


def room(name):
    """The module or package directly below spikylib: spikylib.datasets._own is in datasets."""
    return name.removeprefix("spikylib").lstrip(".").partition(".")[0]


def imports(name):
    """Modules of spikylib that a module imports, inside its functions too."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in FILES)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name} imports by a relative path"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in FILES or node.module in FILES:
                    yield whole if whole in FILES else node.module


def depends_on(name, seen):
    """Modules that a module imports, directly or through others."""
    for other in set(imports(name)) - seen:
        seen.add(other)
        depends_on(other, seen)
    return seen


@pytest.mark.parametrize("name", FILES)
def test_data_goes_one_way(name):
    row = {module: k for k, modules in enumerate(ROWS) for module in modules}
    own = room(name)
    reached = {room(other) for other in depends_on(name, set())} - {own, ""}
    if own in row:
        assert [other for other in reached if other in row and row[other] >= row[own]] == []
    else:
        assert own == "" or own.startswith("_"), f"{own} is in no row of this test"


def test_figures_take_results_and_compute_none():
    taken = [
        alias.name
        for name, tree in TREES.items()
        if room(name) == "plots"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spikylib")
        if room(node.module) != "plots" and not room(node.module).startswith("_")
        for alias in node.names
    ]
    assert all(name[0].isupper() for name in taken), taken  # the classes of what is drawn


@pytest.mark.parametrize("name", FILES)
def test_no_circle(name):
    assert name not in depends_on(name, set())


@pytest.mark.parametrize("name", FILES)
def test_private_names_stay_in_their_module(name):
    # a file with an underscore is private to the package, and its plain names serve all of it
    modules, taken = {}, []
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.module in FILES:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                if whole in FILES:
                    modules[alias.asname or alias.name] = whole
                elif alias.name.startswith("_") and alias.name != "__version__":
                    taken.append(whole)
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules:
            whole = f"{modules[node.value.id]}.{node.attr}"
            if node.attr.startswith("_") and whole not in FILES:
                taken.append(whole)
    assert taken == []


def code_lines(source):
    """Lines that hold code: no docstring, no comment, nothing blank."""
    docstrings, lines = set(), set()
    for node in ast.walk(ast.parse(source)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            docstrings |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in LAYOUT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


def test_code_is_counted_without_what_explains_it():
    source = (
        '"""Module."""\n\nX = """a\nb"""  # two lines\n\n# why\ndef f():\n    """Do."""\n    return f"{X}"\n'
    )
    assert code_lines(source) == 4


def public_names(name):
    """What a module or package offers: `__all__`, else its own functions and classes without an underscore."""
    module = importlib.import_module(name)
    if hasattr(module, "__all__"):
        return module.__all__
    names = [n for n, o in vars(module).items() if inspect.isclass(o) or inspect.isfunction(o)]
    own = [n for n in names if f"{vars(module)[n].__module__}.".startswith(f"{name}.")]
    return [n for n in own if not n.startswith("_")]


def test_the_library_stays_thin():
    lines = {name: code_lines(file.read_text(encoding="utf-8")) for name, file in FILES.items()}
    reading = {name: n for name, n in lines.items() if name.startswith("spikylib.datasets")}
    # the formats that people bring are many and small: they are counted apart from what measures
    claims = {name: n for name, n in lines.items() if name.startswith("spikylib.claims")}
    # nor do claims, a short function each, make what measures any harder to see through, or what reports them,
    # or the commands
    reports = {name: n for name, n in lines.items() if name.startswith("spikylib.report")}
    assert sum(reading.values()) <= 1720, reading
    assert sum(claims.values()) <= 4800, claims
    assert sum(reports.values()) <= 1100, reports
    apart = sum(map(sum, (d.values() for d in (reading, claims, reports))))
    assert lines["spikylib.cli"] <= 330
    # what differs on a GPU is in one place
    assert lines["spikylib._device"] <= 200
    assert sum(lines.values()) - apart - lines["spikylib.cli"] - lines["spikylib._device"] <= 4280, lines
    names = {name: public_names(name) for name in PUBLIC if name != "spikylib.cli"}
    assert sum(map(len, names.values())) <= 138, names


def callables(name):
    """Functions of a module, and the methods of its classes, that a caller sees."""
    module = importlib.import_module(name)
    for public in public_names(name):
        found = getattr(module, public)
        if inspect.isclass(found):
            for attribute, method in vars(found).items():
                method = getattr(method, "__func__", getattr(method, "fget", getattr(method, "func", method)))
                seen = attribute == "__init__" or not attribute.startswith("_")
                if seen and inspect.isfunction(method) and method.__module__.startswith("spikylib"):
                    yield f"{public}.{attribute}", method
        elif inspect.isfunction(found):
            yield public, found


@pytest.mark.parametrize("name", [name for name in PUBLIC if name != "spikylib.cli"])
def test_the_public_surface_is_annotated(name):
    missing = []
    for public, function in callables(name):
        signature = inspect.signature(function)
        parameters = [p for p in signature.parameters.values() if p.name not in ("self", "cls")]
        missing += [
            f"{public}({p.name})" for p in parameters if p.annotation is p.empty and p.kind != p.VAR_KEYWORD
        ]
        if signature.return_annotation is signature.empty and not public.endswith("__init__"):
            missing.append(f"{public} -> ?")
    assert missing == []
    assert (PACKAGE / "py.typed").is_file()


def loaded_by(statement):
    command = [sys.executable, "-c", f"import sys; {statement}; print(*sys.modules)"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_what_measures_needs_numpy_and_sparse_matrices_alone():
    heavy = {"pandas", "scipy.stats", "sklearn", "pyarrow", "matplotlib", "seaborn", "plotly"}
    assert not heavy & loaded_by("from spikylib import ppmi, retrieval, spikes, svd")


def test_the_package_alone_loads_nothing_heavy():
    assert not {"numpy", "scipy", "pandas"} & loaded_by("import spikylib")

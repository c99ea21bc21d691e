"""The notebooks, and the parameters that they declare: found, read, and checked against what is given."""

import ast
import contextlib
import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from spikylib._files import in_checkout
from spikylib.rerun._results import did_you_mean

_NUMBER = r"-?\d[\d_]*(?:\.\d+)?(?:e-?\d+)?"
# how the comment of a parameter ends: "meaning, 16 to 512" or "meaning, one of dot, cosine"
_HELP = re.compile(rf"(.*?)(?:(?:^|,\s*)(?:({_NUMBER}) to ({_NUMBER})|one of (.+)))?")
_FLAGS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_EXPECTED = {"int": "an int is expected,", "bool": "a bool is expected, true or false,"}


class Parameter(NamedTuple):
    """One line of a parameters cell; without a range `low` is None, without choices these are ()."""

    name: str
    type: str
    default: Any
    meaning: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]

    @property
    def range(self) -> str:
        """The values allowed, in words, or nothing."""
        if self.choices:
            return ", ".join(self.choices)
        return "" if self.low is None else f"{self.low:g} to {self.high:g}"


def chapters() -> list[Path]:
    """List the book's notebooks, by number; another project's may have such names, but not such metadata."""
    return in_checkout("notebooks/[0-9][0-9]_*.ipynb", takes)


def takes(notebook: Path) -> list[str]:
    """Kinds of data (`datasets.kind`) that a chapter takes, from its metadata; of other notebooks none."""
    with contextlib.suppress(ValueError, LookupError, AttributeError):
        return json.loads(notebook.read_text(encoding="utf-8"))["metadata"]["spiky"]["takes"]
    return []


def find(word: str) -> Path:
    """Find a notebook by number, by stem or by path."""
    path = Path(word).expanduser()
    if path.suffix == ".ipynb":
        if not path.is_file():
            raise FileNotFoundError(f"there is no notebook {word}")
        return path.resolve()
    stems = []
    for file in chapters():
        if word == file.stem or (word.isdecimal() and int(word) == int(file.stem[:2])):
            return file
        stems.append(file.stem)
    near = did_you_mean(word, stems) or f"; the book has {', '.join(stems)}"
    raise ValueError(f"there is no notebook {word!r}{near}")


def title(notebook: Path) -> tuple[str, str]:
    """Read a notebook's title and about how long it runs, as it says itself."""
    text = "\n\n".join(sources(notebook, "markdown"))
    heading = re.search(r"^# (.+)$", text, flags=re.M)
    duration = re.search(r"\*\*Time\*\*: the code runs in ([^.;,]+)", text)
    return heading[1] if heading else notebook.stem, duration[1] if duration else ""


def sources(notebook, cell_type):
    """The sources of a notebook's cells of one type."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == cell_type]


def declared(notebook: Path) -> dict[str, Parameter]:
    """Read a notebook's parameters cell into `Parameter`s, by name."""
    found = {}
    for name, line in papermill().inspect_notebook(literal_path(notebook)).items():
        # papermill gives the text of the default, and the type that the line declares, or "None"
        try:
            default = ast.literal_eval(line["default"])
        except (ValueError, SyntaxError):
            default = line["default"]
        kind = line["inferred_type_name"]
        kind = type(default).__name__ if kind == "None" else kind
        meaning, *limits, listed = _HELP.fullmatch(line["help"].strip()).groups()
        low, high = (limit and ast.literal_eval(limit) for limit in limits)
        choices = tuple(re.split(r",\s*|\s+or\s+", listed)) if listed else ()
        found[name] = Parameter(name, kind, default, meaning, low, high, choices)
    return found


def settable(notebook: Path) -> dict[str, Parameter]:
    """The parameters that a user may set: all but ``results_file``, which a run sets itself."""
    return {name: p for name, p in declared(notebook).items() if name != "results_file"}


def checked(parameter: Parameter, text: str) -> Any:
    """Turn a text into a value of the parameter's type and range."""
    name, kind = parameter.name, parameter.type
    readers = {"int": int, "float": float, "bool": lambda flag: _FLAGS[flag.lower()]}
    try:
        value = _path(parameter, text) if kind == "str" else readers.get(kind, ast.literal_eval)(text)
        # float() takes "nan" and "inf", which compare with no range and have no place in JSON
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError
    except (KeyError, ValueError, SyntaxError):
        raise ValueError(f"{name}: {_EXPECTED.get(kind, f'a {kind} is expected,')} not {text!r}") from None
    if parameter.low is not None and not parameter.low <= value <= parameter.high:
        raise ValueError(f"{name}: {text} is not in the range {parameter.range}")
    if parameter.choices and value not in parameter.choices:
        near = did_you_mean(text, parameter.choices)
        raise ValueError(f"{name}: {text!r} is not one of {parameter.range}{near}")
    return value


def papermill():
    """The library that executes notebooks; it takes a second to import, so only where it is used."""
    try:
        import papermill
    except ImportError as error:
        raise ValueError("running notebooks needs papermill: pip install 'spikylib[book]'") from error
    return papermill


def literal_path(path):
    """A path for papermill, which would fill in what stands in braces."""
    return str(path).replace("{", "{{").replace("}", "}}")


def _path(parameter, text):
    """Make the path of a file or folder absolute: the notebook runs in a folder of its own."""
    from spikylib.datasets._catalogue import DATASETS

    # a file may be called as a dataset is: the dataset goes first, as in `datasets.load`
    if text and text not in DATASETS and re.search(r"\b(path|file|folder)\b", parameter.meaning):
        path = Path(text).expanduser()
        if path.exists() or parameter.name == "data_home":
            return str(path.resolve())
    return text

"""Write a file whole or not at all, find those of the book, and write rows as Markdown."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path


def write_whole(path: str | os.PathLike, content: str | bytes) -> None:
    """Write text (as UTF-8) or bytes: another process sees the old file or the new one, no part of it.

    Folders are made where they are missing; an error or Ctrl-C leaves nothing behind.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def in_checkout(pattern: str, is_ours: Callable | None = None) -> list[Path]:
    """Files of the book, by a pattern: upwards from the working directory, else beside the package."""
    # an installed checkout (`pip install -e`) has them beside the package, a wheel has not
    for parent in (Path.cwd(), *Path.cwd().parents, Path(__file__).resolve().parents[1]):
        if files := sorted(filter(is_ours, parent.glob(pattern))):
            return files
    raise FileNotFoundError(f"no {pattern} in or above {Path.cwd()}: run from a checkout, or give a path")


def markdown_table(head: Iterable, rows: Iterable[Iterable]) -> list[str]:
    """Lines of a Markdown table; `DataFrame.to_markdown` would need another package."""
    cells = [list(map(str, row)) for row in (head, *rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in cells]

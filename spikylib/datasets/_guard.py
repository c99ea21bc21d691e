"""What every reader of a file goes through: errors in words, and no bombs.

A bomb is a small file that unpacks to more than memory or disk can hold.
"""

import bz2
import contextlib
import errno
import gzip
import io
import lzma
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow.parquet

# bytes that a packed byte may stand for, and a tenth as many rows: text packs to a tenth or so,
# and the densest that deflate can do is 1032
_DENSEST = 1000
_PACKED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zip": None}  # openers by suffix
PARQUET = (".parquet", ".pq")


def suffix_of(path: Path) -> str:
    """The suffix of a file's format, in lower case, without that of its compression."""
    return next((s for s in map(str.lower, reversed(path.suffixes)) if s not in _PACKED), "")


@contextlib.contextmanager
def reading(
    what: Path | str,
    wrong: str = "is damaged, cut short, or not what its name says",
    remedy: str = "get the file again",
) -> Iterator[None]:
    """Turn whatever parsers raise on a damaged file into one kind of error, which names the file."""
    try:
        yield
    except pd.errors.EmptyDataError:
        raise ValueError(f"{what} is empty; {remedy}") from None
    except Exception as error:
        # seeking to a place that a damaged file names is EINVAL; other numbers are the disk's
        if str(what) in str(error) or getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        cause = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(f"{what} {wrong} ({cause}); {remedy}") from error


@contextlib.contextmanager
def reading_own(path: Path) -> Iterator[None]:
    """The same for a file of the user's own, which may be of another format than its name says."""
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}: check it, or name a dataset of `spiky data list`")
    wrong = f"cannot be read as {suffix_of(path) or 'text'}"
    with reading(path, wrong, "name its true suffix, or save it again"):
        yield


@contextlib.contextmanager
def unpacked(path: Path, limit: float = float("inf")) -> Iterator[BinaryIO]:
    """Open a file, or the one file in a zip, and unpack it on the way.

    More than `limit` bytes, or a thousand times those that are packed, are refused.
    """
    limit = min(limit, _DENSEST * path.stat().st_size)
    with contextlib.ExitStack() as stack:
        if path.suffix.lower() == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(path))
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX")]
            stream = stack.enter_context(archive.open(pick(path, "file inside", names)))
        else:
            stream = stack.enter_context(_PACKED.get(path.suffix.lower(), open)(path, "rb"))
        yield io.BufferedReader(Capped(stream, limit), 1 << 18)


class Capped(io.RawIOBase):
    """A stream that refuses to give more than `limit` bytes."""

    def __init__(self, stream: Any, limit: float):
        self._stream, self._limit, self._left = stream, limit, limit

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise ValueError(f"it unpacks to more than {self._limit} bytes")
        buffer[: len(data)] = data
        return len(data)


def check_density(path: Path) -> None:
    """Refuse a Parquet file that declares more rows or bytes than real data could pack into it."""
    metadata = pyarrow.parquet.read_metadata(path)
    promised = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    size = path.stat().st_size
    if max(10 * metadata.num_rows, promised) > _DENSEST * size:
        raise ValueError(
            f"{path} declares {metadata.num_rows} rows and {promised} bytes in {size}, more than real data could pack"
        )


def pick(
    path: Path, what: str, candidates: Sequence[str], chosen: str | None = None, option: str = ""
) -> str:
    """The candidate that was chosen, or the only one there is."""
    if chosen is not None and chosen in candidates:
        return chosen
    if chosen is None and len(candidates) == 1:
        return candidates[0]
    found = (
        f"no {what} is named {chosen!r}" if chosen else f"one {what} was expected, {len(candidates)} found"
    )
    how = "choose" if chosen else "leave one in the file, or in Python choose"
    remedy = f"; {how} {option} among: {', '.join(candidates)}" if option and candidates else ""
    raise ValueError(f"{path}: {found}{remedy}")

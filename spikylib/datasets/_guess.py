"""Guess what the columns of a table are from their names; refuse where two guesses are as good."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from spikylib.datasets._tables import LIST, Table

# words of one meaning are joined by "/"; a second list stands back where the first has a word
_WORDS = {
    "item": (
        "item/iid track/song/recording movie/film product/sku/asin/stock book/isbn business/place/poi/venue "
        "paper/article/news video game anime recipe",
        "artist album",
    ),
    "context": (
        "user/uid/reviewer/listener/customer/member/visitor/household/person/account/client playlist/mix "
        "session basket/cart order/invoice transaction context",
        "day",
    ),
    "time": ("time timestamp/ts date/datetime when at utc",),
}
_SENSES = {
    word: (role, rank, group)
    for role, ranks in _WORDS.items()
    for rank, groups in enumerate(ranks)
    for group in groups.split()
    for word in group.split("/")
}
_IDS = {"id", "ids", "uri", "key", "hash", "code", "no", "mbid", "msid", "uid", "pid", "index"}
_TITLES = {"name", "title"}
_THINGS = {*_SENSES, *_TITLES, "word", "token", "label"}
_COUNTS = {"n", "num", "count", "number", "total", "ms"}
_VALUES = _COUNTS | {"rating", "score", "plays", "weight", "quantity", "price", "overall", "stars"}


class _Sense(NamedTuple):
    """What the name of a column says, and of those of one role and group which goes first."""

    role: str
    group: str
    order: tuple  # rank of the group, cells that are missing, kind, depth, words
    is_title: bool


def find(names: Sequence, asked, path: Path) -> str | int:
    """The column asked for: by its name, by the end of a dotted one, or by its position."""
    if isinstance(asked, int) and 0 <= asked < len(names):
        return names[asked]
    plain = re.sub(r":\w+$", "", str(asked))  # RecBole writes a type after each name
    ends = [name for name in names if str(name) == plain or str(name).endswith(f".{plain}")]
    if asked not in names and len(ends) != 1:
        raise ValueError(f"{path} has no column {asked!r}; its columns are: {', '.join(map(str, names))}")
    return asked if asked in names else ends[0]


def choose(table: Table, path: Path, **asked) -> tuple[dict, list[str]]:
    """Columns by role, ``item``, ``context`` and ``time``, and notes of what was guessed.

    Those asked for are found, the others guessed, a time only where another is guessed as well. Without
    a context the days of the times are the contexts. With an item that is guessed come its ``title`` and
    ``artist``, where they are there.
    """
    names = table.names
    if asked["context"] == "line" and LIST in names:
        asked["context"] = LIST
    by_day = asked["context"] == "day" and "day" not in names
    given = {role: n for role, n in asked.items() if n is not None and not (by_day and n == "day")}
    chosen = {role: find(names, n, path) for role, n in given.items()}
    if {"item", "context"} <= set(chosen):
        return chosen, []
    # what is empty in every row says nothing
    full = [n for n in names if table.sample[n].notna().any() or table.sample.empty]
    senses = {n: _sense(n, table) for n in full if n not in chosen.values()}
    notes = []
    for role in asked:
        if role in chosen or (by_day and role == "context"):
            continue
        fits = [n for n, sense in senses.items() if sense and sense.role == role]
        fits = [n for n in fits if senses[n].order[0] == min(senses[m].order[0] for m in fits)]
        if len({senses[n].group for n in fits}) == 1:
            fits = [n for n in fits if senses[n].order == min(senses[m].order for m in fits)]
        if role == "context" and LIST in senses and all(senses[n].is_title for n in fits):
            fits = [LIST]  # lists may share a title
        elif not fits and role != "time":
            # the only column left that says nothing else
            left = [n for n, sense in senses.items() if not sense and n not in chosen.values()]
            fits = [n for n in left if _may_be_an_id(table.sample[n], n)]
            fits = fits if role == "item" or len(fits) == 1 else []
        if len(fits) == 1:
            chosen[role] = fits[0]
            notes.append(f"{role} {fits[0]!r}")
        elif fits and role != "time":
            either = " or ".join(map(str, fits))
            raise ValueError(f"{path}: {either} may be the column of the {role}; say {role}=")
        elif fits:
            notes.append(f"no time, since there are {' and '.join(map(str, fits))}")
        if role == "item" and (sense := senses.get(chosen.get("item"))) and sense.group != "artist":
            for label, group in (("title", sense.group), ("artist", "artist")):
                titles = [n for n, s in senses.items() if s and s.group == group and s.is_title]
                chosen |= {label: titles[0]} if len(titles) == 1 else {}
    if "item" not in chosen or not {"context", "time"} & set(chosen):
        if len(names) == 1:
            raise ValueError(f"{path} has one column, {names[0]}; interactions need an item and a context")
        roles = [role for role in ("item", "context") if role not in chosen]
        raise ValueError(
            f"{path}: no column can be guessed to be the {' or the '.join(roles)} among {', '.join(map(str, names))}; "
            f"say {' and '.join(f'{role}=' for role in roles)}"
        )
    return chosen, [f"guessed: {', '.join(notes)}"]


def words_of(name) -> list[str]:
    """Words of a name, in lower case: those of camelCase, and "userid" as two."""
    found = []
    for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])", str(name)):
        word = word.lower()
        word = word[:-1] if word[-1] == "s" and word[:-1] in _THINGS | _COUNTS else word
        stem = next((s for s in _SENSES if word.startswith(s) and word[len(s) :] in _IDS), None)
        found += [word] if stem is None else [stem, word[len(stem) :]]
    return found


def id_rank(name) -> int | None:
    """How plainly a name is that of ids: 0, 1 or 2, the least first; None of one that is not."""
    words = set(words_of(name))
    return 0 if words & _IDS else None if words & _VALUES else 1 if words & _THINGS else 2


def whole(ids: pd.Series, where: str) -> pd.Series:
    """Ids as they are; floats, in which a tool has put whole numbers beside missing ones, as whole numbers."""
    ids = ids.infer_objects()
    if ids.dtype.kind != "f":
        return ids
    if (ids % 1 != 0).any() or (ids.abs() >= 2**53).any():
        raise ValueError(f"{where} contains fractions, or numbers too large for their floats: not ids")
    return ids.astype(np.int64)


def _sense(name, table):
    """The sense of the last part of a dotted name, or of that with its parent."""
    parts = str(name).split(".")
    alone = len(words_of(parts[-1])) == 1
    for text in (parts[-1], ".".join(parts[-2:]))[: 1 + alone]:
        words = words_of(text)
        known = [word for word in words if word in _SENSES]
        if known and words[0] not in _VALUES and words[-1] in {known[-1], *_IDS, *_TITLES}:
            role, rank, group = _SENSES[known[-1]]
            kind = 0 if words[-1] in _IDS else 1 if words[-1] == known[-1] else 2
            # what is inside a list is an item, what is outside its context
            depth = -len(parts) if LIST in table.names and role != "context" else len(parts)
            missing = int(table.sample[name].isna().sum())
            return _Sense(role, group, (rank, missing, kind, depth, len(words)), words[-1] in _TITLES)
    return None


def _may_be_an_id(values, name):
    numbers = pd.to_numeric(values, errors="coerce").dropna()
    return name != LIST and not set(words_of(name)) & (_VALUES | _TITLES) and not (numbers % 1 != 0).any()

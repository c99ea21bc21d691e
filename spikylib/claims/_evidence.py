"""Findings in files, one per dataset, with what they were computed from."""

import json
import math
import time
from collections.abc import Iterable
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from spikylib._files import in_checkout, write_whole
from spikylib.claims._finding import FAILS, GENERATED, HOLDS, IN_PART, UNDECIDED, Finding
from spikylib.claims._registry import across, check_all, checked, parts
from spikylib.study import Study

if TYPE_CHECKING:
    from IPython.display import Markdown


def keep_evidence(
    folder: str | Path, study: Study | None, *, about: dict | None = None, anew: bool = False
) -> Path:
    """Check every claim on a study, or those on generated data, and write the findings to a file.

    Findings of the same data whose claims have not changed since are kept as they are.

    Parameters
    ----------
    folder : path
        Gets ``<name of the data>.json``, with the keys of `about`, ``data``, ``n``, ``f``, ``seconds``
        (of all findings together) and ``findings``, each with the ``hash`` of its claim and of `judge`.
    study : Study or None
    about : dict, optional
        Further keys: ``sha256`` of the data, ``commit``, ``domain``, ``settings``. If ``sha256`` or
        ``settings`` differ from those of an existing file, all findings are made anew.
    anew : bool, default False
        Check all again.

    Returns
    -------
    pathlib.Path
        The file.
    """
    about = about or {}
    name = GENERATED if study is None else study.name
    file = Path(folder) / f"{name}.json"
    before = json.loads(file.read_text(encoding="utf-8")) if file.exists() and not anew else {"findings": []}
    if any(before.get(key) != about.get(key) for key in ("sha256", "settings")):
        before = {"findings": []}
    hashes = _hashes(study is not None)
    kept = {
        (found["id"], found["part"]): found
        for found in before["findings"]
        if hashes.get((found["id"], found["part"])) == found["hash"]
    }
    start = time.perf_counter()
    for found in check_all(study, known=kept):
        kept[found.id, found.part] = rounded(found) | {"hash": hashes[found.id, found.part]}
    whole = about | {
        "data": name,
        "n": 0 if study is None or "E" not in study.has else len(study.E),
        "f": 0 if study is None or "E" not in study.has else study.E.shape[1],
        "seconds": round(before.get("seconds", 0) + time.perf_counter() - start, 1),
        "findings": [kept[key] for key in hashes],
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return file


def rounded(found: Finding) -> dict:
    """A finding as the files contain it: six digits, and null for what was not measured."""
    whole = asdict(found)
    numbers = {key: float(f"{value:.6g}") for key, value in whole.items() if isinstance(value, float)}
    return whole | {key: None if math.isnan(value) else value for key, value in numbers.items()}


def read_evidence(folder: str | Path | None = None) -> list[dict]:
    """Read the files of a folder, by name; ``findings`` of each become :class:`Finding`, with their hashes beside.

    Parameters
    ----------
    folder : path, optional
        By default book/evidence of this checkout.

    Returns
    -------
    list of dict
        As written by :func:`keep_evidence`, with ``findings`` a list of Finding and ``hashes`` a list of str.
    """
    files = in_checkout("book/evidence/*.json") if folder is None else sorted(Path(folder).glob("*.json"))
    return [_read(file, file.stat().st_mtime_ns, file.stat().st_ino) for file in files]


def out_of_date(evidence: list[dict]) -> list[tuple[str, str, str]]:
    """List data, claim and part of the findings whose claim or `judge` has changed, or that are missing."""
    old = []
    for file in evidence:
        stored = {(found.id, found.part): hash for found, hash in zip(file["findings"], file["hashes"])}
        hashes = _hashes(file["data"] != GENERATED)
        differ = {key for key in hashes.keys() | stored.keys() if hashes.get(key) != stored.get(key)}
        old += [(file["data"], *key) for key in sorted(differ)]
    return old


def public() -> dict[tuple[str, str], dict[str, list[str]]]:
    """Datasets of the book on which each part of each claim holds, fails or is undecided.

    Returns
    -------
    dict
        By id and part: ``holds``, ``fails`` and ``undecided``, names of datasets; of parts that make
        their own data, "generated". Kept in the package by ``make evidence``.

    Examples
    --------
    >>> public()["P10", "f = 16"]["holds"]
    ['generated']
    """
    stored = json.loads(Path(__file__).with_name("public.json").read_text(encoding="utf-8"))
    return {(id, part): sides for id, by_part in stored.items() for part, sides in by_part.items()}


def keep_public(folder: str | Path, file: str | Path) -> None:
    """Write what :func:`public` reads, from the findings of a folder."""
    findings = [found for whole in read_evidence(folder) for found in whole["findings"]]
    stored: dict[str, dict] = {}
    for part in parts():
        own = [found for found in findings if (found.id, found.part) == (part.id, part.part)]
        sides = {said: [f.data for f in own if f.verdict == said] for said in (HOLDS, FAILS, UNDECIDED)}
        stored.setdefault(part.id, {})[part.part] = sides
    write_whole(file, json.dumps(stored, indent=0, ensure_ascii=False) + "\n")


def stored(*headlines: str) -> list[Finding]:
    """Take the findings of some claims from the book's evidence, over all datasets.

    Parameters
    ----------
    *headlines : str
        A claim ("P25") or a part of one ("P25, more is found").

    Returns
    -------
    list of Finding
        In the order of `headlines`, by dataset; :func:`across` sums up those of one.

    Examples
    --------
    >>> [found.verdict for found in stored("P10, f = 16")]
    ['holds']
    """
    asked = [{(p.id, p.part) for p in _parts_of(key)} for key in headlines]
    evidence = [found for whole in read_evidence() for found in whole["findings"]]
    return [found for parts in asked for found in evidence if (found.id, found.part) in parts]


def banner(study: Study, headlines: Iterable[str]) -> "Markdown | None":
    """List the headlines of a chapter whose verdicts differ on the data of this run.

    Generated data are left out, since the headlines are about real catalogues, and so is what takes long.

    Parameters
    ----------
    study : Study
    headlines : iterable of str
        As in :func:`stored`.

    Returns
    -------
    IPython.display.Markdown or None
        One sentence per part whose verdict on the study differs from the book's; None if there are none.
    """
    if study.name.startswith("synthetic"):
        return None
    chosen = {p: key for key in headlines for p in _parts_of(key) if p.on_data and not p.heavy}
    book = {key: across(key.partition(",")[0], stored(key)).verdict for key in set(chosen.values())}
    other = {HOLDS: FAILS, IN_PART: FAILS, FAILS: HOLDS}
    said = [
        f"- {p.id}, *{p.part}*: {found.verdict} here. {found.why}"
        for (p, key), found in zip(chosen.items(), checked(list(chosen), study, 0))
        if found.verdict == other.get(book[key])
    ]
    if not said:
        return None
    from IPython.display import Markdown

    return Markdown(
        f"**Your data differ.** On {study.name}, unlike the headings below:\n\n" + "\n".join(said)
    )


def _parts_of(headline):
    """The parts of a claim, or the one named after a comma."""
    id, _, name = headline.partition(", ")
    found = [p for p in parts(id) if name in ("", p.part)]
    if not found:
        raise ValueError(f"{id} has no part {name!r}; its parts are {[p.part for p in parts(id)]}")
    return found


def _hashes(on_data):
    """Hash of each part that is about catalogues, or of each that makes its own data."""
    return {(p.id, p.part): p.hash for p in parts() if p.on_data == on_data}


@lru_cache(maxsize=32)
def _read(file, changed, inode):
    """A file of evidence, read once as long as it is the same: chapters take findings from it in every other cell."""
    whole = json.loads(file.read_text(encoding="utf-8"))
    hashes = [found.pop("hash") for found in whole["findings"]]
    findings = [
        Finding(**{key: math.nan if value is None else value for key, value in found.items()})
        for found in whole["findings"]
    ]
    return whole | {"findings": findings, "hashes": hashes}

"""Check what the paper and its neighbours claim, each claim as a function of a catalogue.

A claim *measures*: a function takes a :class:`~spikylib.study.Study` and a seed and returns a value and
what it is compared with, replicate by replicate. It does not judge: :func:`judge` does, for all claims
alike. :func:`check` gives a :class:`Finding` for each part of a claim on one catalogue,
:func:`check_all` for all claims, and :func:`across` sums up one claim over catalogues, from findings
that were stored (:func:`read_evidence`). The verdicts of the book are computed this way; none is typed.
"""

# importing a chapter's file registers its claims
from spikylib.claims import (  # noqa: F401
    _advice,
    _approximate,
    _averages,
    _background,
    _continuation,
    _intervention,
    _learned,
    _metric,
    _named,
    _open,
    _rankings,
    _settings,
    _spikes,
    _stability,
    _theorem,
)
from spikylib.claims._evidence import banner, keep_evidence, public, read_evidence, stored
from spikylib.claims._finding import Finding, judge
from spikylib.claims._registry import (
    NotApplicable,
    Terms,
    across,
    check,
    check_all,
    claim,
    described,
    parts,
    table,
)

__all__ = [
    "Finding",
    "NotApplicable",
    "Terms",
    "across",
    "banner",
    "check",
    "check_all",
    "claim",
    "described",
    "judge",
    "keep_evidence",
    "parts",
    "public",
    "read_evidence",
    "stored",
    "table",
]

"""What runs weekly, not at every change: the checks of book/trust.md, a file a check.

Run from the root of the checkout, ``python -m trust.mutants`` or by ``make``.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

"""Times as people write them: ISO in any form and zone, numbers since 1970, days and months in either order."""

import calendar
from collections.abc import Callable

import numpy as np
import pandas as pd

# a number since 1970 is in the unit that puts it between 1973 and 2286: the ranges do not meet
_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FROM, _TO, _LAST = 1e8, 1e10, 2.5e11  # seconds: 1973, 2286, and the end of the year 9,891
_SLASHED = r"^\s*(\d{1,2})[/.-](\d{1,2})[/.-](\d{4}|\d\d)\b(.*)"


def read_times(
    values: pd.Series, where: str, place: Callable[[int], str], time_unit=None, day_first=None
) -> tuple[np.ndarray, str]:
    """Times in UTC, datetime64[s], and a note on how they were read; a missing one is NaT.

    `where` names the file and the column, `place` the row of an index label.
    """

    def quote(row):
        return f"{known[row]!r} on {place(row)}"

    if time_unit not in (None, *_UNITS):
        raise ValueError(f"time_unit must be one of {', '.join(_UNITS)}, got {time_unit!r}")
    known, note = values.dropna(), ""
    if pd.api.types.is_datetime64_any_dtype(known):
        times = pd.to_datetime(known, utc=True).dt.tz_localize(None)
    else:
        numbers = pd.to_numeric(known, errors="coerce")
        if time_unit and numbers.isna().any():
            raise ValueError(f"{where}: {quote(numbers.isna().idxmax())} is not a number of {time_unit}")
        if len(known) and numbers.notna().all():
            times, note = _since_1970(numbers, where, time_unit)
        else:
            times, note = _written(known.astype(str).str.strip(), where, quote, day_first)
    return times.reindex(values.index).to_numpy().astype("datetime64[s]"), note


def _since_1970(numbers, where, unit):
    low, high = float(numbers.min()), float(numbers.max())
    if unit is None and 19000101 <= low <= high < 21010000:
        days = pd.to_datetime(numbers.astype(np.int64).astype(str), format="%Y%m%d", errors="coerce")
        if days.notna().all():
            return days, "times are days written as YYYYMMDD"
    fits = [u for u, scale in _UNITS.items() if _FROM * scale <= low and high < _TO * scale]
    if unit is None and not fits:
        raise ValueError(
            f"{where}: the numbers from {low:.10g} to {high:.10g} are not in one unit since 1970 for the years "
            f"1973 to 2286: write them as dates, or in Python name their time_unit, one of {', '.join(_UNITS)}"
        )
    # whole numbers are divided as such: nanoseconds are beyond what a float counts exactly
    seconds = numbers // _UNITS[unit or fits[0]]
    if not seconds.astype(float).abs().max() < _LAST:
        raise ValueError(f"{where}: numbers up to {high:.10g} are beyond any date in {unit}; check time_unit")
    note = f"times are {unit or fits[0]} since 1970" + ("" if unit else ", by their range")
    return pd.Series(seconds.to_numpy(np.int64).astype("datetime64[s]"), seconds.index), note


def _written(text, where, quote, day_first):
    note = ""
    parts = text.str.extract(_SLASHED).dropna()
    if len(parts):
        first, second = parts[0].astype(int), parts[1].astype(int)
        decided = (first > 12) != (second > 12)
        at = decided.idxmax()  # the first where no row is decided
        if day_first is None and not decided.any():
            raise ValueError(
                f"{where}: {quote(at)} is {_day(first[at], second[at])} with day_first=True and "
                f"{_day(second[at], first[at])} with day_first=False: write years first, or say which in Python"
            )
        if day_first is None:
            day_first = bool(first[at] > 12)
            note = f"dates have the {'day' if day_first else 'month'} first, as {quote(at)} has"
        year = parts[2].where(parts[2].str.len() == 4, "20" + parts[2])
        day, month = (parts[k].str.zfill(2) for k in ((0, 1) if day_first else (1, 0)))
        text = text.copy()
        text[parts.index] = year + "-" + month + "-" + day + parts[3]
    times = pd.to_datetime(text, format="ISO8601", utc=True, errors="coerce").astype("datetime64[us, UTC]")
    # what has no year is not a date, though a lenient parser would make one of it
    for form in (None, "mixed"):
        left = text[times.isna() & text.str.contains(r"\d{4}")]
        form = form or (len(left) and pd.tseries.api.guess_datetime_format(left.iloc[0]))
        if form and len(left):
            times[left.index] = pd.to_datetime(left, format=form, utc=True, errors="coerce")
    if (wrong := times.isna()).any():
        rows = f"{wrong.sum()} of {len(text)} rows"
        raise ValueError(f"{where}: {quote(wrong.idxmax())} is not a time ({rows}); mend or remove it")
    return times.dt.tz_localize(None), note


def _day(day, month):
    return f"{day} {calendar.month_name[month] if month <= 12 else month}"

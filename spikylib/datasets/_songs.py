"""Six named songs that the book follows from playlists to neighbours: stored facts, so that no data is needed."""

import json
from importlib import resources
from typing import Any

import pandas as pd

from spikylib._checks import check_choice


def songs(name: str = "cornell-yes-small") -> dict[str, Any]:
    """Return what the pipeline makes of six named songs of a catalogue.

    Stored are facts about the songs, a few dozen numbers each, and none of the catalogue's files: its
    publisher and terms are those of :func:`spikylib.datasets.catalogue`. ``tools/songs.py`` chooses the
    songs, by the rule in ``"rule"``, and computes everything from the whole catalogue with the book's
    defaults (playlists of at least five songs, pairs that share two playlists or more, f = 128).

    Parameters
    ----------
    name : {"cornell-yes-small", "triplej"}
        Radio playlists; or dated ones, for what changes with time.

    Returns
    -------
    dict
        Tables are DataFrames, one row per song, labelled by its title; ``"rule"`` and ``"source"`` are
        texts. Of cornell-yes-small:

        - ``"n_contexts"``, number of playlists of the catalogue (m);
        - ``"songs"``: ``id``, ``artist``, ``format`` (a listeners' tag), ``playlists`` (c_i), ``norm``, and
          the song's spike: the song at its ``peak``, and its ``size``;
        - ``"X"``, the first three playlists with both songs of a format, by their lines in train.txt; ``"C"``, how
          many of all playlists two songs share; ``"M"``, their PPMI; ``"cosine"`` and ``"dot"``;
        - ``"axes"``, the coordinates on one varimax axis of each format: that on which its popular song lies
          farthest out;
        - ``"neighbours"``, one row per neighbour: the five nearest of all songs by either ``similarity``.

        Of triplej, where windows of time are "first", "half-way" and "last":

        - ``"windows"``, the dates at which they end;
        - ``"songs"``: ``artist``, what became of the song (``fate``), and the quintile of its norm in the first
          window, 5 the longest;
        - ``"contexts"``, in how many the song is; ``"norm"``; ``"kept"``, the share of its 100 nearest
          songs by cosine in the first window that are among the 100 nearest later, of the songs
          that both windows embed. NaN where the song has no embedding.

    Raises
    ------
    ValueError
        Another name.

    Examples
    --------
    PPMI by hand, of a popular and a rare country song:

    >>> import numpy as np
    >>> six = songs()
    >>> popular, rare = six["songs"].index[:2]
    >>> c = six["songs"]["playlists"]
    >>> pmi = np.log(six["n_contexts"] * six["C"].loc[popular, rare] / (c[popular] * c[rare]))
    >>> bool(abs(pmi - six["M"].loc[popular, rare]) < 1e-6)
    True
    """
    check_choice("name", name, "cornell-yes-small", "triplej")
    stored = json.loads(resources.files(__package__).joinpath("songs.json").read_text(encoding="utf-8"))
    return {
        key: pd.DataFrame(**value) if isinstance(value, dict) else value
        for key, value in stored[name].items()
    }

"""Choose the songs that the book follows, store what the pipeline makes of them, and draw their rays.

It writes spikylib/datasets/songs.json and book/spikes.png.

python tools/songs.py   where SPIKYLIB_DATA holds cornell-yes/ and triplej/
"""

import io
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image

from spikylib import datasets, retrieval, spikes, stability
from spikylib._arrays import n_shared
from spikylib.plots._style import PALETTE, finish
from spikylib.study import Study, ppmi_svd

FILE = Path(datasets.__file__).with_name("songs.json")
PICTURE = Path(__file__).resolve().parents[1] / "book" / "spikes.png"
FORMATS = ("country", "reggae", "rap")
RULE = (
    "Three formats of radio, by the listeners' tags: country, reggae and rap. In each, of all pairs of "
    "songs with the tag, on one spike, whose cosine is above 0.9, that share at least two playlists, by artists "
    "of at least five songs in the catalogue (so that readers may know them), and of which one song is in at "
    "least four times as many playlists as the other: the pair with the largest ratio of their norms."
)
RULE_OF_TIME = (
    "Of songs in at least 20 contexts of the first window, by artists of at least five songs in the catalogue. "
    "Those that stay or drift are in at least 20 contexts of every window, and keep the most or the fewest of "
    "their 100 nearest songs from the first window to the last; those that vanish are in no context of the "
    "last window, and were in the most of the first."
)


def main():
    """Write both files."""
    study = Study.load("cornell-yes-small")
    parts = {"cornell-yes-small": cornell(study), "triplej": triplej()}
    FILE.write_text(_text(parts), encoding="utf-8")
    whole = io.BytesIO()
    rays(study, parts["cornell-yes-small"]["songs"]).savefig(whole, dpi=150)
    # a palette of 256 colours is enough, and a third of the bytes
    Image.open(whole).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


def cornell(study):
    """Six songs of three formats, from playlists to neighbours."""
    labels, E, M, plays = study.items, study.E, study.M, study.plays
    norm = np.linalg.norm(E, axis=1)
    dot = E @ E.T
    cosine = dot / np.outer(norm, norm)
    rows = _pairs(study, cosine, norm)
    titles = labels["title"].iloc[rows].tolist()
    X = study.interactions.matrix[study.kept[rows]].toarray()
    both = [np.flatnonzero(X[i] & X[i + 1])[:3] for i in (0, 2, 4)]
    playlists = np.sort(np.concatenate(both))
    lines = study.interactions.contexts["id"].iloc[playlists]
    C = X @ X.T
    np.fill_diagonal(C, 0)
    cover = study.cover()
    on = cover.spike[rows]
    peak = labels.iloc[cover.peaks[on]]
    songs = pd.DataFrame(
        {
            "id": labels["id"].iloc[rows],
            "artist": labels["artist"].iloc[rows],
            "format": np.repeat(FORMATS, 2),
            "playlists": plays[rows],
            "norm": norm[rows].round(3),
            "peak": (peak["title"] + " - " + peak["artist"]).to_numpy(),
            "size": np.bincount(cover.spike[cover.spike >= 0])[on],
        }
    ).set_axis(titles)
    turned = E @ (study.svd.U.T @ spikes.varimax(study.svd.U))
    axes = np.abs(turned[rows[::2]]).argmax(axis=1)
    near = []
    for similarity in ("cosine", "dot"):
        found, score = retrieval.top_k(E, rows, 5, similarity=similarity, exclude_self=True)
        for row, title in enumerate(titles):
            for rank, (j, value) in enumerate(zip(found[row], score[row]), start=1):
                named = labels.iloc[j]
                near.append(
                    [
                        title,
                        similarity,
                        rank,
                        named["title"],
                        named["artist"],
                        plays[j],
                        norm[j].round(1),
                        value.round(3),
                    ]
                )
    columns = ["song", "similarity", "rank", "title", "artist", "playlists", "norm", "score"]
    square = dict(index=titles, columns=titles)
    here = np.ix_(rows, rows)
    return {
        "rule": RULE,
        "source": _source("cornell-yes-small"),
        "n_contexts": study.interactions.n_contexts,
        "songs": songs,
        "X": pd.DataFrame(X[:, playlists], titles, [int(id.removeprefix("train.txt:")) for id in lines]),
        "C": pd.DataFrame(C, **square),
        "M": pd.DataFrame(M.toarray()[here].round(6), **square),
        "cosine": pd.DataFrame(cosine[here].round(4), **square),
        "dot": pd.DataFrame(dot[here].round(2), **square),
        "axes": pd.DataFrame(turned[np.ix_(rows, axes)].round(2), titles, list(FORMATS)),
        "neighbours": pd.DataFrame(near, columns=columns).set_index("song"),
    }


def _pairs(study, cosine, norm):
    """Rows of a popular and a rare song of each format, by the rule."""
    labels, plays, spike = study.items, study.plays, study.cover().spike
    several = _by_known_artists(labels)
    fits = (spike[:, None] == spike) & (spike >= 0) & (cosine > 0.9) & (study.M.toarray() > 0)
    fits &= plays[:, None] >= 4 * plays
    rows = []
    for name in FORMATS:
        own = several & np.array([name in tags for tags in labels["tags"]])
        ratio = np.where(fits & np.outer(own, own), norm[:, None] / norm, 0)
        rows += np.unravel_index(ratio.argmax(), ratio.shape)
    return np.array(rows)


def _by_known_artists(labels):
    """Which songs are by artists of at least five in the catalogue."""
    return labels.groupby("artist")["title"].transform("size").to_numpy() >= 5


def rays(study, songs):
    """All songs in four columns of E as the SVD gives them, two a panel, and the six by name."""
    points, row = study.E, pd.Index(study.items["id"]).get_indexer(songs["id"])
    # for a ray without one of the six, the song that the fifth dimension puts farthest out
    pop = points[:, 4].argmax()
    named = dict(zip([*row, pop], [*songs.index, study.items["title"][pop]]))
    above, below = {"xytext": (6, 4)}, {"xytext": (2, -14), "ha": "right"}
    fig, panels = plt.subplots(2, 1, figsize=(4.6, 5.6), layout="constrained")
    shown = (
        ("country and reggae", (0, 5), row[:4], [above] * 4),
        ("rap and pop", (3, 4), [*row[4:], pop], [above, below, above]),
    )
    for ax, (title, axes, rows, places) in zip(panels, shown):
        ax.scatter(*points[:, axes].T, s=4, color="0.6", linewidths=0)
        ax.scatter(*points[np.ix_(rows, axes)].T, s=28, color=PALETTE[0])
        for k, place in zip(rows, places):
            ax.annotate(
                named[k].split(" (")[0], points[k, axes], textcoords="offset points", fontsize=9, **place
            )
        ax.scatter(0, 0, c="black", marker="+", s=60)
        ax.margins(y=0.14)
        i, j = (f"dimension {axis + 1}" for axis in axes)
        ax.set(title=title, xlabel=i, ylabel=j, aspect="equal", adjustable="datalim")
    fig.align_ylabels()
    return finish(fig)


def triplej():
    """Six songs in three windows of time: two that stay, two that drift, two that vanish."""
    data = datasets.load("triplej")
    cut = stability.periods(data)
    snapshots = stability.embed(cut, ppmi_svd)
    names = ("first", "half-way", "last")
    labels = data.items.set_index("id")[["title", "artist"]]
    contexts, norm = pd.DataFrame(index=labels.index), pd.DataFrame(index=labels.index)
    kept = pd.DataFrame({"first": 1.0}, index=labels.index)
    first = next(iter(snapshots))
    for name, date in zip(names, cut):
        window, snapshot = cut[date], snapshots[date]
        contexts[name] = pd.Series(np.diff(window.matrix.indptr), window.items["id"])
        norm[name] = pd.Series(np.linalg.norm(snapshot.vectors, axis=1), snapshot.ids)
        if date != first:
            common = stability.common_ids({day: snapshots[day] for day in (first, date)})
            kept[name] = pd.Series(
                n_shared(*(_nearest(snapshots[day], common) for day in (first, date))) / 100, common
            )
    contexts = contexts.fillna(0).astype(int)
    several = _by_known_artists(labels)
    known = labels.index[several & (contexts["first"] >= 20)]
    there = kept.loc[known][(contexts.loc[known] >= 20).all(axis=1)]["last"].sort_values(kind="stable")
    gone = contexts.loc[known][contexts.loc[known, "last"] == 0]["first"].sort_values(kind="stable")
    chosen = [*there.index[:-3:-1], *there.index[:2], *gone.index[:-3:-1]]
    parts = stability.norm_partitions(snapshots[first].vectors)
    quintile = pd.Series({snapshots[first].ids[i]: p for p, part in enumerate(parts, start=1) for i in part})
    songs = labels.loc[chosen]
    titles = songs["title"].tolist()
    table = songs[["artist"]].assign(
        fate=np.repeat(["stays", "drifts", "vanishes"], 2), quintile=quintile[chosen]
    )
    return {
        "rule": RULE_OF_TIME,
        "source": _source("triplej"),
        "windows": [f"{date:%Y-%m-%d}" for date in cut],
        "songs": table.set_axis(titles),
        "contexts": contexts.loc[chosen].set_axis(titles),
        "norm": norm.loc[chosen].round(2).set_axis(titles),
        "kept": kept.loc[chosen, list(names[1:])].round(2).set_axis(titles),
    }


def _nearest(snapshot, ids):
    E = snapshot.vectors[pd.Index(snapshot.ids).get_indexer(ids)]
    return retrieval.top_k(E, np.arange(len(E)), 100, similarity="cosine", exclude_self=True)[0]


def _source(name):
    row = datasets.catalogue().set_index("name").loc[name]
    return f"{row['publisher']}, {row['page']}; {row['terms']}"


def _text(parts):
    """JSON with a row of a table on a line."""
    lines = []
    for name, part in parts.items():
        values = []
        for key, value in part.items():
            text = (
                json.dumps(value, ensure_ascii=False)
                if not isinstance(value, pd.DataFrame)
                else _table(value)
            )
            values.append(f"  {json.dumps(key)}: {text}")
        lines.append(f" {json.dumps(name)}: {{\n" + ",\n".join(values) + "\n }")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _table(frame):
    whole = json.loads(frame.to_json(orient="split", double_precision=6, force_ascii=False))
    rows = ",\n".join(f"    {json.dumps(row, ensure_ascii=False)}" for row in whole["data"])
    index, columns = (json.dumps(whole[key], ensure_ascii=False) for key in ("index", "columns"))
    return f'{{"index": {index}, "columns": {columns}, "data": [\n{rows}]}}'


if __name__ == "__main__":
    main()

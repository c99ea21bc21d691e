"""One reader for each published format.

Each takes the dataset's name and the data home and returns what `build` takes, as a dict: the
columns ``item`` and ``context`` (and ``times``, or ``context_times``), the tables ``items`` and
``contexts`` whose index is what these columns hold, and ``notes``. (For embeddings it returns
:class:`Embeddings`.) `load` filters, and puts into words what a parser raises on a damaged file.
Large files are read in blocks and numbered on the way, so that memory is needed for the numbers and
the distinct labels, never the whole text.
"""

import csv
import dataclasses
import io
import json
import re
from array import array
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from spikylib._arrays import checked_rows, largest_entry
from spikylib._interactions import Embeddings
from spikylib.datasets._catalogue import DATASETS
from spikylib.datasets._guard import reading, unpacked
from spikylib.datasets._vectors import read_vectors

_BLOCK = 1 << 26  # bytes of text parsed at a time
_MAX_WHOLE = 1 << 30  # bytes of a file that is read whole; no published one comes near


def cornell_yes(name: str, home: Path) -> dict:
    """Radio playlists of Yes.com; a song repeated in a playlist counts towards its size."""
    folder = home / "cornell-yes" / name.replace("cornell-yes-", "yes_")
    sources = ["train.txt", *["test.txt"] * (folder / "test.txt").is_file()]
    _require(folder / "train.txt", name)
    playlists = {
        f"{source}:{number}": songs
        for source in sources
        for number, songs in _read_playlists(folder / source)
    }
    songs = np.concatenate(list(playlists.values()))
    alone = "; test.txt is absent, and the paper used both" * (len(sources) == 1)
    return {
        "item": songs,
        "context": np.repeat(np.arange(len(playlists)), [len(line) for line in playlists.values()]),
        "items": _cornell_labels(songs.max() + 1, folder),
        "contexts": pd.DataFrame({"id": list(playlists)}),
        "notes": f"read {' and '.join(sources)}{alone}",
    }


def aotm_2011(name: str, home: Path) -> dict:
    """Playlists of The Art of the Mix: the tracks that were matched to the Million Song Dataset."""
    path = home / "aotm-2011" / "aotm2011_playlists.json.gz"
    if not path.is_file() and path.with_suffix("").is_file():
        path = path.with_suffix("")
    labels = {}

    def playlists():
        for place, mix in enumerate(_read_json(_require(path, name))):
            with reading(f"{path}, playlist {place}", "is not of the published format"):
                tracks = [track for part in mix["filtered_lists"] for track in part]
                for label, track, *_ in mix["playlist"]:
                    if track is not None and len(label) == 2:
                        labels.setdefault(track, label[::-1])
                user = (mix.get("user") or {}).get("name")
                yield tracks, (mix["mix_id"], mix.get("category"), user, mix.get("timestamp"))

    found = _joined(name, playlists(), ["id", "category", "user", "time"], format="ISO8601", errors="coerce")
    if not len(found["item"]):
        raise ValueError(f"{path} contains no playlist with a matched track")
    found["items"][["title", "artist"]] = [labels.get(track, ("", "")) for track in found["items"]["id"]]
    return found


def spotify_mpd(name: str, home: Path) -> dict:
    """Playlists of the Million Playlist Dataset, slice by slice."""
    folder = home / "spotify-mpd" / "data"
    slices = sorted(
        folder.glob("mpd.slice.*.json"), key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)]
    )
    if not slices:
        _require(folder / "mpd.slice.0-999.json", name)
    labels = {}

    def playlists():
        for path in slices:  # one at a time: all of them together are 33 GB
            with reading(path, "is not a slice of the published format"):
                for entry in _read_json(path)["playlists"]:
                    for track in entry["tracks"]:
                        if track["track_uri"] not in labels:
                            columns = ("track_name", "artist_name", "album_name")
                            labels[track["track_uri"]] = [track.get(column, "") for column in columns]
                    context = (
                        entry["pid"],
                        entry.get("name"),
                        entry.get("num_followers"),
                        entry["modified_at"],
                    )
                    yield [track["track_uri"] for track in entry["tracks"]], context

    found = _joined(name, playlists(), ["id", "title", "followers", "time"], unit="s")
    found["items"][["title", "artist", "album"]] = list(labels.values())
    return found


def lastfm_360k(name: str, home: Path) -> dict:
    """Artists of Last.fm's users; the item is the MusicBrainz id, or the name without one.

    A line is malformed, and left out, unless it has four fields: a user of 40 hexadecimal
    digits, an id or a name, and a whole number of plays.
    """
    path = _require(home / "lastfm-360k" / "usersha1-artmbid-artname-plays.tsv", name)
    users, artists, names, item, context = {}, {}, [], [], []
    lines = 0

    def skip(row):
        nonlocal lines
        lines += 1
        return "skip"

    columns = ["user", "mbid", "name", "plays"]
    batches = pyarrow.csv.open_csv(
        path,
        pyarrow.csv.ReadOptions(block_size=_BLOCK, column_names=columns),
        pyarrow.csv.ParseOptions(delimiter="\t", quote_char=False, invalid_row_handler=skip),
        pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(columns, pa.binary())),
    )
    for batch in batches:
        lines += len(batch)
        # fields are bytes: a name need not be UTF-8, and is decoded once an artist, not once a line
        key = pc.if_else(pc.equal(batch["mbid"], b""), batch["name"], batch["mbid"])
        user_is_hash = pc.match_substring_regex(batch["user"], "^[0-9a-f]{40}$")
        plays_is_whole = pc.match_substring_regex(batch["plays"], r"^\s*[0-9]+\s*$")
        good = pc.and_(pc.and_(user_is_hash, plays_is_whole), pc.greater(pc.binary_length(key), 0))
        batch, key = batch.filter(good), key.filter(good)
        item.append(_numbered(key, artists))
        context.append(_numbered(batch["user"], users))
        # an artist goes by the name of the first line that has the artist's number
        numbers, first = np.unique(item[-1], return_index=True)
        names.extend(batch["name"].take(pa.array(first[numbers >= len(names)])).to_pylist())
    good = sum(map(len, item))
    if good == 0:
        raise ValueError(f"{path}: none of {lines} lines is user TAB artist-mbid TAB artist-name TAB plays")
    notes = [_share(lines, DATASETS[name].interactions, "lines")]
    notes += [f"{lines - good} malformed lines left out"] * (lines > good)
    return {
        "item": np.concatenate(item),
        "context": np.concatenate(context),
        "items": pd.DataFrame({"id": _text(artists), "artist": _text(names)}),
        "contexts": pd.DataFrame({"id": _text(users)}),
        "notes": "; ".join(filter(None, notes)),
    }


def movielens(name: str, home: Path) -> dict:
    """Movies that a user rated, whatever the rating; dated by the rating."""
    path = _require(home / name / "ratings.csv", name)
    # a cut within the last number would leave a row that parses, with another time
    with path.open("rb") as file:
        if file.seek(0, 2) and (file.seek(-1, 2), file.read())[1] != b"\n":
            raise ValueError(f"{path} is damaged or cut short: its last line has no end; get the file again")
    types = {"userId": pa.int32(), "movieId": pa.int32(), "timestamp": pa.int64()}
    with reading(path):
        # an empty field is damage, not a missing number
        convert = pyarrow.csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=[])
        table = pyarrow.csv.read_csv(path, convert_options=convert)
    user, movie, stamp = (table[column].to_numpy() for column in types)
    items = _labels(path.with_name("movies.csv"), movie, {"movieId": int, "title": str, "genres": str})
    if items is not None:
        genres = items.pop("genres").replace("(no genres listed)", "")
        items["tags"] = [tuple(filter(None, text.split("|"))) for text in genres]
    return {
        "item": movie,
        "context": user,
        "times": stamp.astype("datetime64[s]"),
        "items": items,
        "notes": _share(len(movie), DATASETS[name].interactions, "ratings"),
    }


def lastfm_2k(name: str, home: Path) -> dict:
    """Artists that a user of Last.fm listened to (HetRec 2011)."""
    path = _require(home / "lastfm-2k" / "user_artists.dat", name)
    tabs = {"sep": "\t", "quoting": csv.QUOTE_NONE}
    plays = _table(path, {"userID": int, "artistID": int}, **tabs)
    labels = _labels(path.with_name("artists.dat"), plays["artistID"], {"id": int, "name": str}, **tabs)
    return {
        "item": plays["artistID"].to_numpy(),
        "context": plays["userID"].to_numpy(),
        "items": None if labels is None else labels.rename(columns={"name": "artist"}),
        "notes": _share(len(plays), DATASETS[name].interactions, "lines"),
    }


def triplej(name: str, home: Path) -> dict:
    """Plays of the radio station triple j; a context is a programme on a date."""
    path = home / "triplej" / "playlist_20140929.zip"
    if not path.is_file() and path.with_suffix(".csv").is_file():
        path = path.with_suffix(".csv")
    with reading(_require(path, name), "is damaged or cut short"), unpacked(path, _MAX_WHOLE) as file:
        # CR ends the lines, and stands inside quoted fields too: an album that was not known
        text = io.StringIO(file.read().decode("mac_roman").replace("\r\n", "\n").replace("\r", "\n"))
    columns = ["date", "time", "trackname", "artist", "album", "program"]
    table = _table(text, dict.fromkeys(columns, str), what=path)
    undated = int((table["date"] == "").sum())
    table = table[table["date"] != ""]
    times = pd.to_datetime(table["date"] + " " + table["time"], format="%d/%m/%Y %H:%M:%S")
    folded = [table[column].map(str.casefold) for column in ("artist", "trackname")]
    track = table.groupby(folded, sort=False).ngroup().to_numpy()
    show = table.groupby(["date", "program"], sort=False).ngroup().to_numpy()
    items, shows = (
        table.iloc[np.unique(code, return_index=True)[1]].reset_index(drop=True) for code in (track, show)
    )
    items["id"] = (items["artist"] + " | " + items["trackname"]).map(str.casefold)
    # a track's album is the first that is known: not every play gives one
    album = table["album"].str.strip()
    album = album[album != ""].groupby(track[album != ""]).first()
    items["album"] = album.reindex(items.index, fill_value="")
    shows["date"] = pd.to_datetime(shows["date"], format="%d/%m/%Y")
    shows["id"] = shows["date"].dt.strftime("%Y-%m-%d") + " | " + shows["program"]
    return {
        "item": track,
        "context": show,
        "times": times.to_numpy(),
        "items": items.rename(columns={"trackname": "title"})[["id", "title", "artist", "album"]],
        "contexts": shows[["id", "date", "program"]],
        "notes": f"{undated} rows without a date dropped" if undated else "",
    }


def deezer_songs(name: str, home: Path, *, features: str = "svd") -> Embeddings:
    """Embeddings of 50,000 anonymous songs: `features` "svd" (128-d) or "mf" (256-d)."""
    path = home / "deezer-songs" / "song_embeddings.parquet"
    if features not in ("svd", "mf"):
        raise ValueError(f"features of {path} must be 'svd' or 'mf', got {features!r}")
    _require(path, name)
    songs = read_vectors(path, "song_index", f"features_{features}", sure=True)
    return dataclasses.replace(songs, name=name)


def complete_journey(name: str, home: Path) -> dict:
    """Products of the baskets of a grocer; dated by the purchase, and tagged by their category."""
    plays, labels = (_require(home / file, name) for file in DATASETS[name].files)
    rows = _parquet(plays, ["product_id", "basket_id", "transaction_timestamp"])
    items = _parquet(labels, ["product_id", "product_type", "product_category", "brand"])
    items = items.rename(columns={"product_type": "title"}).fillna("").set_index("product_id")
    items["tags"] = [(category,) if category else () for category in items.pop("product_category")]
    return {
        "item": rows["product_id"].to_numpy(),
        "context": rows["basket_id"].to_numpy(),
        "times": rows["transaction_timestamp"].to_numpy().astype("datetime64[s]"),
        "items": items,
        "notes": _share(len(rows), DATASETS[name].interactions, "rows"),
    }


def user_lists(name: str, home: Path) -> dict:
    """Items of users, `user item item ...` on a line; of several files, together."""
    paths = [_require(home / file, name) for file in DATASETS[name].files]
    lines = [line for path in paths for _, line in _number_lines(path, _lines(path))]
    return _of_users(name, [line[0] for line in lines], [line[1:] for line in lines])


def citeulike_a(name: str, home: Path) -> dict:
    """Papers in the libraries of CiteULike's users, a user a line: `count paper paper ...`."""
    path = _require(home / "citeulike-a" / "users.dat", name)
    lines = _number_lines(path, _lines(path))
    for number, (count, *papers) in lines:
        if count != len(papers):
            raise ValueError(
                f"{path}, line {number}: {count} papers are declared, but {len(papers)} were found; get the file again"
            )
    return _of_users(name, [number - 1 for number, _ in lines], [line[1:] for _, line in lines])


def item2vec(name: str, home: Path) -> Embeddings:
    """Songs of cornell-yes-small by word2vec; their ids are that dataset's, which has the titles."""
    path = _require(home / "embeddings" / f"{name}.npz", name)
    songs = read_vectors(path, "words", "vectors")
    with reading(path, "does not contain the numbers of songs in 'words'"):
        ids = np.array([int(word) for word in songs.ids])
        n_songs = DATASETS["cornell-yes-small"].items
        if not 0 <= ids.min() <= ids.max() < n_songs:
            raise ValueError(f"{ids.min()} to {ids.max()}, not 0 to {n_songs - 1}")
    folder = home / "cornell-yes" / "yes_small"
    if not (folder / "song_hash.txt").is_file():
        alone = "no titles: they are in song_hash.txt of cornell-yes-small, which is absent"
        return dataclasses.replace(songs, ids=ids, name=name, notes=f"{songs.notes}; {alone}")
    items = _cornell_labels(n_songs, folder).iloc[ids].reset_index(drop=True)
    return dataclasses.replace(songs, ids=ids, name=name, items=items)


def s3rec_beauty(name: str, home: Path) -> Embeddings:
    """Products of amazon-beauty by S3-Rec; their ids are that dataset's."""
    path = _require(home / "embeddings" / "s3rec-beauty.npz", name)
    vectors = read_vectors(path, None, "item_embeddings_weight").vectors
    last = len(vectors) - 1
    notes = f"rows 0 and {last}, padding and mask, dropped; the others are numbered 1 to {last - 1}"
    return Embeddings(np.arange(1, last), vectors[1:-1], name, notes)


def glove_50d(name: str, home: Path) -> Embeddings:
    """Word vectors, the most frequent word first."""
    path, words = (_require(home / file, name) for file in DATASETS[name].files)
    vectors = read_vectors(path).vectors
    ids = _parquet(words, ["index"])["index"].to_numpy(dtype=object)
    if len(ids) != len(vectors):
        raise ValueError(f"{words} has {len(ids)} words for the {len(vectors)} vectors of {path}")
    return Embeddings(ids, vectors, name)


def released(name: str, home: Path) -> Embeddings:
    """The factors that the paper's authors released, as U Sigma; the items are not named."""
    folder = home / "released" / name.removeprefix("released-")
    if not (folder / "U.npy").is_file():
        pickled = _require(home / DATASETS[name].files[0], name)
        raise ValueError(
            f"{pickled} is a pickle, and nothing is unpickled here: if you trust its publisher, run once, in its "
            'folder, `import numpy as np; U, s, V = np.load("UsV.npy", allow_pickle=True); np.save("U.npy", U); '
            'np.save("S.npy", s)`'
        )
    U, s = (_plain(_require(folder / file, name)) for file in ("U.npy", "S.npy"))
    U = checked_rows(str(folder / "U.npy"), U)
    if s.shape != U.shape[1:] or s.dtype.kind != "f":
        raise ValueError(
            f"{folder}: U.npy has shape {U.shape} and S.npy {s.shape} of {s.dtype}, expected (items, f) and "
            "(f,) of floats; get the files again"
        )
    vectors = U * s
    largest_entry(str(folder), vectors)  # refuses NaN and infinity
    notes = ["U Sigma as released", "no ids: the rows are numbered"]
    notes.append(_share(len(U), DATASETS[name].items, "items"))
    return Embeddings(np.arange(len(U)), vectors, name, "; ".join(filter(None, notes)))


# --- files -------------------------------------------------------------------------------


def _require(path, name):
    if path.is_file():
        return path
    raise FileNotFoundError(
        f"{name} needs {path.name}, looked for at {path}. Fetch it with `spiky data fetch {name}` "
        "(or download=True), or put it there by hand, or point $SPIKYLIB_DATA or data_home= at the "
        "folder that holds it."
    )


def _of_users(name, users, lists):
    """What `build` takes, of the lists of users' items."""
    item = np.concatenate(lists)
    return {
        "item": item,
        "context": np.repeat(users, [len(line) for line in lists]),
        "notes": _share(len(item), DATASETS[name].interactions, "interactions"),
    }


def _parquet(path, columns):
    with reading(path), path.open("rb") as file:
        return pyarrow.parquet.read_table(file, columns=columns).to_pandas()[columns]


def _plain(path):
    with reading(path, "is not a plain array of numbers"):
        return np.load(path, allow_pickle=False)


def _read_json(path):
    with reading(path, "is damaged or cut short"), unpacked(path, _MAX_WHOLE) as file:
        return json.loads(file.read())


def _joined(name, playlists, columns, **time):
    """What `build` takes, of playlists that come one at a time: ids of tracks, and what describes the playlist."""
    # Python's own numbers would take ten times the memory
    number, item, size, described = {}, array("i"), [], []
    for tracks, context in playlists:
        item.extend(number.setdefault(track, len(number)) for track in tracks)
        size.append(len(tracks))
        described.append(context)
    contexts = pd.DataFrame(described, columns=columns)
    contexts["time"] = pd.to_datetime(contexts["time"], **time)
    return {
        "item": np.array(item, np.int32),
        "context": np.repeat(np.arange(len(size), dtype=np.int32), size),
        "context_times": contexts["time"].to_numpy().astype("datetime64[s]"),
        "items": pd.DataFrame({"id": list(number)}),
        "contexts": contexts,
        "notes": _share(len(size), DATASETS[name].contexts, "playlists"),
    }


def _numbered(values, numbers):
    """int32 numbers of an arrow array by first appearance; `numbers` holds those already given."""
    encoded = values.dictionary_encode()
    new = [numbers.setdefault(value, len(numbers)) for value in encoded.dictionary.to_pylist()]
    return np.array(new, np.int32)[encoded.indices.to_numpy()]


def _table(file, columns, *, what=None, **options):
    """Columns by name and type, of a text table small enough to be read whole."""
    with reading(what or file, "is empty, damaged or cut short"):
        return pd.read_csv(file, dtype=columns, keep_default_na=False, usecols=list(columns), **options)


def _labels(path, numbers, columns, **options):
    """Columns of text about numbered items, the first column their number; None where the file is absent."""
    if not path.is_file():
        return None
    table = _table(path, columns, **options).drop_duplicates(number := next(iter(columns)), keep="last")
    return table.set_index(number).reindex(pd.unique(numbers)).fillna("")


def _share(found, published, what):
    return "" if found == published else f"{found:,} of the {published:,} published {what}"


def _text(values):
    return [value.decode("utf-8", errors="replace").strip() for value in values]


def _read_playlists(path):
    """(line number, song numbers) of each playlist, checked against the file's own counts."""
    text = _lines(path)
    if len(text) < 3 or not text[0].strip():
        raise ValueError(f"{path} is empty or cut short: two header lines and playlists were expected")
    n_songs = len(text[0].split())
    promised = _numbers(path, 2, text[1])
    playlists = _number_lines(path, text[2:], first=3)
    for i, songs in playlists:
        if songs.max() >= n_songs:
            raise ValueError(f"{path}, line {i}: a song number outside 0 to {n_songs - 1}")
    # a file cut at the end of a line still parses; the publisher's own counts show it
    played = np.bincount(np.concatenate([songs for _, songs in playlists]), minlength=n_songs)
    if not np.array_equal(played, promised):
        raise ValueError(
            f"{path} is cut short or damaged: line 2 declares {promised.sum()} plays, but {played.sum()} were "
            "found; fetch the file again from its publisher"
        )
    return playlists


def _number_lines(path, text, first=1):
    """(line number, whole numbers) of the lines that are not blank."""
    lines = [(i, _numbers(path, i, line)) for i, line in enumerate(text, start=first) if line.strip()]
    if not lines:
        raise ValueError(f"{path} is empty or cut short: no line of numbers after line {first - 1}")
    return lines


def _numbers(path, number, line):
    with reading(f"{path}, line {number}", "is not a list of whole numbers"):
        found = np.array([int(word) for word in line.split()], dtype=np.int64)
        if found.min(initial=0) < 0:
            raise ValueError(f"{found.min()} is negative")
    return found


def _cornell_labels(n_songs, folder):
    """Titles, artists and tags of songs 0 to n_songs - 1, where the files are there."""
    items = pd.DataFrame({"id": range(n_songs)})
    if (folder / "song_hash.txt").is_file():
        rows = [line.split("\t") for line in _lines(folder / "song_hash.txt")]
        # the publisher escapes "/"
        names = {
            int(row[0]): [word.strip().replace("\\/", "/") for word in row[1:3]]
            for row in rows
            if len(row) > 2
        }
        items[["title", "artist"]] = [names.get(i, ["", ""]) for i in range(n_songs)]
    if (folder / "tags.txt").is_file() and (folder / "tag_hash.txt").is_file():
        tag = dict(line.split(", ", 1) for line in _lines(folder / "tag_hash.txt") if ", " in line)
        rows = _lines(folder / "tags.txt")
        if len(rows) < n_songs:
            raise ValueError(f"{folder / 'tags.txt'} is cut short: {len(rows)} lines for {n_songs} songs")
        items["tags"] = [tuple(tag[t].strip() for t in row.split() if t in tag) for row in rows[:n_songs]]
    return items


def _lines(path):
    with reading(path):
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")

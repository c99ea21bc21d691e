"""One reader for each published format.

Each takes the dataset's name and the data home and returns :class:`Interactions` (or
:class:`Embeddings`); what it understands of `min_context_size`, `min_item_count`, `start` and
`end` it passes on to `build`. Large files are read in blocks and numbered on the way, so
that memory holds the numbers and the distinct labels, never the whole text.
"""

import contextlib
import csv
import errno
import gzip
import io
import json
import re
import zipfile
from itertools import repeat

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from spikylib._interactions import Embeddings, build
from spikylib.datasets._catalogue import DATASETS

_BLOCK = 1 << 26  # bytes of text parsed at a time
DENSEST = 1000  # bytes that a packed byte may stand for, and a tenth as many rows; ten bytes are usual
_MAX_UNPACKED = 1 << 30  # bytes; no published file comes near


def cornell_yes(name, home, *, min_context_size=5, min_item_count=1):
    """Radio playlists of Yes.com; a song repeated in a playlist counts towards its size."""
    folder = home / "cornell-yes" / name.replace("cornell-yes-", "yes_")
    train = _require(folder / "train.txt", name)
    with reading(folder):
        plays, sources = [_read_playlists(train)], ["train.txt"]
        if (folder / "test.txt").is_file():
            plays.append(_read_playlists(folder / "test.txt"))
            sources.append("test.txt")
    songs, playlists, labels = [], [], []
    for source, lines in zip(sources, plays):
        for number, line in lines:
            songs.extend(line)
            playlists.extend([len(labels)] * len(line))
            labels.append(f"{source}:{number}")
    notes = f"read {' and '.join(sources)}"
    if len(sources) == 1:
        notes += "; test.txt is absent, and the paper used both"
    with reading(folder):
        items = _cornell_labels(max(songs) + 1, folder)
    return build(
        np.array(songs),
        np.array(playlists),
        name=name,
        notes=notes,
        items=items,
        contexts=pd.DataFrame({"id": labels}),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
    )


def aotm_2011(name, home, *, min_context_size=1, min_item_count=1, start=None, end=None):
    """Playlists of The Art of the Mix: the tracks that were matched to the Million Song Dataset."""
    path = home / "aotm-2011" / "aotm2011_playlists.json.gz"
    if not path.is_file() and path.with_suffix("").is_file():
        path = path.with_suffix("")
    _require(path, name)
    with reading(path):
        mixes = _read_json(path)
        number, titles, mix = {}, {}, []
        item, size = [], []
        for place, entry in enumerate(mixes):
            try:
                before = len(item)
                for part in entry["filtered_lists"]:
                    item.extend(number.setdefault(track, len(number)) for track in part)
                size.append(len(item) - before)
                for label, track, *_ in entry["playlist"]:
                    if track is not None and len(label) == 2:
                        titles.setdefault(track, label)
                user = (entry.get("user") or {}).get("name")
                mix.append((entry["mix_id"], entry.get("category"), user, entry.get("timestamp")))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{path}, playlist {place}: not an object of the published format ({error!r})"
                ) from None
    if not item:
        raise ValueError(f"{path} holds no playlist with a matched track")
    with reading(path):
        items = pd.DataFrame({"id": list(number)})
        for column, k in (("title", 1), ("artist", 0)):
            items[column] = [titles[track][k] if track in titles else "" for track in number]
        contexts = pd.DataFrame(mix, columns=["id", "category", "user", "time"])
        contexts["time"] = pd.to_datetime(contexts["time"], errors="coerce", format="ISO8601")
    return build(
        np.array(item),
        np.repeat(np.arange(len(size)), size),
        name=name,
        notes=_share(len(mixes), DATASETS[name].size[1], "playlists"),
        items=items,
        contexts=contexts,
        context_times=contexts["time"].to_numpy().astype("datetime64[s]"),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )


def spotify_mpd(name, home, *, min_context_size=1, min_item_count=1, start=None, end=None):
    """Playlists of the Million Playlist Dataset, slice by slice."""
    folder = home / "spotify-mpd" / "data"
    slices = sorted(
        folder.glob("mpd.slice.*.json"), key=lambda p: [int(n) for n in re.findall(r"\d+", p.name)]
    )
    if not slices:
        _require(folder / "mpd.slice.0-999.json", name)
    number = {}
    labels = {"title": [], "artist": [], "album": []}
    item, size, playlist = [], [], []
    for path in slices:
        codes = []
        with reading(path, "is not a slice of the published format"):
            for entry in _read_json(path)["playlists"]:
                playlist.append(
                    (entry["pid"], entry.get("name"), entry.get("num_followers"), entry["modified_at"])
                )
                size.append(len(entry["tracks"]))
                for t in entry["tracks"]:
                    uri = t["track_uri"]
                    code = number.get(uri)
                    if code is None:
                        code = number[uri] = len(number)
                        for column, values in labels.items():
                            values.append(t.get("track_name" if column == "title" else f"{column}_name", ""))
                    codes.append(code)
        item.append(np.array(codes, np.int32))
    with reading(folder):
        items = pd.DataFrame({"id": list(number), **labels})
        del number, labels
        contexts = pd.DataFrame(playlist, columns=["id", "title", "followers", "time"])
        contexts["time"] = pd.to_datetime(contexts["time"], unit="s")
    return build(
        np.concatenate(item),
        np.repeat(np.arange(len(size), dtype=np.int32), size),
        name=name,
        notes=_share(len(size), DATASETS[name].size[1], "playlists"),
        items=items,
        contexts=contexts,
        context_times=contexts["time"].to_numpy().astype("datetime64[s]"),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )


def lastfm_360k(name, home, *, min_context_size=1, min_item_count=1):
    """Artists of Last.fm's users; the item is the MusicBrainz id, or the name without one.

    A line is malformed, and left out, unless it has four fields: a user of 40 hexadecimal
    digits, an id or a name, and a whole number of plays.
    """
    path = _require(home / "lastfm-360k" / "usersha1-artmbid-artname-plays.tsv", name)
    users, artists, names = {}, {}, []
    item, context, lines, bad = [], [], 0, 0

    def skip(row):
        nonlocal bad
        bad += 1
        return "skip"

    with reading(path):
        columns = ["user", "mbid", "name", "plays"]
        for batch in _batches(path, columns, separator="\t", skip=skip):
            lines += len(batch)
            good = pc.and_(
                pc.match_substring_regex(batch["user"], "^[0-9a-f]{40}$"),
                pc.and_(
                    pc.match_substring_regex(batch["plays"], r"^\s*[0-9]+\s*$"),
                    pc.greater(
                        pc.binary_length(pc.binary_join_element_wise(batch["mbid"], batch["name"], b"")), 0
                    ),
                ),
            )
            batch = batch.filter(good)
            key = pc.if_else(pc.equal(batch["mbid"], b""), batch["name"], batch["mbid"])
            codes = _numbered(key, artists)
            new = np.flatnonzero(codes >= len(names))
            first = new[np.unique(codes[new], return_index=True)[1]]
            names.extend(batch["name"].take(pa.array(first)).to_pylist())
            item.append(codes)
            context.append(_numbered(batch["user"], users))
    lines += bad
    bad = lines - sum(map(len, item))
    if bad == lines:
        raise ValueError(
            f"{path}: none of {lines} lines is user-sha1 TAB artist-mbid TAB artist-name TAB plays"
        )
    notes = [
        _share(lines, DATASETS[name].size[2], "lines"),
        f"{bad} malformed lines left out" * (bad > 0),
    ]
    return build(
        np.concatenate(item),
        np.concatenate(context),
        name=name,
        notes="; ".join(filter(None, notes)),
        items=pd.DataFrame({"id": _text(artists), "artist": _text(names)}),
        contexts=pd.DataFrame({"id": _text(users)}),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
    )


def movielens(name, home, *, min_context_size=1, min_item_count=1, start=None, end=None):
    """Movies that a user rated, whatever the rating; dated by the rating."""
    path = _require(home / name / "ratings.csv", name)
    with path.open("rb") as file:
        if file.seek(0, 2) and (file.seek(-1, 2), file.read())[1] != b"\n":
            raise ValueError(f"{path} is damaged or cut short: its last line has no end; get the file again")
    with reading(path):
        types = {"userId": pa.int32(), "movieId": pa.int32(), "timestamp": pa.int64()}
        parts = list(_batches(path, ["userId", "movieId", "rating", "timestamp"], types=types))
        user, movie, stamp = (np.concatenate([part[column].to_numpy() for part in parts]) for column in types)
    del parts
    data = build(
        movie,
        user,
        name=name,
        notes=_share(len(movie), DATASETS[name].size[2], "ratings"),
        times=stamp.astype("datetime64[s]"),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )
    films = path.with_name("movies.csv")
    if films.is_file():
        with reading(films):
            table = _table(films, ["movieId", "title", "genres"]).drop_duplicates("movieId")
            table.index = pd.to_numeric(table["movieId"])
            table = table.reindex(data.items["id"])
            data.items["title"] = table["title"].fillna("").to_numpy()
            genres = table["genres"].fillna("").replace("(no genres listed)", "")
            data.items["tags"] = [tuple(filter(None, text.split("|"))) for text in genres]
    return data


def lastfm_2k(name, home, *, min_context_size=1, min_item_count=1):
    """Artists that a user of Last.fm listened to (HetRec 2011)."""
    path = _require(home / "lastfm-2k" / "user_artists.dat", name)
    with reading(path):
        table = _table(path, ["userID", "artistID", "weight"], sep="\t", quoting=csv.QUOTE_NONE)
        artist, user = _whole(table["artistID"], path), _whole(table["userID"], path)
    data = build(
        artist,
        user,
        name=name,
        notes=_share(len(table), DATASETS[name].size[2], "lines"),
        min_context_size=min_context_size,
        min_item_count=min_item_count,
    )
    artists = path.with_name("artists.dat")
    if artists.is_file():
        with reading(artists):
            labels = _table(artists, ["id", "name", "url"], sep="\t", quoting=csv.QUOTE_NONE)
            names = dict(zip(_whole(labels["id"], artists), labels["name"]))
            data.items["artist"] = [names.get(i, "") for i in data.items["id"]]
    return data


def triplej(name, home, *, min_context_size=1, min_item_count=1, start=None, end=None):
    """Plays of the radio station triple j; a context is a programme on a date."""
    path = home / "triplej" / "playlist_20140929.zip"
    if not path.is_file() and path.with_suffix(".csv").is_file():
        path = path.with_suffix(".csv")
    _require(path, name)
    with reading(path):
        raw = _only_csv(path) if path.suffix == ".zip" else path.read_bytes()
        # CR ends the lines, and stands inside quoted fields too: an album that was not known
        text = io.StringIO(raw.decode("mac_roman").replace("\r\n", "\n").replace("\r", "\n"))
        table = _table(text, ["date", "time", "trackname", "artist", "album", "program"], what=path)
        dated = table["date"] != ""
        found, table = len(table), table[dated]
        times = pd.to_datetime(
            table["date"] + " " + table["time"], format="%d/%m/%Y %H:%M:%S", errors="coerce"
        )
        if times.isna().any():
            row = table[times.isna()].iloc[0]
            raise ValueError(
                f"{path}: {row['date']!r} {row['time']!r} is not a date (d/mm/yyyy) and a time (h:mm:ss)"
            )
        folded = {c: table[c].map(str.casefold) for c in ("artist", "trackname")}
        track = table.groupby([folded["artist"], folded["trackname"]], sort=False).ngroup().to_numpy()
        show = table.groupby(["date", "program"], sort=False).ngroup().to_numpy()
        items, shows = table.iloc[_firsts(track)], table.iloc[_firsts(show)]
        album = table["album"].str.strip()
        album = album[album != ""].groupby(track[album != ""]).first()
        items = pd.DataFrame(
            {
                "id": (items["artist"] + " | " + items["trackname"]).map(str.casefold),
                "title": items["trackname"],
                "artist": items["artist"],
                "album": album.reindex(range(len(items)), fill_value="").to_numpy(),
            }
        )
        day = pd.to_datetime(shows["date"], format="%d/%m/%Y")
        contexts = pd.DataFrame(
            {
                "id": day.dt.strftime("%Y-%m-%d") + " | " + shows["program"],
                "date": day,
                "program": shows["program"],
            }
        )
    return build(
        track,
        show,
        name=name,
        notes=f"{found - len(table)} rows without a date dropped" if found > len(table) else "",
        times=times.to_numpy(),
        items=items,
        contexts=contexts,
        min_context_size=min_context_size,
        min_item_count=min_item_count,
        start=start,
        end=end,
    )


def deezer_songs(name, home, *, features="svd"):
    """Embeddings of 50,000 anonymous songs: `features` "svd" (128-d) or "mf" (256-d)."""
    if features not in ("svd", "mf"):
        raise ValueError(f"features must be 'svd' or 'mf', got {features!r}")
    path = _require(home / "deezer-songs" / "song_embeddings.parquet", name)
    return read_vectors(path, id_column="song_index", vector_column=f"features_{features}", name=name)


def read_vectors(path, *, id_column=None, vector_column=None, name=""):
    """Embeddings of a parquet file with a column of lists of numbers."""
    with reading(path, "is not a parquet file, or is cut short"):
        ids, vectors = _columns(path, id_column, vector_column)
    with reading(path):
        return checked_embeddings(ids, vectors, path, name)


def _columns(path, id_column, vector_column):
    schema = pyarrow.parquet.read_schema(path)
    check_density(path)
    lists = [f.name for f in schema if pa.types.is_list(f.type) or pa.types.is_fixed_size_list(f.type)
             or pa.types.is_large_list(f.type)]  # fmt: skip
    others = [c for c in schema.names if c not in lists]
    vector_column = _pick(path, vector_column, lists, "vector_column", "of vectors")
    if id_column is not None or len(others) == 1:
        id_column = _pick(path, id_column, others, "id_column", "of ids")
    columns = [vector_column] + ([] if id_column is None else [id_column])
    table = pyarrow.parquet.read_table(path, columns=columns)
    column = table[vector_column].combine_chunks()
    lengths = pc.list_value_length(column)
    if len(column) == 0:
        raise ValueError(f"{path} holds no vector")
    if column.null_count or pc.count_distinct(lengths).as_py() != 1:
        raise ValueError(f"{path}: the vectors of column {vector_column!r} are not all of one length")
    vectors = column.flatten().to_numpy(zero_copy_only=False).reshape(len(column), -1)
    ids = np.arange(len(vectors)) if id_column is None else table[id_column].to_numpy()
    return ids, vectors


def checked_embeddings(ids, vectors, path, name):
    """Embeddings, once the vectors are finite numbers and the ids distinct."""
    if vectors.ndim != 2 or 0 in vectors.shape:
        raise ValueError(f"{path}: a matrix with one row per item was expected, its shape is {vectors.shape}")
    if vectors.dtype.kind not in "fiu":
        raise ValueError(f"{path} holds {vectors.dtype}, real numbers were expected")
    if vectors.dtype not in (np.float32, np.float64):
        vectors = vectors.astype(np.float32 if vectors.dtype == np.float16 else np.float64)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise ValueError(f"{path}: row {np.flatnonzero(~finite)[0]} holds NaN or infinity; drop or mend it")
    if len(ids) != len(vectors):
        raise ValueError(f"{path}: {len(ids)} ids for {len(vectors)} vectors")
    twice = pd.Index(ids).duplicated()
    if twice.any():
        raise ValueError(f"{path}: the id {ids[twice][0]!r} stands twice")
    return Embeddings(np.asarray(ids), vectors, name)


@contextlib.contextmanager
def reading(path, wrong="is damaged, cut short, or not what its name says"):
    """Turn whatever parsers raise on a damaged file into one kind of error, which names the file."""
    try:
        yield
    except pd.errors.EmptyDataError:
        raise ValueError(f"{path} is empty") from None
    except Exception as error:
        # seeking to a place that a damaged file names is EINVAL; other numbers are the disk's
        if str(path) in str(error) or getattr(error, "errno", None) not in (None, errno.EINVAL):
            raise
        raise ValueError(f"{path} {wrong} ({type(error).__name__}: {error}); get the file again") from error


def check_density(path):
    """Refuse a Parquet file that promises more rows or bytes than real data can be packed into."""
    metadata = pyarrow.parquet.read_metadata(path)
    unpacked = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    size = path.stat().st_size
    if max(10 * metadata.num_rows, unpacked) > DENSEST * size:
        raise ValueError(
            f"{path} promises {metadata.num_rows} rows and {unpacked} bytes in {size}, which no data does"
        )


# --- files -------------------------------------------------------------------------------


def _require(path, name):
    if path.is_file():
        return path
    raise FileNotFoundError(
        f"{name} needs {path.name}, looked for at {path}. Fetch it with `spiky data fetch {name}` "
        "(or download=True), or put it there by hand, or point $SPIKYLIB_DATA or data_home= at the "
        "folder that holds it."
    )


def _read_json(path):
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            text = file.read(_MAX_UNPACKED + 1)
        if len(text) > _MAX_UNPACKED:
            raise ValueError(f"more than {_MAX_UNPACKED} bytes")
        return json.loads(text)
    except (ValueError, EOFError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}; get the file again") from None


def _batches(path, columns, *, separator=",", types=None, skip=None):
    """Record batches of a text table; without `types` there is no header, and fields are bytes."""
    header = types is not None
    try:
        with pyarrow.csv.open_csv(
            path,
            read_options=pyarrow.csv.ReadOptions(
                block_size=_BLOCK, column_names=None if header else columns, use_threads=True
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=separator, quote_char='"' if header else False, invalid_row_handler=skip
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=types or dict(zip(columns, repeat(pa.binary()))),
                include_columns=list(types) if header else columns,
                strings_can_be_null=False,
                null_values=[],
            ),
        ) as reader:
            yield from reader
    except KeyError as error:
        raise ValueError(f"{path}: the columns {', '.join(columns)} were expected ({error})") from None
    except pa.ArrowInvalid as error:
        raise ValueError(f"{path} is empty, damaged or cut short: {error}") from None


def _numbered(values, numbers):
    """int32 numbers of an arrow array by first appearance; `numbers` holds those already given."""
    encoded = values.dictionary_encode()
    new = [numbers.setdefault(value, len(numbers)) for value in encoded.dictionary.to_pylist()]
    return np.array(new, np.int32)[encoded.indices.to_numpy()]


def _table(file, columns, *, what=None, **options):
    """A table of text columns of a file small enough to be read whole."""
    what = what or file
    try:
        table = pd.read_csv(file, dtype=str, keep_default_na=False, usecols=lambda c: c in columns, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise ValueError(f"{what} is empty, damaged or cut short: {error}") from None
    missing = [c for c in columns if c not in table.columns]
    if missing:
        raise ValueError(f"{what} has no column {missing[0]!r}; expected were: {', '.join(columns)}")
    return table


def _whole(column, path):
    try:
        return pd.to_numeric(column).to_numpy(np.int64)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}, column {column.name}: not a whole number: {error}") from None


def _only_csv(path):
    """Bytes of the one CSV in a zip, leaving aside what macOS adds."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [
                i
                for i in archive.infolist()
                if i.filename.endswith(".csv") and not i.filename.startswith("__MACOSX")
            ]
            if len(inside) != 1:
                raise ValueError(f"one .csv was expected inside, {len(inside)} found")
            if inside[0].file_size > _MAX_UNPACKED:
                raise ValueError(f"{inside[0].filename} would unpack to {inside[0].file_size} bytes")
            return archive.read(inside[0])
    except (zipfile.BadZipFile, EOFError, ValueError) as error:
        raise ValueError(f"{path} is damaged or cut short: {error}; fetch the file again") from None


def only(path, candidates, what):
    """The only candidate."""
    if len(candidates) != 1:
        raise ValueError(f"{path}: one {what} was expected, {len(candidates)} found {candidates}")
    return candidates[0]


def _pick(path, column, candidates, option, what):
    """The column asked for, or the only one there is."""
    if column is None and len(candidates) == 1:
        return candidates[0]
    if column in candidates:
        return column
    if not candidates:
        raise ValueError(f"{path} has no column {what}")
    wrong = f"no column {what} named {column!r}" if column else f"{len(candidates)} columns {what}"
    raise ValueError(f"{path} has {wrong}; choose {option} among: {', '.join(candidates)}")


def _share(found, published, what):
    return "" if found == published else f"{found:,} of the {published:,} published {what}"


def _firsts(codes):
    """Position of the first row of each code 0, 1, ..."""
    return np.unique(codes, return_index=True)[1]


def _text(values):
    return [value.decode("utf-8", errors="replace").strip() for value in values]


def _read_playlists(path):
    """(line number, song numbers) of each playlist, checked against the file's own counts."""
    text = path.read_text(encoding="utf-8").split("\n")
    if len(text) < 3 or not text[0].strip():
        raise ValueError(f"{path} is empty or cut short: two header lines and playlists were expected")
    n_songs = len(text[0].split())
    promised = _numbers(path, 2, text[1])
    if len(promised) != n_songs:
        raise ValueError(
            f"{path}, line 2: {len(promised)} play counts for {n_songs} songs; the file is damaged"
        )
    lines = [(i, _numbers(path, i, line)) for i, line in enumerate(text[2:], start=3) if line.strip()]
    played = np.concatenate([line for _, line in lines] or [np.empty(0, int)]).astype(int)
    if len(played) == 0:
        raise ValueError(f"{path} holds no playlist")
    if played.min() < 0 or played.max() >= n_songs:
        bad = next(i for i, line in lines if min(line) < 0 or max(line) >= n_songs)
        raise ValueError(f"{path}, line {bad}: a song number outside 0 to {n_songs - 1}")
    if (np.bincount(played, minlength=n_songs) != promised).any():
        raise ValueError(
            f"{path} is cut short or damaged: line 2 promises {sum(promised)} plays, {len(played)} were "
            "found; fetch the file again from its publisher"
        )
    return lines


def _numbers(path, number, line):
    try:
        return [int(word) for word in line.split()]
    except ValueError:
        raise ValueError(
            f"{path}, line {number}: not a list of whole numbers: {line.strip()[:60]!r}"
        ) from None


def _cornell_labels(n_songs, folder):
    """Titles, artists and tags of songs 0 to n_songs - 1, where the files are there."""
    items = pd.DataFrame({"id": range(n_songs)})
    if (folder / "song_hash.txt").is_file():
        rows = [line.split("\t") for line in _lines(folder / "song_hash.txt")]
        names = {
            int(row[0]): [word.strip().replace("\\/", "/") for word in row[1:3]]
            for row in rows
            if len(row) > 2
        }
        items["title"] = [names.get(i, ["", ""])[0] for i in range(n_songs)]
        items["artist"] = [names.get(i, ["", ""])[1] for i in range(n_songs)]
    if (folder / "tags.txt").is_file() and (folder / "tag_hash.txt").is_file():
        tag = dict(line.split(", ", 1) for line in _lines(folder / "tag_hash.txt") if ", " in line)
        rows = _lines(folder / "tags.txt")
        if len(rows) < n_songs:
            raise ValueError(
                f"{folder / 'tags.txt'} is cut short: {len(rows)} lines, song {n_songs - 1} was expected"
            )
        items["tags"] = [tuple(tag[t].strip() for t in row.split() if t in tag) for row in rows[:n_songs]]
    return items


def _lines(path):
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")

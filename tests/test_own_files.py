"""What people bring: files of their own, in the formats and habits that are met, each read or refused in words."""

import gzip
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import scipy.sparse as sp

from spikylib import datasets
from spikylib.datasets import (
    Embeddings,
    Interactions,
    load,
    read_embeddings,
    read_interactions,
    read_snapshots,
)


def write(path, content):
    """A file of text, bytes, records (.json, .jsonl), or columns (.parquet, .npz)."""
    if isinstance(content, str | bytes):
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(record) + "\n" for record in content))
    elif path.suffix == ".json":
        path.write_text(json.dumps(content))
    elif path.suffix.lower() == ".parquet":
        pyarrow.parquet.write_table(content if isinstance(content, pa.Table) else pa.table(content), path)
    else:
        np.savez(path, **content)
    return path


def pairs(data):
    """(item, context) of each stored entry."""
    stored = data.matrix.tocoo()
    return set(zip(data.items["id"].to_numpy()[stored.row], data.contexts["id"].to_numpy()[stored.col]))


def times(data):
    return sorted(data.times.astype(str).tolist())


NAMED = {("x", "a"), ("y", "b")}
ROWS = [("a", "x"), ("b", "y")]


# --- delimited text --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("P.CSV", "user,track\na,x\nb,y\n"),
        ("plays.CSV.GZ", gzip.compress(b"user,track\na,x\nb,y\n", mtime=0)),
        ("plays.txt", "user|track\na|x\nb|y\n"),
        ("excel.csv", "sep=;\nuser;track\na;x\nb;y\n"),
        ("mac.csv", "user,track\ra,x\rb,y\r"),
        ("windows.csv", "\ufeffuser,track\r\na,x\r\nb,y\r\n"),
        ("trailing.csv", "user,track\na,x,\nb,y,,\n"),
        ("blank.csv", "user,track\na,x\n\nb,y\n\n"),
        ("short.csv", "user,track,rating\na,x\nb,y,3\n"),
        ("spaces.txt", "user track\na x\nb  y \n"),
        ("typed.inter", "user_id:token\titem_id:token\trating:float\na\tx\t1.5\nb\ty\t2\n"),
        ("ratings.dat", "a::x::5::978300760\nb::y::4::978300761\n"),
    ],
)
def test_tables_of_every_kind_give_the_same(tmp_path, name, content):
    data = load(write(tmp_path / name, content))
    assert pairs(data) == NAMED
    assert data.notes.startswith("2 rows read, 2 used, for 2 pairs of item and context; guessed: item ")


def test_what_is_not_as_usual_is_noted(tmp_path):
    semicolons = read_interactions(write(tmp_path / "a.csv", "user;track\na;x\nb;y\n"))
    wide = read_interactions(write(tmp_path / "b.csv", "user,track\na,é\n".encode("utf-16")))
    colons = read_interactions(write(tmp_path / "c.dat", "1::11::5::978300760\n"))
    assert pairs(semicolons) == NAMED
    assert "fields are separated by ';'" in semicolons.notes
    assert wide.items["id"].tolist() == ["é"]
    assert "read as utf-16" in wide.notes
    assert "columns taken to be user::item::rating::time" in colons.notes
    assert times(colons) == ["2000-12-31T22:12:40"]


def test_the_types_after_names_may_be_left_out(tmp_path):
    file = write(tmp_path / "r.inter", "user_id:token\titem_id:token\n1\t11\n")
    for item, context in (("item_id:token", "user_id:token"), ("item_id", "user_id")):
        assert pairs(read_interactions(file, item=item, context=context)) == {("11", "1")}


def test_quotes_between_tabs_belong_to_the_title(tmp_path):
    file = write(tmp_path / "p.tsv", 'user\ttrack\na\t"Heroes\na\tx\nb\ty\nb\tTwelve 12"\n')
    data = read_interactions(file, item="track", context="user")
    assert data.items["id"].tolist() == ['"Heroes', "x", "y", 'Twelve 12"']


def test_rows_are_counted(tmp_path):
    data = load(write(tmp_path / "p.csv", "user,track\na,x\na,x\n,y\nb,\nb,x\n"))
    assert data.notes == (
        "5 rows read, 3 used, for 2 pairs of item and context; 2 without an item or a context dropped, "
        "the first on line 4; guessed: item 'track', context 'user'"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("user,track\na,x\nb,y,z\n", "line 3: more fields than the 2 columns user, track"),
        ("user,track\na,x\nb,y,z,q\n", "line 3.* more .*than the 2 columns"),
        ('user,track\n"a\nb",x\nb,y,z\n', "line 4: more fields"),
        ('user,track\na,"Heroes\na,x\n', "a quote opened at line 2 is never closed"),
        ('user,track\na,"Heroes\nb,y\nc,"x\nd,z\n', "a quote goes on over a line break in 'Heroes"),
        ("user,user,track\na,b,c\n", "two columns of one name"),
        (
            "user,track\na,Café\n".encode("cp1252"),
            "'a,Café': save it as UTF-8, or in Python give encoding='windows-1252'",
        ),
        (b"user,track\n" + 50000 * b"a,x\n" + "a,Café\n".encode("cp1252"), "give encoding='windows-1252'"),
        (
            "user,track\na,é\n".encode("utf-16-le"),
            "it looks like utf-16-le: save it as UTF-8, or in Python give encoding='utf-16-le'",
        ),
        ("user,track\na,é\n".encode("utf-16-be"), "it looks like utf-16-be"),
        (b"PK\3\4\0\0\0\0", "a workbook or a zip archive: save its table as CSV"),
        (
            "U1,B1,5.0,1400000000\nU2,B2,4.0,1400000001\n",
            "first line looks like data .*write such a line above it, or count columns from 0, as with item=1",
        ),
        ("U1,B1\nU2,B2\n", r"first line looks like data \(U1, B1\)"),
        ("2024-01-01,x\n", "first line looks like data"),
        ("", "is empty"),
        ("user,track\n", "no interaction is left of 0"),
    ],
)
def test_a_table_that_is_odd_is_described(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_interactions(write(tmp_path / "p.csv", content))


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("user,track\na,x\nb,y\n".encode("utf-16-le"), {"encoding": "utf-16-le"}),
        ("a,x,5.0\nb,y,4.0\n", {"header": None, "item": 1, "context": 0}),
        ("a,x,5.0\nb,y,4.0\n", {"header": None, "item": "1", "context": "0"}),
        ("a,x,5.0\nb,y,4.0\n", {"item": 1, "context": 0}),
        ("a,x,5.0\nb,y,4.0\n", {"names": ["user", "item", "rating"]}),
        ("2024,track\na,x\nb,y\n", {"header": 0, "item": "track"}),
        ("user,track\na,x\nb,y\n", {"header": 0, "item": 1, "context": 0}),
        ("user;x,y;track\na;1;x\nb;2;y\n", {"separator": ";"}),
        ("a|x\nb|y\n", {"separator": "|", "header": None, "item": 1, "context": 0}),
    ],
)
def test_an_option_makes_the_choice(tmp_path, content, options):
    assert pairs(read_interactions(write(tmp_path / "p.csv", content), **options)) == NAMED


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"encoding": "klingon"}, "unknown encoding: klingon"),
        ({"separator": "ab"}, "separator must be one character or '::', got 'ab'"),
        ({"item": "song"}, "no column 'song'; its columns are: user, track"),
        ({"header": None, "item": 7}, "no column 7; its columns are: 0, 1"),
        (
            {"item": 1, "context": 0},
            "names its columns: say which of user, track, or header=None",
        ),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        read_interactions(write(tmp_path / "p.csv", "user,track\na,x\n"), **options)


# --- guesses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "item", "context", "time"),
    [
        ("userId,movieId,rating,timestamp", "movieId", "userId", "timestamp"),
        ("visitorid,itemid,timestamp", "itemid", "visitorid", "timestamp"),
        ("user_id,user_name,track_id,track_name,artist_id", "track_id", "user_id", None),
        ("reviewerID,asin,overall,unixReviewTime", "asin", "reviewerID", "unixReviewTime"),
        ("playlist,song,num_tracks", "song", "playlist", None),
        ("session_id,product_sku,event_time,price", "product_sku", "session_id", "event_time"),
        ("user,rating,what", "what", "user", None),
        ("user_id,poi_id,created_at,updated_at", "poi_id", "user_id", None),
    ],
)
def test_columns_are_guessed_by_their_names(tmp_path, header, item, context, time):
    columns = header.split(",")
    row = ["1600000000" if c == time or c.endswith("_at") else f"{k}" for k, c in enumerate(columns)]
    data = load(write(tmp_path / "p.csv", f"{header}\n{','.join(row)}\n"))
    assert pairs(data) == {(row[columns.index(item)], row[columns.index(context)])}
    assert (data.times is not None) == (time is not None)
    for name in filter(None, (item, context, time)):
        assert repr(name) in data.notes.partition("guessed: ")[2]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("order_id,user_id,product_id", "order_id or user_id may be the column of the context; say context="),
        ("a,b", "a or b may be the column of the item; say item="),
        ("user,movie,track", "movie or track may be the column of the item; say item="),
        ("user", "has one column, user; interactions need an item and a context"),
    ],
)
def test_two_guesses_as_good_are_refused(tmp_path, header, message):
    file = write(tmp_path / "p.csv", f"{header}\n{','.join('pqr'[: header.count(',') + 1])}\n")
    with pytest.raises(ValueError, match=message):
        load(file)


def test_what_is_given_is_not_guessed(tmp_path):
    file = write(tmp_path / "p.csv", "order_id,user_id,product_id,time\n1,2,3,\n")
    assert pairs(load(file, context="order_id")) == {("3", "1")}
    both = read_interactions(file, item="product_id", context="user_id")
    assert both.times is None
    assert "guessed" not in both.notes


def test_a_guessed_time_that_cannot_be_read_is_left_out_and_noted(tmp_path):
    file = write(tmp_path / "p.csv", "user,track,date\na,x,01/02/2024\n")
    data = load(file)
    assert data.times is None
    assert "times left out: " in data.notes
    assert "day_first=True" in data.notes
    with pytest.raises(ValueError, match="day_first=True"):
        load(file, time="date")


def test_without_a_context_the_days_are_the_contexts(tmp_path):
    file = write(tmp_path / "p.csv", "track,artist,ts\nx,q,2024-01-01T23:59\ny,q,2024-01-02T00:00\nz,q,\n")
    data = load(file)
    assert pairs(data) == {("x", "2024-01-01"), ("y", "2024-01-02")}
    assert "contexts are the days" in data.notes
    assert "1 without an item or a context dropped, the first on line 4" in data.notes
    users = write(tmp_path / "u.csv", "user,track,ts\na,x,2024-01-01T23:59\nb,y,2024-01-02T00:00\n")
    assert pairs(load(users, context="day")) == pairs(data)


# --- ids and times ---------------------------------------------------------------------------


def test_ids_never_pass_through_floats(tmp_path):
    big = 2**53
    table = {"user": [1, 2, 3], "track": [big, big + 1, None]}
    for file in (
        write(tmp_path / "p.parquet", table),
        write(tmp_path / "p.json", [{"user": u, "track": t} for u, t in zip(*table.values())]),
    ):
        data = read_interactions(file, item="track", context="user")
        assert data.items["id"].tolist() == [big, big + 1]
        assert data.matrix.shape == (2, 2)
        assert "1 without an item or a context dropped" in data.notes


def test_a_column_of_records_is_no_id(tmp_path):
    file = write(tmp_path / "p.parquet", {"user": [{"id": 1}], "track": [2]})
    with pytest.raises(ValueError, match="column 'user' does not have one value per row"):
        read_interactions(file, item="track", context="user")


def test_floats_that_hold_whole_ids_become_whole(tmp_path):
    file = write(tmp_path / "p.parquet", {"user": [1.0, 2.0, None], "track": [5.0, 6.0, 7.0]})
    assert pairs(load(file)) == {(5, 1), (6, 2)}
    for ids in ([1.5, 2.0, 3.0], [2.0**53, 1.0, 2.0]):
        write(file, {"user": ids, "track": [5, 6, 7]})
        with pytest.raises(ValueError, match="column 'user' contains fractions, or numbers too large"):
            load(file)


@pytest.mark.parametrize("scale", [1, 10**3, 10**6, 10**9])
@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_numeric_times_are_in_the_unit_of_their_range(tmp_path, scale, suffix):
    stamps = [1704103200 * scale, 1704189600 * scale]
    table = pd.DataFrame({"user": ["a", "b"], "track": ["x", "y"], "ts": stamps})
    file = tmp_path / f"p{suffix}"
    table.to_csv(file, index=False) if suffix == ".csv" else table.to_parquet(file)
    data = read_interactions(file, item="track", context="user", time="ts")
    assert times(data) == ["2024-01-01T10:00:00", "2024-01-02T10:00:00"]
    assert (
        f"times are {['s', 'ms', 'us', 'ns'][len(str(scale)) // 3]} since 1970, by their range" in data.notes
    )


@pytest.mark.parametrize(
    ("stamps", "options", "expected"),
    [
        (["2024-01-01T10:00:00+01:00", "2024-07-01T10:00:00+02:00"], {}, ["2024-01-01T09:00:00", "2024-07-01T08:00:00"]),
        (["2024-01-01T10:00:00.123Z", "2024-01-02 10:00"], {}, ["2024-01-01T10:00:00", "2024-01-02T10:00:00"]),
        (["01/02/2024", "13/02/2024"], {}, ["2024-02-01T00:00:00", "2024-02-13T00:00:00"]),
        (["01/02/2024", "02/13/2024"], {}, ["2024-01-02T00:00:00", "2024-02-13T00:00:00"]),
        (["01/02/2024", "3.2.24 9:05"], {"day_first": True}, ["2024-02-01T00:00:00", "2024-02-03T09:05:00"]),
        (["01/02/2024", "03/02/2024"], {"day_first": False}, ["2024-01-02T00:00:00", "2024-03-02T00:00:00"]),
        (["20240101", "20240229"], {}, ["2024-01-01T00:00:00", "2024-02-29T00:00:00"]),
        (["1 Jan 2024 10:00 PM", "Feb 2, 2024"], {}, ["2024-01-01T22:00:00", "2024-02-02T00:00:00"]),
        (["60", "120.5"], {"time_unit": "s"}, ["1970-01-01T00:01:00", "1970-01-01T00:02:00"]),
        (["1400000000", "1400000001"], {"time_unit": "ms"}, ["1970-01-17T04:53:20", "1970-01-17T04:53:20"]),
    ],
)  # fmt: skip
def test_times_as_people_write_them(tmp_path, stamps, options, expected):
    rows = "".join(f'u{k},t{k},"{stamp}"\n' for k, stamp in enumerate(stamps))
    file = write(tmp_path / "p.csv", f"user,track,ts\n{rows}")
    assert times(read_interactions(file, item="track", context="user", time="ts", **options)) == expected


@pytest.mark.parametrize(
    ("stamps", "options", "message"),
    [
        (["2024-01-01", "unknown"], {}, "'unknown' on line 3 is not a time .1 of 2 rows"),
        (
            ["01/02/2024", "03/02/2024"],
            {},
            "1 February with day_first=True and 2 January with day_first=False",
        ),
        (["13/02/2024", "02/13/2024"], {}, "'02/13/2024' on line 3 is not a time"),
        (["13/02/2024", "01/02/2024"], {"day_first": False}, "'13/02/2024' on line 2 is not a time"),
        (["1", "2"], {}, "from 1 to 2 are not in one unit since 1970 .* time_unit"),
        (["1700000000", "1700000000000"], {}, "are not in one unit"),
        (["1700000000", "x"], {"time_unit": "s"}, "'x' on line 3 is not a number of s"),
        (["1e300", "1"], {"time_unit": "s"}, "beyond any date in s; check time_unit"),
        (["1", "2"], {"time_unit": "weeks"}, "time_unit must be one of s, ms, us, ns, got 'weeks'"),
        (["10:30", "11:30"], {}, "'10:30' on line 2 is not a time"),
    ],
)
def test_a_time_that_cannot_be_read_is_named_by_its_line(tmp_path, stamps, options, message):
    rows = "".join(f"u{k},t{k},{stamp}\n" for k, stamp in enumerate(stamps))
    file = write(tmp_path / "p.csv", f"user,track,ts\n{rows}")
    with pytest.raises(ValueError, match=message):
        read_interactions(file, item="track", context="user", time="ts", **options)


# --- lists, JSON, folders --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "options", "expected"),
    [
        ("train.txt", "0 10 11 12\n1 10\n2 11 13\n", {}, {("10", "0"), ("11", "0"), ("12", "0"), ("10", "1"), ("11", "2"), ("13", "2")}),
        ("shop.txt", "ann 1 2\nbob 2 3 4\ncid 5\n", {}, {("1", "ann"), ("2", "ann"), ("2", "bob"), ("3", "bob"), ("4", "bob"), ("5", "cid")}),
        ("users.dat", "2 7 8\n1 7\n3 8 9 7\n", {}, {("7", 0), ("8", 0), ("7", 1), ("8", 2), ("9", 2), ("7", 2)}),
        ("baskets.csv", "milk,bread\nmilk\nbread,tea,milk\n", {}, {("milk", 0), ("bread", 0), ("milk", 1), ("bread", 2), ("tea", 2), ("milk", 2)}),
        ("l.txt", "5 1\n2 5 3\n9 5 6 7\n", {"context": "line"}, {("5", 0), ("1", 0), ("2", 1), ("5", 1), ("3", 1), ("9", 2), ("5", 2), ("6", 2), ("7", 2)}),
        ("l.txt", "5 1\n2 5 3\n9 5 6 7\n", {"context": 0}, {("1", "5"), ("5", "2"), ("3", "2"), ("5", "9"), ("6", "9"), ("7", "9")}),
        ("l.json", [["a", "b"], ["b"]], {}, {("a", 0), ("b", 0), ("b", 1)}),
        ("l.jsonl", [{"user": "u", "tracks": ["a", "b"]}, {"user": "v", "tracks": ["a"]}], {}, {("a", "u"), ("b", "u"), ("a", "v")}),
        ("l.parquet", {"list": ["u", "v"], "track": ["a", "b"]}, {}, {("a", "u"), ("b", "v")}),
        ("l.parquet", {"tracks": [["a", "b"], ["b"]]}, {}, {("a", 0), ("b", 0), ("b", 1)}),
        ("l.parquet", {"user": ["u", "v"], "track": [["a", "b"], ["b"]]}, {"item": "track", "context": "user"}, {("a", "u"), ("b", "u"), ("b", "v")}),
    ],
)  # fmt: skip
def test_lists_of_items(tmp_path, name, content, options, expected):
    assert pairs(read_interactions(write(tmp_path / name, content), **options)) == expected


def test_a_first_field_that_may_be_an_item_is_a_choice(tmp_path):
    with pytest.raises(ValueError, match=r"such as '5', may name the list .* context=0 or context='line'"):
        load(write(tmp_path / "l.txt", "5 1\n2 5 3\n9 5 6 7\n"))


def test_spotify_playlists(tmp_path):
    def entry(uri, title):
        track = {"trackName": title, "artistName": "A", "albumName": "L", "trackUri": uri}
        return {"track": track, "episode": None, "localTrack": None, "addedDate": "2021-05-05"}

    episode = {"track": None, "episode": {"episodeName": "e"}, "localTrack": None, "addedDate": "2021-05-06"}
    mine = {
        "lastModifiedDate": "2023-01-01",
        "collaborators": [],
        "description": None,
        "numberOfFollowers": 0,
    }
    export = [
        {"name": "Mine", **mine, "items": [entry("u:1", "one"), episode, entry("u:2", "two")]},
        {"name": "Mine", **mine, "items": [entry("u:1", "one")]},
        {"name": "Empty", **mine, "items": []},
    ]
    data = load(write(tmp_path / "Playlist1.json", {"playlists": export}))
    assert pairs(data) == {("u:1", 0), ("u:2", 0), ("u:1", 1)}  # by list, for titles repeat
    assert data.items["title"].tolist() == ["one", "two"]
    assert set(times(data)) == {"2021-05-05T00:00:00"}


def test_spotify_histories(tmp_path):
    short = [
        {"endTime": f"2024-01-0{k} 10:00", "artistName": artist, "trackName": "Intro", "msPlayed": 1000}
        for k, artist in ((1, "X"), (2, "Y"))
    ]
    data = load(write(tmp_path / "StreamingHistory_music_0.json", short))
    assert pairs(data) == {("X | Intro", "2024-01-01"), ("Y | Intro", "2024-01-02")}
    assert data.items["artist"].tolist() == ["X", "Y"]
    song = {
        "ts": "2024-01-01T10:00:00Z",
        "ms_played": 1,
        "platform": "ios",
        "conn_country": "DE",
        "shuffle": False,
    }
    song |= {"master_metadata_track_name": "Intro", "master_metadata_album_artist_name": "X"}
    full = [
        song | {"spotify_track_uri": "u:1"},
        song | {"spotify_track_uri": None, "master_metadata_track_name": None, "episode_name": "e"},
    ]
    data = load(write(tmp_path / "Streaming_History_Audio_0.json", full))
    assert pairs(data) == {("u:1", "2024-01-01")}
    assert data.items["title"].tolist() == ["Intro"]
    with pytest.raises(ValueError, match="no column 'track'; its columns are: endTime, artistName"):
        read_interactions(tmp_path / "StreamingHistory_music_0.json", item="track", context="user")


def test_listenbrainz(tmp_path):
    def listen(user, msid, artist):
        track = {"track_name": "t", "artist_name": artist, "release_name": "r"}
        more = {"additional_info": {"artist_mbids": ["q"], "tracknumber": 3}}
        return {"user_name": user, "listened_at": 1700000000, "track_metadata": track | more} | msid

    plays = [listen("rob", {"recording_msid": "m1"}, "a"), listen("ann", {"recording_msid": "m2"}, "b")]
    data = load(write(tmp_path / "listens.jsonl", plays))
    assert pairs(data) == {("m1", "rob"), ("m2", "ann")}
    assert data.items["artist"].tolist() == ["a", "b"]
    assert times(data)[0] == "2023-11-14T22:13:20"
    bare = load(write(tmp_path / "bare.jsonl", [listen("rob", {}, "a"), listen("ann", {}, "b")]))
    assert pairs(bare) == {("a | t", "rob"), ("b | t", "ann")}


def test_columns_of_records_go_by_their_end(tmp_path):
    file = write(tmp_path / "p.jsonl", [{"who": {"id": 1}, "what": {"id": 2, "name": "n"}}])
    assert pairs(read_interactions(file, item="what.id", context="who.id", labels={"name": "title"})) == {
        (2, 1)
    }
    with pytest.raises(ValueError, match=r"no column 'id'; its columns are: who\.id, what\.id"):
        read_interactions(file, item="id", context="who.id")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1, 2", r"p\.json cannot be read as \.json"),
        ("[" * 10**5, r"p\.json cannot be read as \.json"),
        ("[]", "no column can be guessed"),
    ],
)
def test_broken_json_is_refused(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path / "p.json", content))


def test_folders_of_files_of_one_format(tmp_path):
    for day, track in (("2024-01-01", 1), ("2024-01-02", 2)):
        folder = tmp_path / "plays" / f"date={day}"
        folder.mkdir(parents=True)
        write(folder / "part-0.parquet", {"user": ["a", "b"], "track": [track, 2]})
    (tmp_path / "plays" / "_SUCCESS").touch()
    data = load(tmp_path / "plays")
    assert pairs(data) == {(1, "a"), (2, "b"), (2, "a")}
    assert times(data) == ["2024-01-01T00:00:00", "2024-01-01T00:00:00", "2024-01-02T00:00:00"]
    assert "2 files" in data.notes
    assert len(datasets.files(tmp_path / "plays")) == 3
    write(folder / "more.csv", "user,track\na,x\n")
    with pytest.raises(ValueError, match=r"mixes formats: .csv, .parquet"):
        load(tmp_path / "plays")


def test_lists_without_a_name_are_numbered_over_files(tmp_path):
    (tmp_path / "lists").mkdir()
    for name, lists in (("a.json", [["x"], ["y"]]), ("b.json", [["x"]])):
        write(tmp_path / "lists" / name, lists)
    assert pairs(load(tmp_path / "lists")) == {("x", 0), ("y", 1), ("x", 2)}


def test_a_bad_row_in_a_folder_is_named_by_its_file(tmp_path):
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs/a.csv", "user,track,ts\na,x,2024-01-01\n")
    write(tmp_path / "logs/b.csv", "user,track,ts\na,x,2024-01-01\na,x,never\n")
    with pytest.raises(ValueError, match=r"'never' on line 3 of b\.csv"):
        load(tmp_path / "logs", item="track", context="user", time="ts")


# --- embeddings ------------------------------------------------------------------------------

BINARY = b"2 3\n" + b"".join(
    w + b" " + np.array(v, "<f4").tobytes() + b"\n" for w, v in ((b"a", [1, 0, 0]), (b"b", [0, 1, 0]))
)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.txt", "2 3\na 1 0 0\nb 0 1 0\n"),
        ("g.txt", "a 1 0 0\nb 0 1 0\n"),
        ("f.vec", "2 3\na 1 0 0 \nb 0 1 0 \n"),
        ("F.VEC.gz", gzip.compress(b"2 3\na 1 0 0 \nb 0 1 0 \n", mtime=0)),
        ("w.bin", BINARY),
        ("w.bin.gz", gzip.compress(BINARY, mtime=0)),
        ("no_line_ends.bin", BINARY[:4] + BINARY[4:18] + BINARY[19:-1]),
        ("e.csv", "id,d0,d1,d2\na,1,0,0\nb,0,1,0\n"),
        ("E.CSV", "track_id;x1;x2;x3;title\na;1;0;0;A\nb;0;1;0;B\n"),
        ("pandas.csv", ",0,1,2\na,1,0,0\nb,0,1,0\n"),
        ("e.tsv", "id\te1\te2\te3\na\t1.0\t0.0\t0.0\nb\t0.0\t1.0\t0.0\n"),
        ("wide.parquet", {"id": ["a", "b"], "d0": [1.0, 0.0], "d1": [0.0, 1.0], "d2": [0.0, 0.0]}),
        ("index.parquet", pa.Table.from_pandas(pd.DataFrame({"v": [[1.0, 0, 0], [0, 1.0, 0]]}, pd.Index(["a", "b"], name="song")))),
        ("lists.PARQUET", {"track_id": ["a", "b"], "title": ["A", "B"], "plays": [3, 4], "v": [[1.0, 0, 0], [0, 1.0, 0]]}),
        ("e.npz", {"embeddings": np.eye(2, 3), "item_ids": np.array(["a", "b"]), "counts": np.array([4, 5])}),
        ("bytes.npz", {"E": np.eye(2, 3), "names": np.array([b"a", b"b"])}),
    ],
)  # fmt: skip
def test_embeddings_of_every_kind_give_the_same(tmp_path, name, content):
    E = load(write(tmp_path / name, content))
    assert isinstance(E, Embeddings)
    assert E.ids.tolist() == ["a", "b"]
    assert E.vectors.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert E.notes.startswith("vectors: 2 of dimension 3")


def test_rows_without_ids_are_numbered_and_it_is_noted(tmp_path):
    E = load(write(tmp_path / "e.npz", {"E": np.eye(3)}))
    assert E.ids.tolist() == [0, 1, 2]
    assert "no ids: the rows are numbered 0 to 2" in E.notes
    file = write(tmp_path / "vectors.tsv", "0.1\t0.2\n0.3\t0.4\n")
    assert read_embeddings(file, header=None).vectors.tolist() == [[0.1, 0.2], [0.3, 0.4]]


def test_words_with_spaces_and_words_that_repeat(tmp_path):
    E = load(write(tmp_path / "g.txt", "the 0.1 0.2\n. . . 0.5 0.25\n1 1 2\nthe 1 1\n"))
    assert E.ids.tolist() == ["the", ". . .", "1"]
    assert E.vectors.dtype == np.float32
    assert E.vectors[1].tolist() == [0.5, 0.25]
    assert "1 words that repeat dropped" in E.notes


def test_a_first_column_of_whole_numbers_is_the_ids(tmp_path):
    E = read_embeddings(write(tmp_path / "e.csv", "7,0.1,0.2\n8,0.3,0.4\n"), header=None)
    assert E.ids.tolist() == ["7", "8"]
    assert E.vectors.shape == (2, 2)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("two.npz", {"user_factors": np.eye(2), "item_factors": np.eye(3)}, "leave one in the file, or in Python choose vector_column among: user_factors, item_factors"),
        ("ids.npz", {"E": np.eye(3), "track_ids": np.arange(3), "album_ids": np.arange(3)}, "choose id_column among: track_ids, album_ids"),
        ("two.parquet", {"track_id": ["a"], "album_id": ["b"], "v": [[1.0]]}, "choose id_column among: track_id, album_id"),
        ("two.csv", "id,svd_0,svd_1,mf_0,mf_1\na,1,0,2,3\n", "choose vector_column among: svd_, mf_"),
        ("null.parquet", {"id": ["a", "b"], "v": [[1.0], None]}, r"row 1 has no vector in 'v' \(1 of 2 rows\); remove it"),
        ("no_id.parquet", {"id": ["a", None], "v": [[1.0], [2.0]]}, "row 1 has no id in 'id'"),
        ("twice.csv", "id,d0,d1\na,1,0\na,0,1\n", "has the id a twice"),
        ("bad.csv", "id,d0,d1\na,1,0\nb,0,q\n", "bad.csv .*'q'"),
        ("missing.csv", "id,d0,d1\na,1,0\nb,0,\n", "contains nan at row 1, column 1"),
        ("few.txt", "3 2\na 1 0\nb 0 1\n", "declares 3 vectors but contains 2"),
        ("bad.txt", "2 2\na 1 0\nb 0 x\n", "line 3: .*'x'"),
        ("cut.txt", "2 2\na 1 0\nb 0\n", "line 3: 1 numbers, not 2"),
        ("cut.bin", BINARY[:-9], "2 vectors of 3 declared"),
        ("huge.bin", b"999999999999 300\n\0\0", "999999999999 vectors of 300 declared, 2 bytes"),
        ("table.parquet", b"id,d0\na,1\n", r"cannot be read as \.parquet .*name its true suffix"),
    ],
)  # fmt: skip
def test_embeddings_that_are_odd_are_described(tmp_path, name, content, message):
    with pytest.raises(ValueError, match=message):
        load(write(tmp_path / name, content))


def test_a_column_is_chosen_by_name(tmp_path):
    npz = write(tmp_path / "m.npz", {"user_factors": np.eye(2), "item_factors": np.eye(3)})
    assert load(npz, vector_column="item_factors").vectors.shape == (3, 3)
    csv = write(tmp_path / "e.csv", "id,isrc,svd_0,svd_1,mf_0,mf_1\na,b,1,0,2,3\n")
    E = load(csv, vector_column="mf_", id_column="isrc")
    assert (E.ids.tolist(), E.vectors.tolist()) == (["b"], [[2, 3]])


def test_sparse_and_pickled_arrays_are_refused_with_the_remedy(tmp_path):
    sp.save_npz(tmp_path / "s.npz", sp.eye_array(3).tocsr())
    np.save(tmp_path / "o.npy", np.eye(3).astype(object), allow_pickle=True)
    np.savez(tmp_path / "o.npz", vectors=np.eye(2), ids=np.array(["a", "b"], dtype=object))
    for name, message in (
        ("s.npz", r"s\.npz is a sparse matrix of scipy.*toarray"),
        ("o.npy", r"o\.npy is not a plain array.*astype\(float\)"),
        ("o.npz", r"o\.npz: 'ids' is not a plain array.*astype\(str\)"),
    ):
        with pytest.raises(ValueError, match=message):
            load(tmp_path / name)


def test_an_offset_that_was_not_removed_is_noted(tmp_path):
    E = np.random.default_rng(0).standard_normal((300, 16))
    np.save(tmp_path / "e.npy", E)
    np.save(tmp_path / "q.npy", np.clip(np.round(E * 30) + 128, 0, 255).astype(np.uint8))
    assert "point the same way" not in load(tmp_path / "e.npy").notes
    assert "nearly all vectors point the same way" in load(tmp_path / "q.npy").notes


def test_load_sees_what_a_file_is(tmp_path):
    table = write(tmp_path / "p.csv", "user,track\na,x\n")
    vectors = write(tmp_path / "e.csv", "id,d0,d1\na,1,0\n")
    assert isinstance(load(table), Interactions)
    assert isinstance(load(vectors), Embeddings)
    assert isinstance(load(vectors, item="", context="", time=""), Embeddings)
    assert pairs(load(vectors, item="d0", context="id")) == {("1", "a")}
    songs = write(tmp_path / "songs.parquet", {"track_id": ["a"], "title": ["A"], "v": [[1.0, 2.0]]})
    with pytest.raises(ValueError, match="no column can be guessed to be the context among track_id, title"):
        read_interactions(songs)
    with pytest.raises(ValueError, match=r"no columns of numbers .* name their columns: item= and context="):
        read_embeddings(table)
    with pytest.raises(ValueError, match="is a folder; dated embeddings are read by read_snapshots"):
        read_embeddings(tmp_path)


# --- dated embeddings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "dates"),
    [
        (("20240201.npz", "20240101.npz"), ["2024-01-01", "2024-02-01"]),
        (("E_2024-02-01.npz", "E_2024-01-01.npz"), ["2024-01-01", "2024-02-01"]),
        (("2024-02.npz", "2024_01.npz"), ["2024-01", "2024-02"]),
        (("202402/E.npz", "202401/vectors.npz"), ["2024-01", "2024-02"]),
        (("date=2024-02-01/E.npz", "date=2024-01-01/E.npz"), ["2024-01-01", "2024-02-01"]),
    ],
)
def test_dated_embeddings_by_day_or_month(tmp_path, names, dates):
    for k, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        ids = np.array(["b", "a"] if k == 0 else ["a", "b", "c"])
        write(tmp_path / name, {"E": np.arange(len(ids) * 2.0).reshape(-1, 2), "ids": ids})
    (tmp_path / "readme.txt").write_text("of 2024")
    snapshots = read_snapshots(tmp_path)
    assert list(snapshots) == dates
    assert [E.ids.tolist() for E in snapshots.values()] == [["a", "b"]] * 2
    assert snapshots[dates[1]].vectors.tolist() == [[2, 3], [0, 1]]


def test_dated_parquet_with_titles_uses_the_ids(tmp_path):
    for date, order in (("20240101", [0, 1, 2]), ("20240201", [2, 0, 1])):
        (tmp_path / date).mkdir()
        table = {"track_id": [f"t{k}" for k in order], "title": [f"song {k}" for k in order]}
        write(tmp_path / date / "E.parquet", table | {"vector": [[float(k), 1.0] for k in order]})
    first, second = read_snapshots(tmp_path).values()
    assert first.ids.tolist() == second.ids.tolist() == ["t0", "t1", "t2"]
    assert (first.vectors == second.vectors).all()


def test_rows_that_no_id_names_must_be_as_many_on_every_date(tmp_path):
    np.save(tmp_path / "2024-01.npy", np.eye(3))
    np.save(tmp_path / "2024-02.npy", np.eye(3))
    assert [len(E.ids) for E in read_snapshots(tmp_path).values()] == [3, 3]
    np.save(tmp_path / "2024-03.npy", np.eye(2))
    with pytest.raises(ValueError, match=r"2024-03\.npy has 2 rows, the first date 3, and without ids they"):
        read_snapshots(tmp_path)

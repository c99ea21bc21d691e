"""Loaders, on hand-written files of each format (tests/data) and on the real ones where they are."""

import gzip
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikylib import datasets, ppmi, svd
from spikylib._interactions import build
from spikylib.datasets import load, read_embeddings, read_interactions, read_snapshots
from spikylib.datasets._catalogue import DATASETS

DATA = Path(__file__).parent / "data"


def seconds(*texts):
    return np.array(texts, dtype="datetime64[s]")


def dense(data):
    return data.matrix.toarray().tolist()


# --- published formats: the exact expected Interactions ------------------------------------


def test_cornell_yes_joins_train_and_test_and_counts_repeats_towards_the_size():
    data = load("cornell-yes-small", data_home=DATA)
    assert dense(data) == [[1, 1], [1, 1], [1, 1], [0, 1]]
    assert data.matrix.dtype == np.int32
    assert data.items["id"].tolist() == [0, 1, 2, 3]
    assert data.items["title"].tolist() == ["Air", "Boat/Ship", "Cloud", "Düne"]
    assert data.items["artist"].tolist() == ["The Winds", "The Waves", "The Winds", "Örg"]
    assert data.items["tags"].tolist() == [("drum, and bass", "rock"), (), ("rock",), ("drum, and bass",)]
    assert data.contexts["id"].tolist() == ["train.txt:3", "test.txt:3"]
    assert data.times is None
    assert data.notes == "read train.txt and test.txt"


def test_cornell_yes_without_test_says_so(tmp_path):
    shutil.copytree(DATA / "cornell-yes", tmp_path / "cornell-yes")
    (tmp_path / "cornell-yes/yes_small/test.txt").unlink()
    data = load("cornell-yes-small", data_home=tmp_path, min_context_size=4)
    assert dense(data) == [[1, 1], [1, 1], [1, 1], [0, 1]]
    assert data.contexts["id"].tolist() == ["train.txt:3", "train.txt:4"]
    assert "test.txt is absent" in data.notes


def test_own_parquet_with_an_index_or_with_lists(tmp_path):
    file = tmp_path / "plays.parquet"
    plays = pd.DataFrame({"user": ["a", "b"], "track": ["x", "y"], "tags": [["q"], ["r"]]})
    plays.set_index("track").to_parquet(file)
    data = read_interactions(file, item="track", context="user")
    assert data.items["id"].tolist() == ["x", "y"]
    assert read_interactions(file, item="tags", context="user").items["id"].tolist() == ["q", "r"]


def test_cornell_yes_sees_one_play_too_few(tmp_path):
    shutil.copytree(DATA / "cornell-yes", tmp_path / "cornell-yes")
    train = tmp_path / "cornell-yes/yes_small/train.txt"
    lines = train.read_text().split("\n")
    counts = [int(word) for word in lines[1].split()]
    counts[1] += 1
    train.write_text("\n".join([lines[0], " ".join(map(str, counts)), *lines[2:]]))
    with pytest.raises(
        ValueError, match=f"line 2 declares {sum(counts)} plays, but {sum(counts) - 1} were found"
    ):
        load("cornell-yes-small", data_home=tmp_path)


def test_aotm_joins_the_filtered_lists_and_takes_titles_from_the_playlist():
    data = load("aotm-2011", data_home=DATA)
    assert dense(data) == [[1, 0], [1, 1], [0, 1]]
    assert data.items["id"].tolist() == ["SOB", "SOA", "SOC"]
    assert data.items["title"].tolist() == ["b song", 'a "quoted" song, with comma', ""]
    assert data.items["artist"].tolist() == ["bert", "anna", ""]
    assert data.contexts["id"].tolist() == [77, 12]
    assert data.contexts["category"].tolist() == ["Mixed Genre", "Rock"]
    assert data.contexts["user"].fillna("-").tolist() == ["pulmo", "-"]
    first, second = "2005-03-27T10:53:00", "2007-06-05T04:03:02"
    assert (data.times == seconds(first, first, second, second)).all()
    assert data.notes == "3 of the 101,343 published playlists"


def test_aotm_reads_the_packed_file_too(tmp_path):
    (tmp_path / "aotm-2011").mkdir()
    packed = tmp_path / "aotm-2011/aotm2011_playlists.json.gz"
    packed.write_bytes(gzip.compress((DATA / "aotm-2011/aotm2011_playlists.json").read_bytes()))
    assert dense(load("aotm-2011", data_home=tmp_path)) == [[1, 0], [1, 1], [0, 1]]


def test_spotify_mpd_reads_slices_in_the_order_of_their_numbers():
    data = load("spotify-mpd", data_home=DATA)
    assert dense(data) == [[1, 0, 0], [1, 0, 1], [0, 1, 0], [0, 0, 1]]
    assert data.items["id"].tolist() == [f"spotify:track:{k}" for k in "xyzw"]
    assert data.items["title"].tolist() == ["track x", "track y", "track z", "track w"]
    assert data.items["artist"].tolist() == ["artist x", "artist y", "artist z", "artist w"]
    assert data.items["album"].tolist() == ["album x", "album y", "album z", "album w"]
    assert data.contexts["id"].tolist() == [2000, 2001, 10000]
    assert data.contexts["title"].tolist() == ["Throwbacks", "ünï 😀", "country"]
    assert data.contexts["followers"].tolist() == [3, 1, 1]
    assert (data.times == seconds("2017-04-29", "2017-04-29", "2017-04-29", "2017-09-28", "2017-04-29")).all()
    assert data.notes == "3 of the 1,000,000 published playlists"


def test_lastfm_360k_leaves_out_malformed_lines_and_counts_them():
    data = load("lastfm-360k", data_home=DATA)
    assert dense(data) == [[1, 1, 1], [1, 0, 1], [0, 0, 1]]
    assert data.items["id"].tolist() == ["mb-1", 'the "quoted', "mb-3"]
    assert data.items["artist"].tolist() == ["Björk", 'the "quoted', ""]
    assert data.contexts["id"].tolist() == ["0" * 40, "a" * 40, "f" * 40]
    assert data.notes == "11 of the 17,559,530 published lines; 5 malformed lines left out"


@pytest.mark.parametrize("name", ["movielens-small", "movielens-25m"])
def test_movielens_keeps_the_first_time_and_takes_genres_as_tags(name):
    data = load(name, data_home=DATA)
    assert dense(data) == [[1, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert data.items["id"].tolist() == [50, 7, 1200]
    assert data.items["title"].tolist() == ["Heat (1995)", 'Sabrina, the "remake" (1995)', ""]
    assert data.items["tags"].tolist() == [(), ("Comedy", "Romance"), ()]
    assert data.contexts["id"].tolist() == [1, 2, 9]
    assert data.times.astype(np.int64).tolist() == [964982703, 900000000, 964981247, 1445714835, 1445714996]


def test_lastfm_2k_names_the_artists():
    data = load("lastfm-2k", data_home=DATA)
    assert dense(data) == [[1, 1], [1, 0]]
    assert data.items["id"].tolist() == [51, 52]
    assert data.items["artist"].tolist() == ['Duran "Duran', "Sigur Rós"]
    assert data.contexts["id"].tolist() == [2, 4]


def test_triplej_folds_case_and_uses_date_and_time():
    data = load("triplej", data_home=DATA)
    assert dense(data) == [[1, 1], [1, 0], [0, 1]]
    assert data.items["id"].tolist() == ["goodnight tiger | jump down", "the émigrés | hey, you", "na | none"]
    assert data.items["title"].tolist() == ["Jump Down", "Hey, You", "None"]
    assert data.items["artist"].tolist() == ["Goodnight Tiger", "The Émigrés", "NA"]
    assert data.items["album"].tolist() == ["Later Album", "First Light", ""]
    assert data.contexts["id"].tolist() == ["2012-02-07 | Mornings with Zan", "2013-11-15 | "]
    expected = seconds(
        "2012-02-07T08:41:57", "2013-11-15T00:05:09", "2012-02-07T09:00:01", "2013-11-15T00:09:09"
    )
    assert (data.times == expected).all()
    assert data.notes == "1 rows without a date dropped"


def test_triplej_reads_the_zip_and_passes_over_what_macos_added(tmp_path):
    (tmp_path / "triplej").mkdir()
    with zipfile.ZipFile(tmp_path / "triplej/playlist_20140929.zip", "w") as archive:
        archive.write(DATA / "triplej/playlist_20140929.csv", "playlist_20140929.csv")
        archive.writestr("__MACOSX/._playlist_20140929.csv", b"\x00")
    assert dense(load("triplej", data_home=tmp_path)) == [[1, 1], [1, 0], [0, 1]]


@pytest.mark.parametrize(("features", "dim"), [("svd", 2), ("mf", 3)])
def test_deezer_songs_are_embeddings(tmp_path, features, dim):
    (tmp_path / "deezer-songs").mkdir()
    table = pd.DataFrame(
        {"song_index": [4, 9], "features_svd": [[1.0, 2.0]] * 2, "features_mf": [[1.0] * 3] * 2}
    )
    table.to_parquet(tmp_path / "deezer-songs/song_embeddings.parquet")
    E = load("deezer-songs", data_home=tmp_path, features=features)
    assert E.ids.tolist() == [4, 9]
    assert E.vectors.shape == (2, dim)
    assert E.name == "deezer-songs"


# --- options -------------------------------------------------------------------------------


def test_start_is_in_and_end_is_out():
    def nnz(**options):
        return load("movielens-small", data_home=DATA, **options).matrix.nnz

    assert nnz(start="2000-07-30T18:20:47") == 5  # only a repeated rating of 1998 goes
    assert nnz(start="2000-07-30T18:20:48") == 4
    assert nnz(end="2000-07-30T18:20:47") == 1
    assert nnz(start="2000-01-01", end="2001-01-01") == 2


def test_contexts_are_filtered_before_items():
    data = load("spotify-mpd", data_home=DATA, min_context_size=2, min_item_count=2)
    assert data.items["id"].tolist() == ["spotify:track:y"]
    assert data.contexts["id"].tolist() == [2000, 10000]


def test_dated_contexts_can_be_cut_too():
    assert load("spotify-mpd", data_home=DATA, start="2017-09-01").items["id"].tolist() == ["spotify:track:z"]
    assert load("aotm-2011", data_home=DATA, end="2006-01-01").contexts["id"].tolist() == [77]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "2030-01-01"}, "no interaction is left of 6"),
        ({"min_item_count": 9}, "no interaction is left"),
        ({"min_context_size": 9}, "no interaction is left"),
        ({"min_context_size": 0}, "min_context_size must be at least 1, got 0"),
        ({"min_item_count": -1}, "min_item_count must be at least 1, got -1"),
        ({"start": "2002-01-01", "end": "2001-01-01"}, "start=2002-01-01 is not before end=2001-01-01"),
    ],
)
def test_options_that_leave_nothing_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        load("movielens-small", data_home=DATA, **options)


def test_unknown_names_and_options_are_refused():
    with pytest.raises(
        ValueError, match="unknown dataset 'triple-j', and no such file; did you mean 'triplej'"
    ):
        load("triple-j")
    with pytest.raises(ValueError, match="unknown dataset '', and no such file; choose one of: synthetic, "):
        load("")
    with pytest.raises(TypeError, match="lastfm-2k has no option 'seed'; its options are: min_context_size"):
        load("lastfm-2k", data_home=DATA, seed=3)
    with pytest.raises(ValueError, match="lastfm-2k has no times: start and end cannot be used"):
        load("lastfm-2k", data_home=DATA, start="2001-01-01")
    with pytest.raises(TypeError, match="deezer-songs has no option 'start'; its options are: features"):
        load("deezer-songs", data_home=DATA, start="2001-01-01")
    with pytest.raises(ValueError, match=r"features of .* must be 'svd' or 'mf', got 'als'"):
        load("deezer-songs", data_home=DATA, features="als")


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 50)), min_size=1, max_size=40),
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(0, 30),
)
def test_build_agrees_with_plain_python(rows, min_size, min_count, start):
    kept = [row for row in rows if row[2] >= start]
    kept = [row for row in kept if sum(other[1] == row[1] for other in kept) >= min_size]
    kept = [row for row in kept if len({other[1] for other in kept if other[0] == row[0]}) >= min_count]
    item, context, second = (np.array(column) for column in zip(*rows))
    options = {
        "min_context_size": min_size,
        "min_item_count": min_count,
        "start": pd.Timestamp(start, unit="s"),
    }
    arguments = {"times": second.astype("datetime64[s]"), "name": "x", "notes": ""}
    if not kept:
        with pytest.raises(ValueError, match="no interaction is left"):
            build(item, context, **arguments, **options)
        return
    data = build(item, context, **arguments, **options)
    items, contexts = (list(dict.fromkeys(row[k] for row in kept)) for k in (0, 1))
    assert data.items["id"].tolist() == items
    assert data.contexts["id"].tolist() == contexts
    first = {}
    for i, c, t in kept:
        first[i, c] = min(t, first.get((i, c), t))
    coo = data.matrix.tocoo()
    found = {
        (items[r], contexts[c]): int(t.astype(np.int64)) for r, c, t in zip(coo.row, coo.col, data.times)
    }
    assert found == first
    assert (data.matrix.data == 1).all()


# --- damaged files ---------------------------------------------------------------------------


def _cut(n):
    return lambda raw: raw[:n]


@pytest.mark.parametrize(
    ("name", "file", "damage", "message"),
    [
        ("cornell-yes-small", "cornell-yes/yes_small/train.txt", _cut(40), "line 2 declares 9 plays"),
        ("cornell-yes-small", "cornell-yes/yes_small/train.txt", _cut(0), "empty or cut short"),
        ("cornell-yes-small", "cornell-yes/yes_small/tags.txt", _cut(4), "tags.txt is cut short"),
        ("aotm-2011", "aotm-2011/aotm2011_playlists.json", _cut(200), "damaged or cut short"),
        (
            "aotm-2011",
            "aotm-2011/aotm2011_playlists.json",
            lambda _: b"[]",
            "no playlist with a matched track",
        ),
        (
            "aotm-2011",
            "aotm-2011/aotm2011_playlists.json",
            lambda _: b'[{"a": 1}]',
            "playlist 0 is not of the published format.*filtered_lists",
        ),
        ("spotify-mpd", "spotify-mpd/data/mpd.slice.2000-2999.json", _cut(700), "damaged or cut short"),
        ("spotify-mpd", "spotify-mpd/data/mpd.slice.2000-2999.json", lambda _: b"{}", "not a slice"),
        (
            "spotify-mpd",
            "spotify-mpd/data/mpd.slice.2000-2999.json",
            lambda _: b'{"playlists": [{"pid": 0, "tracks": []}]}',
            "not a slice of the published format .*modified_at",
        ),
        (
            "lastfm-360k",
            "lastfm-360k/usersha1-artmbid-artname-plays.tsv",
            _cut(0),
            "cut short.*Empty CSV file",
        ),
        (
            "lastfm-360k",
            "lastfm-360k/usersha1-artmbid-artname-plays.tsv",
            lambda _: b"a,b\nc,d\n",
            "none of 2 lines is user TAB",
        ),
        ("movielens-small", "movielens-small/ratings.csv", _cut(0), "cut short.*Empty CSV file"),
        ("movielens-small", "movielens-small/ratings.csv", _cut(60), "damaged or cut short"),
        (
            "movielens-small",
            "movielens-small/ratings.csv",
            lambda raw: raw[35:],
            "'userId' in include_columns does not exist",
        ),
        (
            "movielens-small",
            "movielens-small/ratings.csv",
            lambda raw: raw.replace(b"2,7", b"x,7"),
            "damaged, cut short.*invalid value 'x'",
        ),
        (
            "movielens-small",
            "movielens-small/movies.csv",
            lambda raw: raw[9:],
            "movies.csv is empty, damaged or cut short",
        ),
        ("lastfm-2k", "lastfm-2k/user_artists.dat", _cut(0), "is empty"),
        (
            "lastfm-2k",
            "lastfm-2k/user_artists.dat",
            lambda raw: raw.replace(b"52", b"?"),
            "damaged or cut short .invalid literal.*'.'",
        ),
        ("triplej", "triplej/playlist_20140929.csv", _cut(0), "is empty"),
        ("triplej", "triplej/playlist_20140929.csv", _cut(40), "not found: .*'album'"),
        (
            "triplej",
            "triplej/playlist_20140929.csv",
            lambda raw: raw.replace(b"15/11", b"15/21"),
            r"triplej .*15/21/2013 0:05:09.*doesn't match format",
        ),
    ],
)
def test_a_damaged_file_is_named(tmp_path, name, file, damage, message):
    shutil.copytree(DATA, tmp_path, dirs_exist_ok=True)
    (tmp_path / file).write_bytes(damage((DATA / file).read_bytes()))
    with pytest.raises(ValueError, match=f"(?s){Path(file).name}.*{message}|{message}"):
        load(name, data_home=tmp_path)


@pytest.mark.parametrize("content", [b"no zip", b""])
def test_a_damaged_zip_is_named(tmp_path, content):
    (tmp_path / "triplej").mkdir()
    (tmp_path / "triplej/playlist_20140929.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"playlist_20140929.zip is damaged or cut short"):
        load("triplej", data_home=tmp_path)


def test_a_zip_without_the_table_is_refused(tmp_path):
    (tmp_path / "triplej").mkdir()
    with zipfile.ZipFile(tmp_path / "triplej/playlist_20140929.zip", "w") as archive:
        archive.writestr("readme.txt", "nothing here")
    with pytest.raises(ValueError, match=r"playlist_20140929\.zip is empty, damaged.* not found: .*'date'"):
        load("triplej", data_home=tmp_path)


@pytest.mark.parametrize("name", [n for n in DATASETS if DATASETS[n].files and not DATASETS[n].package])
def test_an_absent_dataset_says_where_it_was_looked_for(tmp_path, name):
    assert datasets.files(name, tmp_path) == []
    with pytest.raises(FileNotFoundError, match=f"(?s){name} needs .*{tmp_path}.*spiky data fetch {name}"):
        load(name, data_home=tmp_path)


# --- catalogue, home, files ------------------------------------------------------------------


def test_catalogue_has_the_names_of_the_design_and_published_sizes():
    table = datasets.catalogue().set_index("name")
    assert table.index.tolist() == [
        "synthetic",
        "synthetic-clean",
        "synthetic-dated",
        "cornell-yes-small",
        "cornell-yes-big",
        "cornell-yes-complete",
        "aotm-2011",
        "spotify-mpd",
        "lastfm-360k",
        "movielens-25m",
        "movielens-small",
        "lastfm-2k",
        "triplej",
        "deezer-songs",
        "complete-journey",
        "gowalla",
        "citeulike-a",
        "amazon-beauty",
        "yelp",
        "item2vec-sgns",
        "item2vec-cbow",
        "s3rec-beauty",
        "glove-50d",
        "released-aotm",
        "released-cornell",
        "released-lastfm",
        "released-movielens",
    ]
    assert table.loc["cornell-yes-complete", "published_items"] == 44442
    assert table.loc["movielens-small", ["items", "contexts", "interactions"]].tolist() == [9742, 610, 100836]
    assert table["published_items"].count() == 5


def test_files_lists_what_is_there():
    assert datasets.files("synthetic") == []
    assert [p.name for p in datasets.files("movielens-25m", DATA)] == ["movies.csv", "ratings.csv"]
    assert len(datasets.files("spotify-mpd", DATA)) == 2
    own = DATA / "movielens-25m/ratings.csv"
    assert datasets.files(own) == [own]
    with pytest.raises(ValueError, match="unknown dataset 'nonsense'"):
        datasets.files("nonsense")


def test_labels_alone_are_no_dataset(tmp_path):
    (tmp_path / "lastfm-2k").mkdir()
    (tmp_path / "lastfm-2k/artists.dat").write_text("id\tname\turl\n")
    assert datasets.files("lastfm-2k", tmp_path) == []


def test_home_prefers_the_argument_then_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("SPIKYLIB_DATA", str(tmp_path))
    assert datasets.home() == tmp_path
    assert datasets.home("elsewhere") == Path("elsewhere").absolute()
    monkeypatch.setenv("SPIKYLIB_DATA", "")
    assert "spikylib" in str(datasets.home())


def test_describe_counts_and_measures_inequality():
    def popularity(counts):
        pairs = [(item, context) for item, n in enumerate(counts) for context in range(n)]
        return build(*map(np.array, zip(*pairs)), name="x", notes="")

    assert datasets.describe(popularity([2, 2, 2])) == {
        "items": 3,
        "contexts": 2,
        "interactions": 6,
        "density": 1.0,
        "gini": 0.0,
        "median_context": 3.0,
    }
    # by hand: mean absolute difference of (1, 1, 4) over all nine pairs is 12/9, twice the mean is 4
    unequal = datasets.describe(popularity([1, 4, 1]))
    assert unequal["gini"] == pytest.approx(1 / 3)
    assert unequal["density"] == 0.5
    assert unequal["median_context"] == 1.0


# --- the user's own data ---------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".csv.gz", ".parquet"])
def test_own_interactions_in_every_format(tmp_path, suffix):
    path = tmp_path / f"plays{suffix}"
    table = pd.DataFrame(
        {
            "who": ["ann", "ann", "bob", "bob", None],
            "what": ["007", "NA", "NA", "NA", "7"],
            "day": ["2020-01-02", "2020-01-03", "2020-01-05", "2020-01-04", "2020-01-01"],
            "called": ["Bond, James", "none", "other", "third", "x"],
        }
    )
    if suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, sep="\t" if suffix == ".tsv" else ",", index=False)
    data = read_interactions(path, item="what", context="who", time="day", labels={"called": "title"})
    assert dense(data) == [[1, 0], [1, 1]]
    assert data.items["id"].tolist() == ["007", "NA"]
    assert data.items["title"].tolist() == ["Bond, James", "none"]
    assert (data.times == seconds("2020-01-02", "2020-01-03", "2020-01-04")).all()
    place = "row 4" if suffix == ".parquet" else "line 6"
    assert data.notes == (
        "5 rows read, 4 used, for 3 pairs of item and context; "
        f"1 without an item or a context dropped, the first on {place}"
    )
    through_load = load(path, item="what", context="who", time="day", end="2020-01-03")
    assert dense(through_load) == [[1]]


def test_own_interactions_keep_the_types_of_parquet_and_convert_time_zones(tmp_path):
    path = tmp_path / "plays.parquet"
    pd.DataFrame({"u": [3, 3], "i": [1, 2], "t": pd.to_datetime(["2020-01-01T01:00+01:00"] * 2)}).to_parquet(
        path
    )
    data = read_interactions(path, item="i", context="u", time="t")
    assert data.items["id"].tolist() == [1, 2]
    assert (data.times == seconds("2020-01-01", "2020-01-01")).all()


def test_an_unknown_time_counts_only_where_there_is_no_other(tmp_path):
    path = tmp_path / "plays.csv"
    path.write_text("u,i,t\na,x,\na,x,2020-01-02\na,y,\n")
    data = read_interactions(path, item="i", context="u", time="t")
    assert data.times[0] == np.datetime64("2020-01-02")
    assert np.isnat(data.times[1])
    assert read_interactions(path, item="i", context="u", time="t", end="2021-01-01").matrix.nnz == 1


@pytest.mark.parametrize(
    ("name", "text", "options", "message"),
    [
        ("a.csv", "u,i\n1,2\n", {"item": "track"}, "no column 'track'; its columns are: u, i"),
        ("a.csv", "", {}, "is empty"),
        (
            "a.csv",
            "u,i\n",
            {},
            "a.csv: no interaction is left of 0; it has no row with an item and a context",
        ),
        (
            "a.csv",
            "u,i\n,2\n1,\n",
            {},
            r"left of 0 \(2 without an item or a context dropped, the first on line 2\)",
        ),
        (
            "a.csv",
            "u,i,t\n1,2,never\n",
            {"time": "t"},
            r"column 't': 'never' on line 2 is not a time \(1 of 1 rows\)",
        ),
        ("a.csv", "u,i\n1,2\n", {"start": "2020-01-01"}, "has no times: start and end cannot be used"),
        ("a.csv", "u,i\n1,2\n1,2,3\n", {}, r"a\.csv, line 3: more fields than the 2 columns u, i"),
        ("a.csv.gz", "u,i\n1,2\n", {}, r"a\.csv\.gz cannot be read as \.csv .*Not a gzipped file"),
        ("a.parquet", "u,i\n1,2\n", {}, r"a\.parquet cannot be read as \.parquet .*name its true suffix"),
    ],
)
def test_own_interactions_that_cannot_be_read(tmp_path, name, text, options, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        read_interactions(tmp_path / name, **{"item": "i", "context": "u", **options})


def test_load_takes_paths_and_ignores_columns_for_names(tmp_path):
    data = load("synthetic", n_items=60, n_contexts=50, n_communities=3, item="i", context="c")
    assert data.name == "synthetic"
    np.save(tmp_path / "E.npy", np.eye(2))
    assert load(tmp_path / "E.npy", item="i", context="c").vectors.tolist() == [[1, 0], [0, 1]]
    for options in ({}, {"item": "i", "context": "c"}):
        with pytest.raises(FileNotFoundError, match=r"no file .*absent\.csv"):
            load(tmp_path / "absent.csv", **options)
    (tmp_path / "a.csv").write_text("u,i\n1,2\n")
    assert load(str(tmp_path / "a.csv"), item="i").contexts["id"].tolist() == ["1"]
    with pytest.raises(TypeError, match=r"a\.csv has no option 'seed'"):
        load(tmp_path / "a.csv", item="i", context="u", seed=3)


def test_own_embeddings_in_every_format(tmp_path):
    E = np.array([[1, 2], [3, 4], [5, 6]], dtype=np.float32)
    np.save(tmp_path / "a.npy", E)
    np.savez(tmp_path / "b.npz", vectors=E, ids=np.array(["x", "y", "z"]), other=np.eye(2))
    np.savez(tmp_path / "c.npz", whatever=E)
    pd.DataFrame({"track": [7, 8, 9], "vector": list(E), "n": 1.0}).to_parquet(tmp_path / "d.parquet")
    pd.DataFrame({"vector": list(E)}).to_parquet(tmp_path / "e.parquet")
    for name, options, ids in (
        ("a.npy", {}, [0, 1, 2]),
        ("b.npz", {}, ["x", "y", "z"]),
        ("c.npz", {}, [0, 1, 2]),
        ("d.parquet", {"id_column": "track"}, [7, 8, 9]),
        ("e.parquet", {}, [0, 1, 2]),
    ):
        found = read_embeddings(tmp_path / name, **options)
        assert found.ids.tolist() == ids
        assert found.vectors.dtype == np.float32
        assert found.vectors.tolist() == E.tolist()
        assert found.name == name


def test_a_pickle_is_never_opened(tmp_path):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    for name, save in (("a.npy", np.save), ("b.npz", np.savez)):
        save(tmp_path / name, np.array([[Trap()]], dtype=object), allow_pickle=True)
        with pytest.raises(ValueError, match=f"{name}.* is not a plain array .* nothing is unpickled"):
            read_embeddings(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros(3), r"a\.npy must be a non-empty array of shape \(rows, columns\), got shape \(3,\)"),
        (np.zeros((0, 3)), "got shape"),
        (np.array([[1.0, 2.0], [np.nan, 0.0]]), "contains nan at row 1, column 0"),
        (np.array([["a"]]), "must contain real numbers"),
        (np.array([[1j]]), "must contain real numbers"),
    ],
)
def test_embeddings_that_are_no_matrix(tmp_path, vectors, message):
    np.save(tmp_path / "a.npy", vectors)
    with pytest.raises(ValueError, match=message):
        read_embeddings(tmp_path / "a.npy")


def test_embeddings_files_that_cannot_be_read(tmp_path):
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "a.txt").write_text("1 2")
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    np.savez(tmp_path / "two.npz", a=np.eye(2), b=np.eye(3))
    np.savez(tmp_path / "ids.npz", vectors=np.eye(2), ids=np.array([1, 1]))
    np.savez(tmp_path / "few.npz", vectors=np.eye(2), ids=np.array([1]))
    for name, message in (
        ("cut.npy", r"cannot be read as \.npy"),
        ("a.txt", "the first line looks like data"),
        ("cut.parquet", r"cannot be read as \.parquet"),
        ("two.npz", "one matrix was expected, 2 found"),
        ("ids.npz", "has the id 1 twice"),
        ("few.npz", "1 ids for 2 vectors"),
    ):
        with pytest.raises(ValueError, match=message):
            read_embeddings(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="no file"):
        read_embeddings(tmp_path / "absent.npy")


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        ({"v": [[1.0], [1.0, 2.0]]}, {}, "not all of one length"),
        ({"v": [[1.0], None]}, {}, r"row 1 has no vector in 'v' \(1 of 2 rows\); remove it"),
        ({"v": [[1.0, None]]}, {}, "contains nan at row 0, column 1"),
        ({"v": [1.0, 2.0]}, {}, "no columns of numbers that are embeddings among v"),
        (
            {"v": [[1.0]], "w": [[2.0]]},
            {},
            "one column of vectors was expected, 2 found; leave one in the file, or in Python choose vector_column among: v, w",
        ),
        ({"v": [[1.0]]}, {"vector_column": "x"}, "no column of vectors is named 'x'"),
        ({"v": [[1.0]], "i": [1]}, {"id_column": "x"}, "no column of ids is named 'x'"),
    ],
)
def test_parquet_vectors_that_cannot_be_read(tmp_path, table, options, message):
    pd.DataFrame(table).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=message):
        read_embeddings(tmp_path / "a.parquet", **options)


def _snapshot(folder, date, ids):
    (folder / date).mkdir()
    table = pd.DataFrame({"track_id": ids, "vector": [[float(ord(i)), len(date)] for i in ids]})
    table.to_parquet(folder / date / "E.parquet")


def test_snapshots_come_by_date_with_their_common_ids(tmp_path):
    _snapshot(tmp_path, "20230507", ["c", "b", "a"])
    _snapshot(tmp_path, "2022-05-21", ["d", "a", "b"])
    _snapshot(tmp_path, "20220625", ["b", "x", "a", "d"])
    (tmp_path / "notes").mkdir()
    snapshots = read_snapshots(tmp_path)
    assert list(snapshots) == ["2022-05-21", "2022-06-25", "2023-05-07"]
    for E in snapshots.values():
        assert E.ids.tolist() == ["a", "b"]
        assert E.vectors[:, 0].tolist() == [97, 98]


def test_snapshots_that_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError, match="contains nothing named by a date"):
        read_snapshots(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match="contains nothing named by a date"):
        read_snapshots(tmp_path)
    _snapshot(tmp_path, "20220521", ["a"])
    _snapshot(tmp_path, "20220625", ["b"])
    with pytest.raises(ValueError, match="no id is common to all 2 dates"):
        read_snapshots(tmp_path)
    _snapshot(tmp_path, "2022-05-21", ["a"])
    with pytest.raises(ValueError, match="two entries of the date 2022-05-21"):
        read_snapshots(tmp_path)
    (tmp_path / "later" / "20221399").mkdir(parents=True)
    with pytest.raises(ValueError, match="20221399 is not named by a date"):
        read_snapshots(tmp_path / "later")


def test_a_dated_folder_without_a_file_is_refused(tmp_path):
    (tmp_path / "20220521").mkdir()
    with pytest.raises(ValueError, match="one file of embeddings was expected, 0 found"):
        read_snapshots(tmp_path)


# --- the real files, where they are ------------------------------------------------------------

REAL = {
    # items, contexts, interactions; rows and non-zeros of M; sigma_1, sigma_128
    "cornell-yes-small": (3113, 10252, 115697, 2888, 318530, 638.6768, 40.0847),
    "triplej": (15615, 5972, 134541, 7547, 538550, 519.4277, 44.0226),
    "movielens-small": (9724, 610, 100836, 6221, 4924912, 2709.7862, 115.0360),
}


@pytest.mark.parametrize(
    "name",
    [
        "cornell-yes-small",
        *(pytest.param(name, marks=pytest.mark.real) for name in ("triplej", "movielens-small")),
    ],
)
def test_real_files_give_the_known_sizes(name):
    if not datasets.files(name):
        pytest.skip(f"{name} is not in the data home; fetch it with `spiky data fetch {name}`")
    data = load(name)
    M, _ = ppmi.ppmi_matrix(data.matrix)
    s = svd.truncated_svd(M, f=128).s
    *counts, first, last = REAL[name]
    assert [*data.matrix.shape, data.matrix.nnz, M.shape[0], M.nnz] == counts
    assert s[[0, 127]] == pytest.approx([first, last], abs=5e-5)
    if data.times is not None:
        assert len(data.times) == data.matrix.nnz


# --- the page for readers --------------------------------------------------------------------

PAGE = Path(__file__).parents[1] / "book" / "data.md"


@pytest.mark.parametrize("name", [n for n in DATASETS if DATASETS[n].files])
def test_the_data_page_tells_what_the_catalogue_knows(name):
    page, known = PAGE.read_text(encoding="utf-8"), DATASETS[name]
    assert f"`{name}`" in page.partition("## What was tried on what")[2]
    assert f"<{known.page}>" in page
    assert known.address is None or f"<{known.address}>" in page
    if known.package:
        assert f"`pip install {known.package}`" in page
        return
    shown = known.files[0].replace("json*", "json.gz").replace("20140929.*", "20140929.zip")
    assert f"`{shown}`" in page or shown.split("/")[1] in page.replace("`", "")

"""What is known of each dataset: who publishes it, on which terms, where, and in which files."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Source:
    """A file that a publisher offers, and what it becomes under the data home.

    Attributes
    ----------
    address : str
        Where it is downloaded from.
    checksum : str or None
        "md5:..." or "sha256:..." of the download, where the publisher or a copy tells.
    members : dict of str to str
        End of a path in the archive -> file under the data home. Empty where the download is
        itself the data file.
    checks : dict of str to str
        Checksums of files under the data home.
    largest : int
        Bytes that the archive may unpack to; a larger one is refused.
    """

    address: str
    checksum: str | None = None
    members: dict = field(default_factory=dict)
    checks: dict = field(default_factory=dict)
    largest: int = 2**30


@dataclass(frozen=True)
class Dataset:
    """One row of the catalogue.

    Attributes
    ----------
    kind : str
        "items x contexts".
    publisher, terms, page : str
        Who, on which terms, and the page to read before using the data.
    files : tuple of str
        Patterns under the data home; without the first there is no dataset, the others hold labels.
    published_items : int or None
        Items in Table 1's repository.
    size : tuple of int or None
        Items, contexts and interactions that the publisher counts; None where it gives no count.
    source : Source or None
        None where there is no address.
    """

    kind: str
    publisher: str
    terms: str
    page: str
    files: tuple
    published_items: int | None = None
    size: tuple = (None, None, None)
    source: Source | None = None


_YES_SETS = ("yes_small", "yes_big", "yes_complete")
_YES_FILES = ("train.txt", "test.txt", "song_hash.txt", "tags.txt", "tag_hash.txt")
_YES = Source(
    "https://www.cs.cornell.edu/~shuochen/lme/dataset.tar.gz",
    members={f"{s}/{f}": f"cornell-yes/{s}/{f}" for s in _YES_SETS for f in _YES_FILES},
    checks={
        "cornell-yes/yes_small/train.txt": "sha256:55c0e28d201b523f50ea9db31d17cf4ffd90cf720559f0da057fcb143dfee025",
        "cornell-yes/yes_big/train.txt": "sha256:259805e3a409dc889c74159bc4e2d4b24d10d683f030bbf62191f7c844d72628",
    },
)


def _yes(variant, n_songs, published=None):
    return Dataset(
        "songs x radio playlists",
        "Shuo Chen, Cornell University",
        'no commercial use; the publisher says "we do not own these data" (Yes.com, Last.fm)',
        "https://www.cs.cornell.edu/~shuochen/lme/data_page.html",
        tuple(f"cornell-yes/{variant}/{f}" for f in _YES_FILES),
        published,
        (n_songs, None, None),
        _YES,
    )


DATASETS = {
    "synthetic": Dataset("tracks x playlists", "this book", "MIT", "", ()),
    "synthetic-dated": Dataset("tracks x playlists, dated", "this book", "MIT", "", ()),
    "cornell-yes-small": _yes("yes_small", 3168),
    "cornell-yes-big": _yes("yes_big", 9775),
    "cornell-yes-complete": _yes("yes_complete", 75262, 44442),
    "aotm-2011": Dataset(
        "tracks x playlists",
        "Brian McFee",
        "none stated; cite McFee and Lanckriet (2012)",
        "https://bmcfee.github.io/data/aotm2011.html",
        ("aotm-2011/aotm2011_playlists.json*",),
        27241,
        (None, 101343, None),
        Source(
            "https://bmcfee.github.io/data/aotm2011_playlists.json.gz",
            "md5:66dd2c85067e3721f252cabfbf9d00b9",
        ),
    ),
    "spotify-mpd": Dataset(
        "tracks x playlists",
        "Spotify, through AIcrowd",
        "research, non-commercial; needs an account; no redistribution",
        "https://www.aicrowd.com/challenges/spotify-million-playlist-dataset-challenge",
        ("spotify-mpd/data/mpd.slice.*.json",),
        1261730,
        (2262292, 1000000, 66346428),
    ),
    "lastfm-360k": Dataset(
        "artists x users",
        "Oscar Celma, Last.fm",
        "non-commercial use",
        "https://zenodo.org/records/6090214",
        ("lastfm-360k/usersha1-artmbid-artname-plays.tsv",),
        94272,
        (None, 359347, 17559530),
        Source(
            "https://zenodo.org/records/6090214/files/lastfm-dataset-360K.tar.gz",
            "md5:635e6ed3fc873aa4ba33aba0ebce02b1",
            {"usersha1-artmbid-artname-plays.tsv": "lastfm-360k/usersha1-artmbid-artname-plays.tsv"},
            {"lastfm-360k/usersha1-artmbid-artname-plays.tsv": "md5:be672526eb7c69495c27ad27803148f1"},
            4 * 2**30,
        ),
    ),
    "movielens-25m": Dataset(
        "movies x users",
        "GroupLens, University of Minnesota",
        "research; cite Harper and Konstan (2015); no commercial use without permission",
        "https://grouplens.org/datasets/movielens/25m/",
        ("movielens-25m/ratings.csv", "movielens-25m/movies.csv"),
        42490,
        (62423, 162541, 25000095),
        Source(
            "https://files.grouplens.org/datasets/movielens/ml-25m.zip",
            "md5:6b51fb2759a8657d3bfcbfc42b592ada",
            {
                "ratings.csv": "movielens-25m/ratings.csv",
                "movies.csv": "movielens-25m/movies.csv",
            },
            largest=4 * 2**30,
        ),
    ),
    "movielens-small": Dataset(
        "movies x users",
        "GroupLens, University of Minnesota",
        "research; cite Harper and Konstan (2015); no commercial use without permission",
        "https://grouplens.org/datasets/movielens/latest/",
        ("movielens-small/ratings.csv", "movielens-small/movies.csv"),
        None,
        (9742, 610, 100836),
        Source(
            "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
            members={
                "ratings.csv": "movielens-small/ratings.csv",
                "movies.csv": "movielens-small/movies.csv",
            },
            checks={
                "movielens-small/ratings.csv": (
                    "sha256:aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646"
                ),
                "movielens-small/movies.csv": (
                    "sha256:5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07"
                ),
            },
        ),
    ),
    "lastfm-2k": Dataset(
        "artists x users",
        "HetRec 2011, Last.fm",
        "non-commercial use",
        "https://grouplens.org/datasets/hetrec-2011/",
        ("lastfm-2k/user_artists.dat", "lastfm-2k/artists.dat"),
        None,
        (17632, 1892, 92834),
        Source(
            "https://files.grouplens.org/datasets/hetrec2011/hetrec2011-lastfm-2k.zip",
            "sha256:6738f48195667ff03caaab4d32ca9a3133d8cc026b7c3cdaf6ce1010e913c59c",
            {
                "user_artists.dat": "lastfm-2k/user_artists.dat",
                "artists.dat": "lastfm-2k/artists.dat",
            },
        ),
    ),
    "triplej": Dataset(
        "tracks x (date, programme)",
        "Tim Bennett",
        "no licence stated",
        "https://github.com/timbennett/triplej",
        ("triplej/playlist_20140929.*",),
        None,
        (None, None, None),
        Source(
            "https://raw.githubusercontent.com/timbennett/triplej/master/playlist_20140929.zip",
            "sha256:50d1f05d50a43d8816171cef126ec849d7e46d7c86be6ab8c77b94f6d3b4fad0",
        ),
    ),
    "deezer-songs": Dataset(
        "songs (embeddings only)",
        "Deezer Research",
        "Creative Commons, see the record",
        "https://zenodo.org/records/5121674",
        ("deezer-songs/song_embeddings.parquet",),
        None,
        (50000, None, None),
        Source("https://zenodo.org/record/5121674/files/song_embeddings.parquet?download=1"),
    ),
}

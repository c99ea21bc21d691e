"""Time and memory of every loader, on synthetic files of the published format and size.

    python benchmarks/loaders.py                      # all but spotify-mpd: 4 GB of disk
    python benchmarks/loaders.py spotify-mpd          # 1,000 slices: 33 GB of disk
    python benchmarks/loaders.py spotify-mpd --share 0.1

The files are written to a temporary folder and removed. Each is loaded in a process of its own; the
times (by the clock, and of the processor) are those of `load` alone, the memory the highest resident size
of the whole process, libraries included. What was loaded is compared with what was written: items, contexts, distinct pairs.
"""

import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import pandas as pd

from spikylib import datasets


@click.command()
@click.argument("names", nargs=-1)
@click.option(
    "--share", default=1.0, show_default=True, help="Of the contexts (playlists, users) of the real data."
)
@click.option(
    "--folder", type=click.Path(exists=True, file_okay=False), help="Where the files fit for a while."
)
@click.option("--seed", default=0, show_default=True)
@click.option(
    "--table", type=click.Path(dir_okay=False), help="Markdown table in which to replace or add the rows."
)
@click.option("--write", "home_to_write", hidden=True, help="Write one dataset to this data home and report.")
@click.option("--load", "home_to_load", hidden=True, help="Load one dataset from this data home and report.")
def main(names, share, folder, seed, table, home_to_write, home_to_load):
    """Write, load and compare the datasets NAMES (all but spotify-mpd)."""
    if home_to_write:
        counts = WRITERS[names[0]](Path(home_to_write), share, np.random.default_rng(seed))
        click.echo(json.dumps([int(count) for count in counts]))
        return
    if home_to_load:
        click.echo(json.dumps(_load(names[0], home_to_load)))
        return
    for name in names or [name for name in WRITERS if name != "spotify-mpd"]:
        with tempfile.TemporaryDirectory(dir=folder, prefix="loaders-") as home:
            # processes of their own: the highest resident size is that of the load, and of nothing else
            written = _run(name, "--write", home, "--share", str(share), "--seed", str(seed))
            found = _run(name, "--load", home)
            size = sum(file.stat().st_size for file in datasets.files(name, home))
        if found["counts"] != written:
            raise SystemExit(f"{name}: {found['counts']} loaded, {written} written")
        row = _row(name, share, size, found)
        click.echo(row)
        if table:
            _store(Path(table), name, row)


def _run(*words):
    return json.loads(
        subprocess.run(
            [sys.executable, __file__, *words], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
    )


def _row(name, share, size, found):
    part = "" if share == 1 else f" ({share:.0%} of it)"
    items, contexts, *pairs = (f"{count:,}" for count in found["counts"])
    cells = [name + part, f"{size / 1e6:,.0f}", f"{items} x {contexts}", *(pairs or ["vectors"])]
    cells += [f"{found['seconds']:.1f}", f"{found['cpu']:.1f}", f"{found['peak']:.2f}"]
    return f"| {' | '.join(cells)} |"


def _store(path, name, row):
    """Put the row in its place in the table of the file, which is made if it is not there."""
    rows = {} if not path.exists() else {_name(line): line for line in path.read_text().splitlines()[2:]}
    rows[name] = row
    order = [key for key in WRITERS if key in rows]
    path.write_text("\n".join([HEAD, "|---|---|---|---|---|---|---|", *(rows[key] for key in order)]) + "\n")


def _name(line):
    return line.split("|")[1].split()[0]


def _load(name, home):
    start, cpu_start = time.perf_counter(), time.process_time()
    data = datasets.load(name, data_home=home)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu_start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    counts = data.vectors.shape if name == "deezer-songs" else (*data.matrix.shape, data.matrix.nnz)
    return {"seconds": seconds, "cpu": cpu, "peak": peak, "counts": list(counts)}


HEAD = "| dataset | file (MB) | items x contexts | distinct pairs | load (s) | CPU time (s) | peak memory (GiB) |"


# --- writers: each returns items, contexts and distinct pairs --------------------------------


def _draw(rng, n_items, sizes):
    """Items, the popular ones much more often, for contexts of these sizes; and the contexts."""
    context = np.repeat(np.arange(len(sizes)), sizes)
    return (n_items * rng.random(len(context)) ** 4).astype(np.int64), context


def _counts(item, context):
    distinct = len(np.unique(context.astype(np.int64) << 32 | item))
    return len(np.unique(item)), len(np.unique(context)), distinct


def _users(rng, n_users, n_rows):
    """Sizes of contexts, at least one row each, that add up to n_rows."""
    return 1 + rng.multinomial(n_rows - n_users, np.full(n_users, 1 / n_users))


def _open(path, mode="w"):
    path.parent.mkdir(parents=True, exist_ok=True)
    return gzip.open(path, mode + "t", compresslevel=1) if path.suffix == ".gz" else path.open(mode)


def write_cornell(home, share, rng):
    folder = home / "cornell-yes" / "yes_complete"
    n_songs = 75262
    parts = []
    for source, plays in (("train.txt", 1_700_000), ("test.txt", 1_400_000)):
        n_lists = int(plays / 14 * share)
        sizes = 5 + rng.poisson(9, n_lists)
        song, playlist = _draw(rng, n_songs, sizes)
        with _open(folder / source) as file:
            file.write(" ".join(str(10**6 + k) for k in range(n_songs)) + " \n")
            file.write(" ".join(map(str, np.bincount(song, minlength=n_songs))) + " \n")
            for line in np.split(song, np.cumsum(sizes)[:-1]):
                file.write(" ".join(map(str, line)) + " \n")
        parts.append((song, playlist + len(parts) * 10**7))
    with _open(folder / "song_hash.txt") as file:
        file.writelines(f"{k}\tTitle {k}\tArtist {k // 8}\n" for k in range(n_songs))
    with _open(folder / "tags.txt") as file:
        file.writelines("#\n" if k % 5 == 0 else f"{k % 250} {k % 249}\n" for k in range(n_songs))
    with _open(folder / "tag_hash.txt") as file:
        file.writelines(f"{k}, tag {k}\n" for k in range(250))
    return _counts(*map(np.concatenate, zip(*parts)))


def write_aotm(home, share, rng):
    n_lists = int(101343 * share)
    sizes = 1 + rng.poisson(19, n_lists)
    song, playlist = _draw(rng, 98000, sizes)
    matched = rng.random(len(song)) < 0.7
    starts = np.concatenate([[0], np.cumsum(sizes)])
    with _open(home / "aotm-2011" / "aotm2011_playlists.json.gz") as file:
        file.write("[")
        for k in range(n_lists):
            entry = {"category": "Mixed Genre", "filtered_lists": [], "mix_id": k, "playlist": []}
            for i in range(starts[k], starts[k + 1]):
                track = f"SO{song[i]:016X}" if matched[i] else None
                entry["playlist"].append([[f"artist {song[i] // 8}", f"the title of song {song[i]}"], track])
                if track and (i == starts[k] or not matched[i - 1] or not entry["filtered_lists"]):
                    entry["filtered_lists"].append([])
                if track:
                    entry["filtered_lists"][-1].append(track)
            user = {"member_since": "2004-03-21T00:00:00", "mixes_posted": "23", "name": f"user {k // 9}"}
            entry |= {"timestamp": "2005-03-27T10:53:00", "user": user}
            file.write(", " * (k > 0) + json.dumps(entry))
        file.write("]")
    return _counts(song[matched], playlist[matched])


def write_mpd(home, share, rng):
    names = np.array([f"Track {k} of a certain length" for k in range(1000)])
    items, contexts = [], []
    for first in range(0, int(1_000_000 * share), 1000):
        sizes = 5 + rng.poisson(61.346, 1000)
        track, playlist = _draw(rng, 2262292, sizes)
        starts = np.concatenate([[0], np.cumsum(sizes)])
        lists = []
        for k in range(1000):
            tracks = ",\n".join(
                f"""                {{
                    "pos": {pos},
                    "artist_name": "Artist {t % 295860}",
                    "track_uri": "spotify:track:{t:022d}",
                    "artist_uri": "spotify:artist:{t % 295860:022d}",
                    "track_name": "{names[t % 1000]}",
                    "album_uri": "spotify:album:{t % 734684:022d}",
                    "duration_ms": 226863,
                    "album_name": "The album number {t % 734684}"
                }}"""
                for pos, t in enumerate(track[starts[k] : starts[k + 1]].tolist())
            )
            lists.append(
                f"""        {{
            "name": "Playlist {k}",
            "collaborative": "false",
            "pid": {first + k},
            "modified_at": 1493424000,
            "num_tracks": {sizes[k]},
            "num_albums": 47,
            "num_followers": 1,
            "tracks": [
{tracks}
            ],
            "num_edits": 6,
            "duration_ms": 11532414,
            "num_artists": 37
        }}"""
            )
        with _open(home / "spotify-mpd" / "data" / f"mpd.slice.{first}-{first + 999}.json") as file:
            file.write('{\n    "info": {"version": "v1"},\n    "playlists": [\n')
            file.write(",\n".join(lists) + "\n    ]\n}")
        items.append(track.astype(np.int32))
        contexts.append((playlist + first).astype(np.int32))
    return _counts(np.concatenate(items), np.concatenate(contexts))


def write_lastfm_360k(home, share, rng):
    n_users = int(359347 * share)
    sizes = _users(rng, n_users, int(17559530 * share))
    artist, user = _draw(rng, 294015, sizes)
    users = [f"{k:040x}" for k in rng.permutation(n_users).tolist()]
    # two artists in three have an id, as in the published file
    artists = [f"{k:08x}-ba5e-4c0d-9fab-{k:012x}" * (k % 3 > 0) + f"\tthe artist {k}" for k in range(294015)]
    with _open(home / "lastfm-360k" / "usersha1-artmbid-artname-plays.tsv") as file:
        for low in range(0, len(artist), 10**6):
            part = slice(low, low + 10**6)
            file.writelines(
                f"{users[u]}\t{artists[a]}\t{a % 997}\n"
                for u, a in zip(user[part].tolist(), artist[part].tolist())
            )
    return _counts(artist, user)


def write_movielens(name, n_users, n_movies, n_rows):
    def write(home, share, rng):
        movie, user = _draw(rng, n_movies, _users(rng, int(n_users * share), int(n_rows * share)))
        stamp = rng.integers(789652004, 1574327703, len(movie))
        table = {"userId": user + 1, "movieId": movie + 1, "rating": 3.5, "timestamp": stamp}
        (home / name).mkdir()
        pd.DataFrame(table).to_csv(home / name / "ratings.csv", index=False)
        number = np.arange(1, n_movies + 1)
        films = {
            "movieId": number,
            "title": [f"Film, The {k} (1995)" for k in number],
            "genres": "Comedy|Drama",
        }
        pd.DataFrame(films).to_csv(home / name / "movies.csv", index=False, lineterminator="\r\n")
        return _counts(movie, user)

    return write


def write_lastfm_2k(home, share, rng):
    artist, user = _draw(rng, 17632, _users(rng, int(1892 * share), int(92834 * share)))
    with _open(home / "lastfm-2k" / "user_artists.dat") as file:
        file.write("userID\tartistID\tweight\r\n")
        file.writelines(f"{u}\t{a}\t7\r\n" for u, a in zip(user, artist))
    with _open(home / "lastfm-2k" / "artists.dat") as file:
        file.write("id\tname\turl\tpictureURL\r\n")
        file.writelines(f"{k}\tArtist {k}\thttp://a\thttp://b\r\n" for k in range(17632))
    return _counts(artist, user)


def write_triplej(home, share, rng):
    track, show = _draw(rng, 15615, _users(rng, int(5972 * share), int(134948 * share)))
    day = pd.Timestamp("2012-02-07") + pd.to_timedelta(show // 6, unit="D")
    lines = [
        f'1,{d.day}/{d.month:02d}/{d.year},8:41:57,Track {t},Artist {t // 3},"\r",0:02:58,178,Show {s % 6},Tuesday\r'
        for d, t, s in zip(day, track, show)
    ]
    header = "timestamp,date,time,trackname,artist,album,duration,seconds,program,day\r"
    with _open(home / "triplej" / "playlist_20140929.csv") as file:
        file.write(header + "".join(lines))
    return _counts(track, show)


def write_deezer(home, share, rng):
    n_songs = int(50_000 * share)
    (home / "deezer-songs").mkdir()
    table = {"song_index": range(n_songs)}
    for column, dim in (("features_svd", 128), ("features_mf", 256)):
        table[column] = list(rng.standard_normal((n_songs, dim)))
    pd.DataFrame(table).to_parquet(home / "deezer-songs" / "song_embeddings.parquet")
    return n_songs, 128


WRITERS = {
    "cornell-yes-complete": write_cornell,
    "aotm-2011": write_aotm,
    "spotify-mpd": write_mpd,
    "lastfm-360k": write_lastfm_360k,
    "movielens-25m": write_movielens("movielens-25m", 162541, 59047, 25000095),
    "movielens-small": write_movielens("movielens-small", 610, 9724, 100836),
    "lastfm-2k": write_lastfm_2k,
    "triplej": write_triplej,
    "deezer-songs": write_deezer,
}


if __name__ == "__main__":
    main()

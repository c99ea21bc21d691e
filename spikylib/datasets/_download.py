"""Fetch datasets from their publishers into the data home.

A download is checked, unpacked and checked again in a hidden folder beside the data, and only whole
files are moved to their place: after a failure, or Ctrl-C, nothing of it is left, and what a killed
process left the next fetch removes. Running it again is all there is to resuming: files that are there
are kept, the missing ones are fetched.
Only https is spoken (and http with this machine itself, for tests).
"""

import contextlib
import errno
import gzip
import lzma
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

import pyarrow
import pyarrow.parquet

from spikylib import datasets
from spikylib.datasets._catalogue import DATASETS

_WAITS = (1, 4, 15)  # seconds before each further attempt
_TIMEOUT = (10, 60)  # seconds to connect, seconds of silence
_PREFIX = f".fetch-{platform.node()}-"  # of the hidden folder, before the process' number
# what a damaged archive makes the unpackers raise
_DAMAGED = (
    ValueError,
    RuntimeError,
    EOFError,
    OSError,
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
)
_TRY_AGAIN = (429, 500, 502, 503, 504)  # HTTP status of a server that may soon recover


def fetch(name, *, data_home=None, address=None, force=False, progress=None):
    """Download a dataset, check it, and put its files where `load` looks for them.

    Shows publisher, terms and address on stderr before anything is downloaded. A server that
    is busy or hangs up is tried three times more, from where it stopped if it can.

    Parameters
    ----------
    name : str
        A name of :func:`spikylib.datasets.catalogue`.
    data_home : path, optional
        As for :func:`spikylib.datasets.load`; created if it is not there.
    address : str or path, optional
        Another https address of the same file, or the file itself, downloaded by hand. The
        checksum must be the published one all the same. Default: the publisher's address.
    force : bool, default False
        Fetch again, and replace, what is there.
    progress : bool, optional
        Show a progress bar on stderr. Default: where stderr is a terminal.

    Returns
    -------
    list of pathlib.Path
        The dataset's files. Memory: a block at a time; disk: the archive and its files.

    Raises
    ------
    ValueError
        Unknown name; no address (the message tells how to get the data); an address that is not
        https; a file with another checksum; an archive that is damaged, holds a path
        that leaves its folder, unpacks to more than any published version, or
        lacks the data; a file in the way that is not the published one.
    ConnectionError
        The server cannot be reached, says no, or hangs up.
    FileNotFoundError
        `address` is a path without a file.

    Examples
    --------
    >>> fetch("synthetic")
    []
    """
    if name not in DATASETS:
        raise ValueError(f"unknown dataset {name!r}; choose one of: {', '.join(DATASETS)}")
    there = datasets.files(name, data_home)
    source = DATASETS[name].source
    if name == "synthetic" or (source is None and there):
        return there
    if source is None:
        raise ValueError(instructions(name, data_home))
    home = datasets.home(data_home)
    targets = _targets(name)
    if not force:
        for target, checksum in targets.items():
            _verify(
                home / target, checksum, f"move it away, or replace it by `spiky data fetch {name} --force`"
            )
        if all((home / target).is_file() for target in targets) or (there and not source.members):
            return datasets.files(name, data_home)  # another process may just have finished them
    address = str(address or source.address)
    _check_address(address)
    print(terms(name, data_home, address), file=sys.stderr)
    new = not home.exists()
    home.mkdir(parents=True, exist_ok=True)
    try:
        _clear_abandoned(home)
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=home) as folder:
            staged = _stage(
                name, address, Path(folder), sys.stderr.isatty() if progress is None else progress
            )
            # what `files` goes by is moved last: a dataset is there once all of it is
            for target, file in reversed(staged.items()):
                if force or not (home / target).is_file():
                    (home / target).parent.mkdir(parents=True, exist_ok=True)
                    file.replace(home / target)
    except BaseException:
        if new:
            with contextlib.suppress(OSError):
                home.rmdir()
        raise
    return datasets.files(name, data_home)


def terms(name, data_home=None, address=None):
    """Tell who publishes a dataset, on which terms, and where its files go.

    Parameters
    ----------
    name : str
        A name of :func:`spikylib.datasets.catalogue`.
    data_home : path, optional
        As for :func:`spikylib.datasets.load`.
    address : str or path, optional
        As for :func:`fetch`.

    Returns
    -------
    str
        A few lines of text.

    Examples
    --------
    >>> print(terms("triplej", "data"))
    triplej
      publisher  Tim Bennett
      terms      no licence stated
      page       https://github.com/timbennett/triplej
      from       https://raw.githubusercontent.com/timbennett/triplej/master/playlist_20140929.zip
      to         data/triplej
    """
    known = DATASETS[name]
    rows = {"publisher": known.publisher, "terms": known.terms, "page": known.page}
    if address or known.source:
        rows["from"] = str(address or known.source.address)
    if known.files:
        rows["to"] = (datasets.home(data_home) / known.files[0].split("/")[0]).as_posix()
    return "\n".join([name, *(f"  {key:<9}  {value}" for key, value in rows.items() if value)])


def instructions(name, data_home=None):
    """Tell how to get a dataset by hand.

    Parameters
    ----------
    name : str
        A name of :func:`spikylib.datasets.catalogue`.
    data_home : path, optional
        As for :func:`spikylib.datasets.load`.

    Returns
    -------
    str

    Examples
    --------
    >>> "account" in instructions("spotify-mpd")
    True
    """
    known = DATASETS[name]
    home = datasets.home(data_home)
    places = ", ".join(str(home / target) for target in (_targets(name) or known.files))
    first = "" if known.source else f"{name} has no address to download from. "
    return (
        f"{first}By hand: get the data from {known.page} ({known.terms}), and put the files at: {places}. "
        "Another folder can be named by $SPIKYLIB_DATA or data_home=."
    )


def _clear_abandoned(home):
    """Remove what fetches on this machine left behind when they were killed."""
    for folder in home.iterdir():
        if folder.name.startswith(_PREFIX):
            try:
                os.kill(int(folder.name.removeprefix(_PREFIX).partition("-")[0]), 0)
            except ProcessLookupError:
                shutil.rmtree(folder, ignore_errors=True)
            except (ValueError, OSError):
                continue


def _targets(name):
    """Files of a dataset under the data home, the one that holds the data first -> checksum or None."""
    known = DATASETS[name]
    if known.source is None:
        return {}
    if not known.source.members:
        file = PurePosixPath(urlsplit(known.source.address).path).name
        return {f"{name}/{file}": known.source.checksum}
    return {target: known.source.checks.get(target) for target in known.files}


def _stage(name, address, folder, progress):
    """Whole, checked files in `folder` by their place under the data home."""
    source = DATASETS[name].source
    by_hand = f"Nothing was kept. {instructions(name)}"
    if "://" in address:
        file = folder / "download"
        _download(address, file, name, progress)
    else:
        file = Path(address).expanduser()
        if not file.is_file():
            raise FileNotFoundError(
                f"no file {file}; give an https address or the path of the downloaded file"
            )
    _verify(file, source.checksum, f"it came from {address}. {by_hand}")
    if not source.members:
        target = next(iter(_targets(name)))
        if target.endswith(".parquet"):
            _check_parquet(file, f"{address}. {by_hand}")
        if file.parent != folder:
            file = shutil.copyfile(file, folder / "download")
        return {target: file}
    try:
        staged = _unpack(file, source, folder)
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
            raise  # the disk, not the archive
        raise ValueError(f"{name}: the archive from {address} is refused: {error}. {by_hand}") from None
    for target, file in staged.items():
        _verify(file, source.checks.get(target), f"{target} came from {address}. {by_hand}")
    needed = [target for target in staged if target in DATASETS[name].files[:1]]
    if not needed:
        raise ValueError(f"{name}: the archive from {address} holds no {DATASETS[name].files[0]}. {by_hand}")
    return staged


def _download(address, file, name, progress):
    """Download with pooch; what can go wrong on the way ends in one message."""
    import pooch
    import requests

    log = pooch.get_logger()
    level = log.level
    log.setLevel("WARNING")
    try:
        pooch.retrieve(
            address, known_hash=None, fname=file.name, path=file.parent, downloader=_Resuming(name, progress)
        )
    except requests.RequestException as error:
        raise ConnectionError(
            f"{name} could not be downloaded from {address}: {_plain(error)}. Nothing was kept; try again later, "
            f"or give another address or the downloaded file: `spiky data fetch {name} --from ADDRESS_OR_FILE`. "
            f"{instructions(name)}"
        ) from None
    finally:
        log.setLevel(level)


class _Resuming:
    """A pooch downloader that tries again, and goes on where the connection broke if the server can."""

    def __init__(self, name, progress):
        self._name, self._progress, self._tag = name, progress, None

    def __call__(self, url, path, _):
        import pooch
        import requests

        self._url = url
        with Path(path).open("wb") as self._file:
            for wait in (*_WAITS, None):
                self._start = self._file.tell()
                headers = {"Accept-Encoding": "identity"}
                if self._start:
                    headers["Range"] = f"bytes={self._start}-"
                    headers |= {"If-Range": self._tag} if self._tag else {}
                try:
                    pooch.HTTPDownloader(
                        progressbar=self._progress,
                        chunk_size=1 << 16,
                        timeout=_TIMEOUT,
                        headers=headers,
                        hooks={"response": self._answered},
                    )(url, self._file, None)
                    return
                except requests.RequestException as error:
                    status = getattr(error.response, "status_code", None)
                    if wait is None or (status is not None and status not in _TRY_AGAIN):
                        raise
                    print(f"{self._name}: {_plain(error)}; trying again in {wait} s", file=sys.stderr)
                    time.sleep(wait)

    def _answered(self, response, **_):
        if response.is_redirect:
            _check_address(urljoin(response.url, response.headers["location"]), self._url)
        elif response.ok:
            self._tag = response.headers.get("ETag")
            if self._start and response.status_code != 206:  # the whole file comes again
                self._file.seek(0)
                self._file.truncate()


def _plain(error):
    """Why a request failed, in a few words."""
    import requests

    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut half way"
    if isinstance(error, requests.ConnectionError):
        return "the server could not be reached, or hung up"
    return str(error)


def _check_address(address, first=None):
    """Refuse plain http, but with this machine itself (and not as a redirection from elsewhere)."""
    parts = urlsplit(address)
    if "://" not in address or parts.scheme == "https":
        return
    local = ("localhost", "127.0.0.1", "::1")
    if parts.scheme == "http" and parts.hostname in local and urlsplit(first or address).hostname in local:
        return
    raise ValueError(f"{address} is not an https address; give one, or the path of the downloaded file")


def _verify(file, checksum, remedy):
    """Compare a file, if it is there and its checksum known."""
    import pooch

    if checksum is None or not file.is_file():
        return
    algorithm, expected = checksum.split(":")
    found = pooch.file_hash(file, alg=algorithm)
    if found != expected:
        raise ValueError(
            f"{file.name} is not the published file: its {algorithm} is {found}, expected was {expected}; {remedy}"
        )


def _check_parquet(file, remedy):
    try:
        pyarrow.parquet.read_metadata(file)
    except pyarrow.ArrowInvalid as error:
        raise ValueError(f"not a whole parquet file ({error}): {remedy}") from None


def _unpack(archive, source, folder):
    """Write the wanted members of a zip or tar.gz under names of our own, by target."""
    out = {}
    budget = _Budget(source.largest)
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            wanted = [(m, _wanted(m.filename, source.members)) for m in bundle.infolist()]
            if sum(member.file_size for member, target in wanted if target) > source.largest:
                raise ValueError(f"it unpacks to more than {source.largest} bytes")
            for member, target in wanted:
                if target:
                    with bundle.open(member) as stream:
                        out[target] = _write(stream, budget, folder / str(len(out)))
    else:
        with (
            gzip.open(archive) as packed,
            tarfile.open(fileobj=_Limited(packed, budget), mode="r|") as bundle,
        ):
            for member in bundle:
                target = _wanted(member.name, source.members)
                if target and not member.isreg():
                    raise ValueError(f"{member.name} in it is not a regular file")
                if target:
                    # its bytes are counted as they leave the packed stream
                    out[target] = _write(bundle.extractfile(member), None, folder / str(len(out)))
    return {target: out[target] for target in source.members.values() if target in out}


def _wanted(path, members):
    """The target of an archive member, or None; refuse a path that would leave the folder."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if ".." in parts or (parts and (parts[0].startswith("/") or ":" in parts[0])):
        raise ValueError(f"{path!r} in it would leave the folder")
    if "__MACOSX" in parts:
        return None
    for end, target in members.items():
        if parts[-len(PurePosixPath(end).parts) :] == PurePosixPath(end).parts:
            return target
    return None


def _write(stream, budget, path):
    with path.open("wb") as file:
        shutil.copyfileobj(stream if budget is None else _Limited(stream, budget), file, 1 << 20)
    return path


class _Budget:
    def __init__(self, limit):
        self.limit = self.left = limit


class _Limited:
    """A stream that stops where it has given more bytes than the budget shared with others."""

    def __init__(self, stream, budget):
        self._stream, self._budget = stream, budget

    def read(self, size):
        data = self._stream.read(size)
        self._budget.left -= len(data)
        if self._budget.left < 0:
            raise ValueError(f"it unpacks to more than {self._budget.limit} bytes")
        return data

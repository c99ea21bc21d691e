"""Fetch datasets from their publishers into the data home.

A download is checked, unpacked and checked again in a hidden folder beside the data, and only whole files
are moved to their place: after a failure or Ctrl-C nothing of it is left, and the next fetch removes what a
killed process left. To resume, run it again: existing files are kept, missing ones fetched. Only https is
used (and http with this machine itself, for tests).
"""

import contextlib
import gzip
import hashlib
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import time
import zipfile
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin, urlsplit

import pyarrow.parquet

from spikylib.datasets import _catalogue
from spikylib.datasets._catalogue import DATASETS
from spikylib.datasets._guard import Capped, reading

_WAITS = (1, 4, 15)  # seconds before each further attempt
_TIMEOUT = (10, 60)  # seconds to connect, seconds of silence
_PREFIX = f".fetch-{platform.node()}-"  # of the hidden folder, before the process' number
_TRY_AGAIN = (429, 500, 502, 503, 504)  # HTTP status of a server that may soon recover


def fetch(
    name: str,
    *,
    data_home: str | os.PathLike | None = None,
    address: str | os.PathLike | None = None,
    force: bool = False,
    progress: bool | None = None,
) -> list[Path]:
    """Download a dataset, check it, and put its files where `load` looks for them.

    Shows publisher, terms and address on stderr before anything is downloaded. If the server is busy or
    hangs up, three more attempts follow, resuming where it allows that.

    Parameters
    ----------
    name : str
        A name of :func:`spikylib.datasets.catalogue`.
    data_home : path, optional
        As for :func:`spikylib.datasets.load`; created if missing.
    address : str or path, optional
        Another https address of the same file, or the file itself, downloaded by hand; a folder where the
        data are several files, not an archive. The checksum must be the published one. Default: the
        publisher's address.
    force : bool, default False
        Fetch again, and replace existing files.
    progress : bool, optional
        Show a progress bar on stderr. Default: where stderr is a terminal.

    Returns
    -------
    list of pathlib.Path
        The dataset's files; none for generated data. Memory: a block at a time; disk: the archive
        and its files.

    Raises
    ------
    ValueError
        Unknown name; no address (the message says how to get the data); an address that is not
        https; a file with another checksum; an archive that is damaged, contains a path
        that leaves its folder, unpacks to more than any published version, or
        lacks the data; a file in the way that is not the published one.
    ConnectionError
        The server cannot be reached, refuses, or hangs up.
    FileNotFoundError
        `address` is a path without a file.

    Examples
    --------
    >>> fetch("synthetic")
    []
    """
    known, present = _catalogue.find(name), _catalogue.files(name, data_home)
    if known.generator or (present and not known.address):
        return present
    if not known.address:
        raise ValueError(instructions(name, data_home))
    home = _catalogue.home(data_home)
    if not force:
        targets = _targets(name)
        for target, checksum in targets.items():
            # neither taken for the published file nor replaced: it may be the only copy of something
            _verify(home / target, checksum, f"move it, or replace it by `spiky data fetch {name} --force`")
        one_is_enough = not (known.unpack or known.in_parts)
        if all((home / target).is_file() for target in targets) or (present and one_is_enough):
            return _catalogue.files(name, data_home)  # another process may just have finished them
    address = str(address or known.address)
    _check_address(address)
    print(terms(name, data_home, address), file=sys.stderr)
    is_new = not home.exists()
    home.mkdir(parents=True, exist_ok=True)
    try:
        _clear_abandoned(home)
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-", dir=home) as folder:
            show = sys.stderr.isatty() if progress is None else progress
            missing = [target for target in _targets(name) if force or not (home / target).is_file()]
            staged = _stage(name, address, missing, Path(folder), show)
            # what `files` goes by is moved last: a dataset is there once all of it is
            for target, file in reversed(staged.items()):
                if force or not (home / target).is_file():
                    (home / target).parent.mkdir(parents=True, exist_ok=True)
                    file.replace(home / target)
    except BaseException:
        if is_new:  # a folder that was there is left, empty or not
            with contextlib.suppress(OSError):
                home.rmdir()
        raise
    return _catalogue.files(name, data_home)


def terms(name: str, data_home: str | os.PathLike | None = None, address: str | None = None) -> str:
    """Describe in a few lines who publishes a dataset, under which terms, and where its files go.

    >>> print(terms("triplej", "/data"))
    triplej
      publisher  Tim Bennett
      terms      no licence stated
      page       https://github.com/timbennett/triplej
      from       https://raw.githubusercontent.com/timbennett/triplej/master/playlist_20140929.zip
      to         /data/triplej
    """
    known = DATASETS[name]
    rows = {
        "publisher": known.publisher,
        "terms": known.terms,
        "page": known.page,
        "from": address or known.address,
        "to": known.folder and (_catalogue.home(data_home) / known.folder).as_posix(),
    }
    return "\n".join([name, *(f"  {key:<9}  {value}" for key, value in rows.items() if value)])


def instructions(name: str, data_home: str | os.PathLike | None = None) -> str:
    """Explain how to get a dataset by hand.

    >>> "account" in instructions("spotify-mpd")
    True
    """
    known = DATASETS[name]
    if known.package:
        return f"{name} is the package {known.package} ({known.terms}): `pip install {known.package}`"
    places = ", ".join(str(_catalogue.home(data_home) / target) for target in _targets(name))
    first = "" if known.address else f"{name} has no address to download from. "
    convert = f", convert them by `{known.convert}`" if known.convert else ""
    return (
        f"{first}By hand: get the data from {known.page} ({known.terms}){convert}, and put the files at: {places}. "
        "Another folder can be named by $SPIKYLIB_DATA or data_home=."
    )


def _clear_abandoned(home):
    """Remove what fetches on this machine left behind when they were killed."""
    if os.name == "nt":
        return  # signal 0 would not ask there whether a process lives, but end it
    for folder in home.glob(f"{_PREFIX}*"):
        try:
            os.kill(int(folder.name.removeprefix(_PREFIX).partition("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, OSError):
            continue


def _targets(name):
    """Files of a dataset under the data home, the main one first -> checksum or None."""
    known = DATASETS[name]
    if known.unpack or known.in_parts or not known.address:
        return {file: known.checks.get(file) for file in known.files}
    name_of_file = PurePosixPath(urlsplit(known.address).path).name
    return {str(PurePosixPath(known.files[0]).with_name(name_of_file)): known.checksum}


def _stage(name, address, missing, folder, progress):
    """Whole, checked files in `folder` by their place under the data home."""
    known = DATASETS[name]
    by_hand = f"Nothing was kept. {instructions(name)}"

    def got(address, checksum, file):
        """The file from an address, or one that is on this machine, once its checksum is right."""
        if "://" in address:
            _download(address, file, name, progress)
        elif not (file := Path(address).expanduser()).is_file():
            raise FileNotFoundError(f"no file {file}; give an https address or the path of the download")
        _verify(file, checksum, f"it came from {address}. {by_hand}")
        return file

    if not known.unpack:
        staged = {}
        for target in missing:
            source = f"{address.rstrip('/')}/{PurePosixPath(target).name}" if known.in_parts else address
            place = folder / str(len(staged))
            file = got(source, _targets(name)[target], place)
            if target.endswith(".parquet"):
                with reading(f"the file from {source}", "is not a whole Parquet file", by_hand):
                    pyarrow.parquet.read_metadata(file)
            staged[target] = file if file == place else shutil.copyfile(file, place)
        return staged
    file = got(address, known.checksum, folder / "download")
    # datasets that share a folder share the archive, and one download brings them all
    wanted = {}
    for other in [other for other, row in DATASETS.items() if row.folder == known.folder]:
        wanted |= _targets(other)
    with reading(f"{name}: the archive from {address}", "is refused", by_hand):
        staged = unpack(file, list(wanted), known.largest, folder)
    for target, file in staged.items():
        _verify(file, wanted[target], f"{target} came from {address}. {by_hand}")
    if known.files[0] not in staged:
        raise ValueError(f"{name}: the archive from {address} does not contain {known.files[0]}. {by_hand}")
    return staged


def _download(address, path, name, progress):
    """Download; try again where the server may recover, and go on where the connection broke."""
    import pooch
    import requests

    tag = None

    def check(response, **_):
        nonlocal tag
        if response.is_redirect:
            _check_address(urljoin(response.url, response.headers["location"]), address)
        elif response.ok:
            tag = response.headers.get("ETag")
            if response.status_code != 206:  # all of the file comes, perhaps a second time
                file.seek(0)
                file.truncate()

    # pooch can try again itself, but from the first byte
    with path.open("wb") as file:
        for wait in (*_WAITS, None):
            headers = {"Accept-Encoding": "identity"}
            if file.tell():
                # a file that has changed since comes whole, by its tag, not as a tail of another
                headers |= {"Range": f"bytes={file.tell()}-"} | ({"If-Range": tag} if tag else {})
            request = {"headers": headers, "timeout": _TIMEOUT, "hooks": {"response": check}}
            try:
                pooch.HTTPDownloader(progress, 1 << 16, **request)(address, file, None)
                return
            except requests.RequestException as error:
                reason, status = _reason(error), getattr(error.response, "status_code", None)
                if wait is None or (status is not None and status not in _TRY_AGAIN):
                    raise ConnectionError(
                        f"{name} could not be downloaded from {address}: {reason}. Nothing was kept; try again "
                        "later, or give another address or the downloaded file: "
                        f"`spiky data fetch {name} --from ADDRESS_OR_FILE`. {instructions(name)}"
                    ) from None
            print(f"{name}: {reason}; trying again in {wait} s", file=sys.stderr)
            time.sleep(wait)


def _reason(error):
    """Why a request failed, in a few words."""
    import requests

    if error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.Timeout):
        return "the server did not answer in time"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut half way"
    return "the server could not be reached, or hung up"


def _check_address(address, first=None):
    """Refuse plain http, but with this machine itself (and not as a redirection from elsewhere)."""
    parts = urlsplit(address)
    if "://" not in address or parts.scheme == "https":
        return
    hosts = {parts.hostname, urlsplit(first or address).hostname}
    if parts.scheme != "http" or not hosts <= {"localhost", "127.0.0.1", "::1"}:
        raise ValueError(f"{address} is not an https address; give one, or the path of the downloaded file")


def _verify(file, checksum, remedy):
    """Compare a file, if it is there and its checksum known."""
    import pooch

    if checksum is None or not file.is_file():
        return
    algorithm, expected = checksum.split(":")
    if algorithm == "git":  # what GitHub shows of a file without sending it: SHA-1, the size hashed first
        size = file.stat().st_size
        with file.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.sha1(b"blob %d\0" % size)).hexdigest()
    else:
        found = pooch.file_hash(file, alg=algorithm)
    if found != expected:
        raise ValueError(
            f"{file.name} is not the published file: its {algorithm}{' id' * (algorithm == 'git')} is {found}, not {expected}; {remedy}"
        )


def unpack(archive: Path, targets: list[str], largest: int, folder: Path) -> dict[str, Path]:
    """Write the wanted members of a zip or tar.gz into `folder`, under names of our own; return them by target.

    A member is wanted where its path ends as a target does after its first folder.
    """
    found = {}

    def write(target, stream):
        found[target] = folder / str(len(found))
        with stream, found[target].open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)

    # pooch's Unzip and Untar know no limit of size, and mend a path that leaves its folder in silence
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as bundle:
            wanted = [(m, target) for m in bundle.infolist() if (target := _wanted(m.filename, targets))]
            # zipfile never gives more of a member than is declared
            if sum(member.file_size for member, _ in wanted) > largest:
                raise ValueError(f"it unpacks to more than {largest} bytes")
            for member, target in wanted:
                write(target, bundle.open(member))
    else:
        with gzip.open(archive) as packed, tarfile.open(fileobj=Capped(packed, largest), mode="r|") as tape:
            for entry in tape:
                if target := _wanted(entry.name, targets):
                    if not entry.isreg():
                        raise ValueError(f"{entry.name} in it is not a regular file")
                    write(target, tape.extractfile(entry))
    return {target: found[target] for target in targets if target in found}


def _wanted(path, targets):
    """The target of an archive member, or None; refuse a path that would leave the folder."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    if ".." in parts or (parts and (parts[0].startswith("/") or ":" in parts[0])):
        raise ValueError(f"{path!r} in it would leave the folder")
    if "__MACOSX" in parts:
        return None
    place = "/" + "/".join(parts)
    return next((target for target in targets if place.endswith(target[target.index("/") :])), None)

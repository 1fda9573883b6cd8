"""One file of a whole folder, and back.

The same folder gives the same bytes: files in the order of their paths, with a fixed
owner, mode and time. An archive that is read is untrusted: only regular files below one folder are
unpacked, and sizes, numbers and names are bounded before they are used.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, cast

from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.folder_manifest import (
    FILES_MAX,
    MANIFEST,
    PATH_CHARS_MAX,
    archived_files,
    is_archived,
)
from harness.safe_open import MIB, RECORDS_BYTES_MAX, RefusedError, open_regular, over_limit

SUFFIX = ".tar.gz"
# Five times the largest file of evidence.
UNPACKED_BYTES_MAX = 5 * RECORDS_BYTES_MAX
# An archive of evidence is a few times smaller than its content; a bomb, a thousand times.
_RATIO_MAX = 100
_UNPACKED_BYTES_LEAST = 256 * MIB
_CHUNK = MIB
_READ_MAX = 4 * MIB
_MODE = 0o644
_LEVEL = 6


def write_archive(folder: Path, path: Path) -> None:
    """Pack a folder with a manifest.

    Args:
        folder: its name is the only folder at the top of the archive.
        path: of the archive; replaced as a whole.

    Raises:
        EvidenceError: a file cannot be read, or the archive not be written.
    """
    names = sorted([*archived_files(folder), MANIFEST])
    with (
        atomic_files.new_file(path) as raw,
        # A name and a time in the header would differ from archive to archive.
        gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name in names:
            with open_regular(folder / name) as file:
                tar.addfile(_entry(f"{folder.name}/{name}", file), file)


def _entry(name: str, file: IO[bytes]) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size = os.fstat(file.fileno()).st_size
    entry.mode = _MODE
    return entry


def unpack(source: Path, into: Path) -> Path:
    """Unpack an archive, or copy such a folder, below an empty folder of one's own.

    Args:
        source: archive or folder, of whatever origin.
        into: an empty folder.

    Returns:
        the folder that was unpacked.

    Raises:
        RefusedError: it has what no sign-off has: links, devices, paths that leave the folder,
            files twice, or more than the limits.
        EvidenceError: it cannot be read.
    """
    if source.is_dir():
        return _copy_folder(source, into)
    try:
        with open_regular(source, UNPACKED_BYTES_MAX, by_user=True) as raw:
            return _unpack_tar(raw, into, source)
    except FileNotFoundError as error:
        raise EvidenceError("is missing", where=str(source)) from error
    except (OSError, EOFError, zlib.error, tarfile.TarError, RecursionError, ValueError) as error:
        raise EvidenceError(
            f"is no archive of a sign-off: {type(error).__name__}: {error}", where=str(source)
        ) from error


def _copy_folder(source: Path, into: Path) -> Path:
    top = into / source.absolute().name
    total = 0
    for name in [*archived_files(source), MANIFEST]:
        try:
            with open_regular(source / name) as file:
                total += os.fstat(file.fileno()).st_size
                _check_total(total, UNPACKED_BYTES_MAX, source)
                _write(top / name, file)
        except OSError as error:
            raise EvidenceError(
                f"cannot read: {error.strerror or error}", where=str(source / name)
            ) from error
    return top


def _unpack_tar(raw: IO[bytes], into: Path, source: Path) -> Path:
    seen, tops = set[PurePosixPath](), set[str]()
    limit = max(_UNPACKED_BYTES_LEAST, _RATIO_MAX * os.fstat(raw.fileno()).st_size)
    with gzip.GzipFile(fileobj=raw, mode="rb") as packed:
        bounded = _Bounded(packed, min(limit, UNPACKED_BYTES_MAX), source)
        with tarfile.open(fileobj=cast("IO[bytes]", bounded), mode="r:") as tar:
            for entry in _entries(tar, source):
                name = _safe_name(entry, source)
                tops.add(name.parts[0])
                inner = PurePosixPath(*name.parts[1:])
                if name in seen or len(tops) > 1 or not is_archived(inner):
                    raise _refused(f"{str(name)[:100]!r} is none of its files, or twice", source)
                seen.add(name)
                content = tar.extractfile(entry)
                if content is None:
                    raise _refused(f"{str(name)[:100]!r} has no content", source)
                _write(into / name, content)
    if not tops:
        raise EvidenceError("the archive is empty", where=str(source))
    return into / tops.pop()


def _entries(tar: tarfile.TarFile, source: Path) -> Iterator[tarfile.TarInfo]:
    count = 0
    while (entry := tar.next()) is not None:
        count += 1
        if count > FILES_MAX:
            what = f"holds more than {FILES_MAX:,} files"
            raise over_limit(what, f"{FILES_MAX:,} files", str(source))
        yield entry


def _safe_name(entry: tarfile.TarInfo, source: Path) -> PurePosixPath:
    """The path of an entry, which stays below the folder that it is unpacked into."""
    shown = repr(entry.name[:100])
    if entry.type != tarfile.REGTYPE or entry.issparse():
        raise _refused(f"{shown} is no regular file", source)
    if unknown := sorted(entry.pax_headers.keys() - {"path"}):
        raise _refused(f"{shown} has the header {unknown[0][:100]!r}", source)
    if entry.size > RECORDS_BYTES_MAX:
        limit = f"{RECORDS_BYTES_MAX:,} bytes"
        raise over_limit(f"{shown} has {entry.size:,} bytes", limit, str(source))
    parts = entry.name.split("/")
    is_unsafe = any(part in ("", ".", "..") or "\0" in part for part in parts)
    if is_unsafe or len(parts) < 2 or len(entry.name) > PATH_CHARS_MAX:
        raise _refused(f"{shown} is no path below a folder", source)
    return PurePosixPath(*parts)


def _write(path: Path, content: IO[bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("xb") as file:
        shutil.copyfileobj(content, file, _CHUNK)


def _check_total(size: int, limit: int, source: Path) -> None:
    if size > limit:
        raise over_limit(f"unpacks to {size:,} bytes", f"{limit:,} bytes", str(source))


def _refused(what: str, source: Path) -> RefusedError:
    return RefusedError(
        what, where=str(source), hint="no sign-off writes such an archive; do not trust it"
    )


class _Bounded:
    """The unpacked bytes for `tarfile`, which reads as much at once as a header asks for."""

    def __init__(self, packed: gzip.GzipFile, limit: int, source: Path) -> None:
        self._packed = packed
        self._limit = limit
        self._source = source

    def read(self, size: int, /) -> bytes:
        if not 0 <= size <= _READ_MAX:
            what = f"asks for {size:,} bytes at once"
            raise over_limit(what, f"{_READ_MAX:,} bytes", str(self._source))
        found = self._packed.read(size)
        _check_total(self._packed.tell(), self._limit, self._source)
        return found

    def seek(self, offset: int, /) -> int:
        _check_total(offset, self._limit, self._source)
        return self._packed.seek(offset)

    def tell(self) -> int:
        return self._packed.tell()

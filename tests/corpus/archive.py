"""The folder of a run as an archive: the same bytes each time, unpacked only within its place."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

HERE = Path(__file__).parent
RUNS, EXPECTED = HERE / "runs", HERE / "expected"
_SUFFIX = ".tar.gz"
# Made from the evidence, or only for people: judging reads none of it.
_LEFT_OUT = frozenset(
    {"result.json", "isolation.json", "report.html", "junit.xml", "logs", "csv", "hgrm"}
)
_HISTOGRAMS = "histograms"


def names() -> list[str]:
    """Every run of the corpus."""
    return sorted(path.name.removesuffix(_SUFFIX) for path in RUNS.glob(f"*{_SUFFIX}"))


def pack(folder: Path, name: str) -> int:
    """Put the folder of a run, or of several, into the corpus; the bytes that it takes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in _kept(folder):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            if path.is_dir():
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
            else:
                content = path.read_bytes()
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    RUNS.mkdir(exist_ok=True)
    target = RUNS / f"{name}{_SUFFIX}"
    # Neither a time nor a name of the file, so that the same run gives the same bytes.
    target.write_bytes(gzip.compress(plain.getvalue(), 9, mtime=0))
    return target.stat().st_size


def unpack(name: str, place: Path) -> Path:
    """A run of the corpus as a folder below `place`.

    Raises:
        ValueError: an entry is no file or folder, or lies outside of the run.
    """
    folder = place / name
    folder.mkdir()
    with tarfile.open(RUNS / f"{name}{_SUFFIX}", mode="r:gz") as archive:
        for entry in archive:
            inside = PurePosixPath(entry.name)
            if inside.is_absolute() or ".." in inside.parts:
                raise ValueError(f"{name}: {entry.name!r} lies outside of the run")
            target = folder / inside
            if entry.isdir():
                target.mkdir(exist_ok=True)
                continue
            content = archive.extractfile(entry) if entry.isreg() else None
            if content is None:
                raise ValueError(f"{name}: {entry.name!r} is neither a file nor a folder")
            target.write_bytes(content.read())
    return folder


def _kept(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if _LEFT_OUT.isdisjoint(parts) and _HISTOGRAMS not in parts[:-1]:
            yield path

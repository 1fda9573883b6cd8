"""Whole files of a run's folder: atomic writes, and reads with clear errors."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import EvidenceError
from harness.evidence.strict_json import DEPTH_MAX, LimitError, loads
from harness.safe_open import open_parent, over_limit, read_regular

# Incremented whenever a reader of the old format could misread the new one.
SCHEMA_VERSION = 1
_HINT_WRITE = "check free space and permissions of the report folder (--reports DIR)"

Model = TypeVar("Model", bound=BaseModel)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document with its schema version; the old file stays complete until then.

    Raises:
        EvidenceError: it could not be written.
    """
    text = json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=1)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a whole file; the old file stays complete until then.

    Raises:
        EvidenceError: it could not be written.
    """
    with new_file(path) as file:
        # The name of a folder need not be valid UTF-8.
        file.write(text.encode("utf-8", errors="backslashreplace"))


@contextmanager
def new_file(path: Path) -> Iterator[BinaryIO]:
    """A draft that replaces the file when all is written; the old one stays complete until then.

    The folder may contain hostile links: the draft has an unpredictable name and must not exist
    yet. A link under the file's own name is replaced, not followed.

    Raises:
        EvidenceError: it could not be written.
    """
    draft = f".{path.name}.{secrets.token_hex(8)}"
    try:
        folder = open_parent(path)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            fd = os.open(draft, flags, 0o666, dir_fd=folder)
            try:
                with os.fdopen(fd, "wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(draft, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(OSError):
                    os.unlink(draft, dir_fd=folder)
                raise
        finally:
            os.close(folder)
    except OSError as error:
        raise io_error("write", path, error) from error


def read_json(path: Path, versions: Collection[int] = (SCHEMA_VERSION,)) -> dict[str, Any]:
    """A document that `write_json` wrote.

    Args:
        path: of the file.
        versions: the schema versions that are read.

    Raises:
        EvidenceError: missing, not JSON, or of another schema.
    """
    document = read_document(path)
    if not isinstance(document, dict):
        raise EvidenceError("is not a JSON object", where=str(path))
    version = document.get("schema_version")
    if version not in versions:
        newest = max(versions)
        raise EvidenceError(
            f"has schema version {version!r}, this harness reads {newest}",
            where=str(path),
            hint="judge it with the harness that made it; environment.json names its commit",
        )
    return document


def read_document(path: Path) -> Any:
    """Any JSON document.

    Raises:
        EvidenceError: missing or not JSON.
        RefusedError: no regular file, or beyond a limit.
    """
    try:
        return loads(read_text(path))
    except LimitError as error:
        limit = f"{DEPTH_MAX} levels and signed integers of 64 bits"
        raise over_limit(f"cannot be read: {error}", limit, str(path)) from error
    except ValueError as error:
        raise EvidenceError(f"is not JSON: {error}", where=str(path)) from error


def read_text(path: Path) -> str:
    """A whole file.

    Raises:
        EvidenceError: it cannot be read.
        RefusedError: no regular file, or larger than a document may be.
    """
    try:
        return read_regular(path).decode("utf-8")
    except FileNotFoundError as error:
        raise EvidenceError(
            "is missing",
            where=str(path),
            hint="the run ended before it was written; see its logs",
        ) from error
    except OSError as error:
        raise EvidenceError(f"cannot read: {error.strerror or error}", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise EvidenceError(f"cannot read: {error}", where=str(path)) from error


def read_model(path: Path, model: type[Model]) -> Model:
    """A document as a value.

    Raises:
        EvidenceError: it cannot be read, or is not such a value.
    """
    document = read_json(path)
    try:
        return model.model_validate_json(json.dumps(document))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        raise EvidenceError(f"{place}: {message}", where=str(path)) from error


def io_error(verb: str, path: Path, error: OSError) -> EvidenceError:
    """The error for a failed operation on the disk."""
    return EvidenceError(
        f"cannot {verb}: {error.strerror or error}", where=str(path), hint=_HINT_WRITE
    )

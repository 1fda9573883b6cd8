"""Whole files of a run's folder: written atomically, read with errors that say what is wrong."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import EvidenceError

# Raised whenever a reader of the old form could misread the new one.
SCHEMA_VERSION = 1
_HINT_WRITE = "check free space and permissions of the report folder (--reports DIR)"

Model = TypeVar("Model", bound=BaseModel)


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document with its schema version; the old one stays whole until it is done.

    Raises:
        EvidenceError: it could not be written.
    """
    text = json.dumps({"schema_version": SCHEMA_VERSION, **document}, indent=1)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a whole file; the old one stays whole until it is done.

    Raises:
        EvidenceError: it could not be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # The name of a folder need not be text.
        with draft.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):  # on a read-only disk not even that can be done
            draft.unlink(missing_ok=True)
        raise cannot("write", path, error) from error


def read_json(path: Path) -> dict[str, Any]:
    """A document that `write_json` wrote.

    Raises:
        EvidenceError: missing, not JSON, or of another schema.
    """
    try:
        document = json.loads(read_text(path))
    except ValueError as error:
        raise EvidenceError(f"is not JSON: {error}", where=str(path)) from error
    if not isinstance(document, dict):
        raise EvidenceError("is not a JSON object", where=str(path))
    version = document.get("schema_version")
    if version != SCHEMA_VERSION:
        raise EvidenceError(
            f"has schema version {version!r}, this harness reads {SCHEMA_VERSION}",
            where=str(path),
            hint="judge it with the harness that made it; environment.json names its commit",
        )
    return document


def read_text(path: Path) -> str:
    """A whole file.

    Raises:
        EvidenceError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise EvidenceError(
            "is missing",
            where=str(path),
            hint="the run ended before it was written; look into its logs",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
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
        raise EvidenceError(f"{place}: {first['msg']}", where=str(path)) from error


def cannot(verb: str, path: Path, error: OSError) -> EvidenceError:
    """What to say when the disk does not do as it is told."""
    return EvidenceError(
        f"cannot {verb}: {error.strerror or error}", where=str(path), hint=_HINT_WRITE
    )

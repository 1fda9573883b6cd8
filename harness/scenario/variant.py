"""One of two systems that are compared by alternate runs: what differs from the usual one.

Its file is TOML with the keys of `Variant`. A folder is a checkout whose services are started, a
contract file is a system that already runs, and any other word is an image set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.scenario.file import format_problems, read_toml

_HINT = "docs/compare.md lists the keys of a settings file"
# Tables of a contract file, which a settings file has not.
_CONTRACT_KEYS = frozenset({"redis", "postgres", "schema_version"})
_Text = Annotated[str, Field(min_length=1, max_length=1_000)]


class Variant(BaseModel):
    """One of both systems.

    Attributes:
        name: for the reader; as it was given unless the file has another one.
        set: `KEY=VALUE` of the scenario, as with `--set`.
        images: image set; None for the usual one. Containers only.
        image: `ROLE=IMAGE`; containers only.
        contract: contract file of a system that already runs, an absolute path; None without.
        checkout: folder whose services are started, an absolute path; None for this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: _Text
    set: Annotated[tuple[_Text, ...], Field(max_length=100, strict=False)] = ()
    images: _Text | None = None
    image: Annotated[tuple[_Text, ...], Field(max_length=100, strict=False)] = ()
    contract: _Text | None = None
    checkout: _Text | None = None


def load_variant(text: str) -> Variant:
    """The variant that an argument names.

    Args:
        text: a folder, a settings file, a contract file, or the name of an image set.

    Raises:
        UsageError: it is a file that is neither, or a folder that is no checkout.
    """
    path = Path(text)
    if path.is_dir():
        return _checked(Variant(name=text, checkout=str(path.absolute())))
    if not path.exists():
        return Variant(name=text, images=text)
    document = read_toml(path)
    if document.keys() >= _CONTRACT_KEYS:
        return Variant(name=text, contract=str(path.absolute()))
    try:
        found = Variant.model_validate({"name": text, **document})
    except ValidationError as error:
        raise UsageError(
            format_problems(error, "settings", model=Variant), where=str(path), hint=_HINT
        ) from error
    folder = path.absolute().parent
    paths = {
        key: str(folder / value)
        for key in ("contract", "checkout")
        if (value := getattr(found, key)) is not None
    }
    return _checked(found.model_copy(update=paths))


def _checked(variant: Variant) -> Variant:
    if variant.checkout and not (Path(variant.checkout) / "compose").is_dir():
        raise UsageError(
            "is no checkout: it has no folder compose",
            where=variant.checkout,
            hint="give a checkout of this repository, a settings file, a contract or an image set",
        )
    return variant

"""Base types of the values of a contract."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Frozen(BaseModel):
    """A frozen value without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def false_is_none(value: object) -> object:
    """None for `false`, by which a contract file marks what the system does not have."""
    return None if value is False else value


# A name, or `false` for what the system does not have.
NameIfAny = Annotated[Name | None, BeforeValidator(false_is_none)]

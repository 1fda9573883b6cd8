"""What every value of a contract is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Name = Annotated[str, Field(min_length=1, max_length=200)]


class Frozen(BaseModel):
    """A frozen value that knows every one of its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def false_is_none(value: object) -> object:
    """`false` is how a contract file says that a system does not have a thing."""
    return None if value is False else value


# A name, or `false` for what the system does not have.
NameIfAny = Annotated[Name | None, BeforeValidator(false_is_none)]

"""URLs that a person writes: read here and nowhere else, since a login may stand in them.

No error repeats any part of what was given. A password with a sign that a URL splits at would
otherwise show half of itself as a port, a path or the name of an option.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationError

from harness.contract.frozen import Frozen

_BAD_SIGNS = re.compile(r"[^\x21-\x7e]")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,15})?")
MISPLACED = "write the signs @ / ? # % [ ] of a login as %40 %2F %3F %23 %25 %5B %5D"

Model = TypeVar("Model", bound=Frozen)


def checked_host(host: str) -> str:
    """A name or an address of a host.

    Raises:
        ValueError: it is none.
    """
    if not _HOST.fullmatch(host):
        raise ValueError("names no host, or one with signs that no host has")
    return host


Host = Annotated[str, AfterValidator(checked_host)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Url(Frozen):
    """What a URL says.

    Attributes:
        port: None where it names none.
        user: empty where it names none.
        has_password: whether a password stands in it.
        path: without the first slash.
        options: the query.
    """

    scheme: str
    host: Host
    port: Port | None = None
    user: str = Field(default="", repr=False)
    has_password: bool = False
    path: str = Field(default="", repr=False)
    options: dict[str, str] = Field(default_factory=dict, repr=False)

    @property
    def place(self) -> str:
        """Host and port, as far as it is named, as a URL has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def read_url(text: str, schemes: Collection[str]) -> Url:
    """Read a URL.

    Args:
        text: the URL; nothing of it is repeated.
        schemes: those that are understood.

    Raises:
        ValueError: it is none, or none of these.
    """
    check_printable_ascii(text)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError(f"cannot be read: is the port a number up to 65535? {MISPLACED}") from None
    if parts.scheme not in schemes:
        raise ValueError(f"begins with none of {', '.join(f'{one}://' for one in schemes)}")
    if parts.fragment or parts.netloc.count("@") > 1 or "@" in f"{parts.path}{parts.query}":
        raise ValueError(f"cannot be read: {MISPLACED}")
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise ValueError("its options are not name=value, joined by &") from None
    if len(dict(pairs)) < len(pairs):
        raise ValueError("names an option twice")
    return validated(
        Url,
        {
            "scheme": parts.scheme,
            "host": unquote(parts.hostname or ""),
            "port": port,
            "user": unquote(parts.username or ""),
            "has_password": bool(parts.password),
            "path": unquote(parts.path.lstrip("/")),
            "options": dict(pairs),
        },
    )


def check_printable_ascii(text: str) -> None:
    """Make sure that a URL holds nothing but signs that one can see, and no others.

    Raises:
        ValueError: it holds a blank, a control character, or a letter beyond ASCII.
    """
    if _BAD_SIGNS.search(text):
        raise ValueError(
            "holds a blank, a control character or a letter beyond ASCII; write its bytes as %XX"
        )


def validated(model: type[Model], document: Mapping[str, object]) -> Model:
    """A document as a value, from texts.

    Raises:
        ValueError: it is none; keys of the model are named, and nothing of the document.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    known = sorted(model.model_fields)
    told = []
    for problem in found:
        if problem["type"] == "extra_forbidden":
            told.append(f"has an option that is none of: {', '.join(known)}")
        else:
            place = ".".join(str(part) for part in problem["loc"] if part in known)
            told.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}")
    raise ValueError("; ".join(dict.fromkeys(told)))

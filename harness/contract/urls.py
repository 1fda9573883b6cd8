"""The only parser of URLs from users, because they may contain a login.

No error repeats any part of the input. Otherwise a password with a reserved character would show a
part of itself as a port, a path or the name of an option.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated, TypeVar
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import AfterValidator, Field, ValidationError

from harness.contract.frozen import Frozen

_BAD_CHARACTERS = re.compile(r"[^\x21-\x7e]")
_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}|[0-9A-Fa-f:.]{2,45}(%[A-Za-z0-9._-]{1,15})?")
MISPLACED = "write the characters @ / ? # % [ ] of a login as %40 %2F %3F %23 %25 %5B %5D"

Model = TypeVar("Model", bound=Frozen)


def checked_host(host: str) -> str:
    """A host name or address.

    Raises:
        ValueError: it is not valid.
    """
    if not _HOST.fullmatch(host):
        raise ValueError("names no host, or one with invalid characters")
    return host


Host = Annotated[str, AfterValidator(checked_host)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class Url(Frozen):
    """Parts of a URL.

    Attributes:
        port: None without one.
        user: empty without one.
        has_password: whether it contains a password.
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
        """Host and port, if there is one, in URL syntax."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"


def read_url(text: str, schemes: Collection[str]) -> Url:
    """Read a URL.

    Args:
        text: the URL; nothing of it is repeated.
        schemes: supported schemes.

    Raises:
        ValueError: it is no URL, or has another scheme.
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
    """Check that a URL has printable ASCII characters only.

    Raises:
        ValueError: it has a space, a control character, or a character beyond ASCII.
    """
    if _BAD_CHARACTERS.search(text):
        raise ValueError(
            "has a space, a control character or a character beyond ASCII; write its bytes as %XX"
        )


def validated(model: type[Model], document: Mapping[str, object]) -> Model:
    """A document of texts as a model.

    Raises:
        ValueError: it is not valid; errors name keys of the model, and no part of the document.
    """
    try:
        return model.model_validate(document)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
    known = sorted(model.model_fields)
    problems = []
    for problem in found:
        if problem["type"] == "extra_forbidden":
            problems.append(f"has an option that is none of: {', '.join(known)}")
        else:
            place = ".".join(str(part) for part in problem["loc"] if part in known)
            problems.append(f"{place}: {problem['msg'].removeprefix('Value error, ')}")
    raise ValueError("; ".join(dict.fromkeys(problems)))

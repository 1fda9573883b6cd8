"""Sanitizes external text for terminals, CI logs, reports and spreadsheets.

A scenario, stored evidence, a server or a container may send control sequences of a terminal (ECMA
48), characters that reverse the reading order (Unicode, UAX 9), or text that a CI system interprets
as commands. Every writer of text for people passes it through here.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

# Control characters but for tab and line feed; marks of direction, of invisible width and of tags;
# line separators; halves of surrogate pairs.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ud800-\udfff\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
_BREAKS = re.compile("[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+ *")
# GitHub: `::name key=value::text`, wherever a line is wrapped, and `##[name]`; Azure and TeamCity:
# `##vso[name]` and `##teamcity[name]`.
_COMMAND = re.compile(r"::(?=[A-Za-z][\w-]*(?:\s[^\n]*?)?::)|##(?=\w*\[)")
# Logins in addresses, and values of keys that hold a secret, in the notations of URLs, of libpq and
# of Python.
_LOGIN_IN_URL = re.compile(r"//[^/@\s\"']*@")
_SECRET_VALUE = re.compile(
    r"(?i)([\w-]*(?:password|passwd|pwd|secret|token|api[_-]?key)[\w-]*[\"']?\s*[=:]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;&)}\]]+)"
)
_FORMULA = ("=", "+", "-", "@")


def printable(text: str) -> str:
    """The text with invisible characters escaped as code points; line feeds stay."""
    return _COMMAND.sub(_disarmed, _INVISIBLE.sub(_escaped, text))


def one_line(text: str) -> str:
    """`printable` text on one line."""
    return printable(_BREAKS.sub(" ", text))


def without_secrets(text: str) -> str:
    """The text without logins in addresses and without values of keys that hold a secret."""
    return _SECRET_VALUE.sub(r"\1***", _LOGIN_IN_URL.sub("//***@", text))


def spreadsheet_cell(text: str) -> str:
    """A text for a spreadsheet cell that no program interprets as a formula."""
    shown = one_line(text)
    return f"'{shown}" if shown.lstrip().startswith(_FORMULA) else shown


# A text of a model that is shown on one line.
SingleLineText = Annotated[str, AfterValidator(one_line)]


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _disarmed(match: re.Match[str]) -> str:
    return f"{match[0][0]}\\{match[0][1]}"

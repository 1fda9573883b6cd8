"""The language of what people read first: verdicts, headings, names of checks.

Results, JUnit XML, Markdown and logs are English in every language, and so is a text that has no
translation. English texts are the keys of `languages/zh.json`; figures are put in by name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Final

from harness.errors import UsageError, choice_hint

ENGLISH: Final = "en"
LANGUAGES: Final = (ENGLISH, "zh")
OPTION: Final = "--lang"
VARIABLE: Final = "HARNESS_LANG"
# As gettext reads them, the first that is set.
_LOCALE: Final = ("LC_ALL", "LC_MESSAGES", "LANG")
_FOLDER: Final = Path(__file__).parent / "languages"


class _Chosen:
    language = ENGLISH


def tr(text: str, **values: object) -> str:
    """A text in the chosen language, with the values put in.

    Args:
        text: in English, with `{name}` for each value.
        values: by name.
    """
    found = catalogue(_Chosen.language).get(text, text)
    return found.format(**values) if values else found


def is_english() -> bool:
    """Whether nothing is translated."""
    return _Chosen.language == ENGLISH


def chosen() -> str:
    """The language, for `lang` in HTML."""
    return "zh-CN" if _Chosen.language == "zh" else _Chosen.language


def choose(language: str) -> None:
    """Use a language from now on.

    Raises:
        UsageError: there are no texts in it.
    """
    if language not in LANGUAGES:
        raise UsageError(
            f"there are no texts in {language[:40]!r}",
            where=f"{OPTION}, {VARIABLE}",
            hint=choice_hint(language, LANGUAGES),
        )
    _Chosen.language = language


@contextmanager
def spoken(language: str) -> Iterator[None]:
    """Use a language for a while: what is compared byte by byte is English for everyone."""
    before = _Chosen.language
    choose(language)
    try:
        yield
    finally:
        _Chosen.language = before


def language_of(arguments: Sequence[str], environ: Mapping[str, str]) -> tuple[str, list[str]]:
    """The language that is asked for, and the arguments without it: it may stand anywhere.

    Raises:
        UsageError: `--lang` has no value.
    """
    rest = list(arguments)
    end = rest.index("--") if "--" in rest else len(rest)
    for number, word in enumerate(rest[:end]):
        if word.startswith(f"{OPTION}="):
            del rest[number]
            return word.partition("=")[2], rest
        if word == OPTION:
            if number + 1 >= end:
                raise UsageError("has no value", where=OPTION, hint=", ".join(LANGUAGES))
            language = rest[number + 1]
            del rest[number : number + 2]
            return language, rest
    if own := environ.get(VARIABLE):
        return own, rest
    locale = next((environ[name] for name in _LOCALE if environ.get(name)), "")
    return ("zh" if locale.lower().startswith("zh") else ENGLISH), rest


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The texts of a language by the English ones; empty of English."""
    if language == ENGLISH:
        return {}
    found: dict[str, str] = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return found

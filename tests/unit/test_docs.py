"""Pages: each is in the navigation, links resolve, commands exist, and examples can be loaded."""

from __future__ import annotations

import re
import runpy
import shlex
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from harness.cli.app import app
from harness.scenario import load_scenario
from harness.scenario.experiment import load_experiment
from harness.stack.attach.contract_file import load_attach_file

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
TUTORIAL = sorted((DOCS / "tutorial").rglob("*.md"))
# Each Chinese page, and the page that it translates.
TRANSLATED = {
    ROOT / "README.zh-CN.md": ROOT / "README.md",
    **{page: page.parents[1] / page.name for page in (DOCS / "tutorial/zh-CN").glob("*.md")},
}
WORDS_MAX = 25
HEADING_MAX_CHARS = 40
# What Typer raises for wrong options and values: its own Click's `UsageError`.
REFUSED: type[Exception] = typer.BadParameter.__mro__[1]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_CALL = re.compile(r"(?:\$ |    )?(?:\.venv/bin/)?harness (?=[a-z-])")


class _Loader(yaml.SafeLoader):
    """Reads the configuration of the site without the functions that it names."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def name_of(path: Path) -> str:
    """A page by its place in the repository."""
    return str(path.relative_to(ROOT))


@cache
def text_of(page: Path) -> str:
    """A page as it is."""
    return page.read_text(encoding="utf-8")


@cache
def prose_of(page: Path) -> str:
    """A page without code blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text_of(page)), flags=re.DOTALL)


def in_navigation(entry: Any) -> Iterator[str]:
    """Every page of the navigation, in order."""
    if isinstance(entry, str):
        yield entry
    else:
        for inner in entry.values() if isinstance(entry, dict) else entry:
            yield from in_navigation(inner)


def test_every_page_is_in_the_navigation_once() -> None:
    """And the navigation has no page that is not there."""
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    site = yaml.load(text, Loader=_Loader)  # noqa: S506 - it is a SafeLoader
    listed = Counter(in_navigation(site["nav"]))
    pages = Counter(page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md"))
    kinds = ", ".join(next(iter(entry)) for entry in site["nav"][1:])
    missing = "".join(f"\n      - TITLE: {page}" for page in pages - listed)
    assert not missing, f"add to one part of `nav` in mkdocs.yml ({kinds}):{missing}"
    assert not listed - pages, f"remove from `nav` in mkdocs.yml: {sorted(listed - pages)}"


@pytest.mark.parametrize(
    ("page", "rendered"),
    [
        ("text:\n- a\n  more\n- b", "text:\n\n- a\n  more\n- b"),
        ("- a\n  - inner\n- b", "- a\n    - inner\n- b"),
        ("# Head\n1. a", "# Head\n1. a"),
        ("```\ntext\n- no list\n```", "```\ntext\n- no list\n```"),
    ],
)
def test_lists_are_those_of_github(page: str, rendered: str) -> None:
    """The site renders a list where GitHub does."""
    assert runpy.run_path(str(DOCS / "hooks.py"))["on_page_markdown"](page) == rendered


@cache
def anchors_of(page: Path) -> frozenset[str]:
    """Anchors of the headings, as GitHub and the site make them."""
    found = set()
    for heading in re.findall(r"^#{1,6} +(.+?) *#*$", prose_of(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        found.add(re.sub(r"[^\w\- ]", "", plain).strip().lower().replace(" ", "-"))
    return frozenset(found)


def has_anchor(file: Path, anchor: str) -> bool:
    """Whether a page has a heading; other files are not read."""
    return not anchor or file.suffix != ".md" or anchor in anchors_of(file)


def broken_links(page: Path) -> Iterator[str]:
    """Relative links of a page whose file or heading is not there."""
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        outside = page.is_relative_to(DOCS) and not file.is_relative_to(DOCS)
        # The site has only what is below docs/.
        if not file.exists() or outside or not has_anchor(file, anchor):
            yield f"{name_of(page)}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_resolve(page: Path) -> None:
    """Files, pages, pictures and headings."""
    assert list(broken_links(page)) == []


def calls_in(page: Path) -> Iterator[list[str]]:
    """The words of each `harness` command in code blocks, and in the text of the tutorial."""
    text = text_of(page).replace("\\\n", " ")
    blocks = [body for _, kind, body in _FENCE.findall(text) if kind not in ("yaml", "python")]
    blocks += re.findall(r"^    .+$", _FENCE.sub("", text), re.MULTILINE)
    if page in TUTORIAL:
        blocks += re.findall(r"`(harness [a-z]+ [^`]+)`", prose_of(page))
    for line in "\n".join(blocks).splitlines():
        if call := _CALL.match(line):
            yield shlex.split(re.split(r"\|\||>>|;| \| ", line[call.end() :])[0], comments=True)


def problem_of(words: list[str]) -> str:
    """Why the command line, or the repository, has no such command; empty if it has."""
    command: Any = typer.main.get_command(app)
    name = "harness"
    while (commands := getattr(command, "commands", {})) and words and words[0][0] != "-":
        if words[0] not in commands and hasattr(command, "default"):
            words = [command.default, *words]
        name, *words = words
        if name not in commands:
            return f"no command {name}"
        command = commands[name]
    try:
        if not commands:
            command.make_context(name, list(words))
        for word in words:
            if re.fullmatch(r"(?:scenarios|examples)/[\w/.-]+\.toml", word):
                (ROOT / word).stat()
    except (REFUSED, FileNotFoundError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_exist(page: Path) -> None:
    """With their options and values; the change log names commands of earlier versions."""
    if page.name == "CHANGELOG.md":
        return
    calls = {" ".join(words): problem_of(words) for words in calls_in(page)}
    wrong = [f"harness {call}: {problem}" for call, problem in calls.items() if problem]
    names = set(re.findall(r"`harness ([a-z]+)", prose_of(page)))
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group has them
    assert [*wrong, *sorted(names - set(known))] == []


@pytest.mark.parametrize(
    "text",
    [
        "```\nharness runn smoke.toml\n```\n",
        "```\nharness run scenarios/smoke.toml --agent 3\n```\n",
        "    harness run scenarios/no-such.toml\n",
        "```\n.venv/bin/harness stack scale many\n```\n",
    ],
)
def test_wrong_commands_are_found(text: str, tmp_path: Path) -> None:
    """In fences and in indented blocks."""
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")
    (words,) = calls_in(page)
    assert problem_of(words)


def toml_blocks() -> list[tuple[str, str]]:
    """Each TOML block of the tutorial, with the place where it stands."""
    return [
        (f"{name_of(page)}-{number}", body)
        for page in TUTORIAL
        for number, (_, kind, body) in enumerate(_FENCE.findall(text_of(page)))
        if kind == "toml"
    ]


@pytest.mark.parametrize(("place", "text"), toml_blocks(), ids=[one for one, _ in toml_blocks()])
def test_files_of_the_tutorial_can_be_loaded(place: str, text: str, tmp_path: Path) -> None:
    """Scenarios, contracts and experiments, as the reader saves them."""
    path = tmp_path / "saved.toml"
    path.write_text(text, encoding="utf-8")
    if "[experiment]" in text:
        assert load_experiment(path).about
    elif "schema_version" in text:
        assert load_attach_file(path).contract().tasks.table
    else:
        assert load_scenario(path).objectives


def code_of(page: Path) -> list[str]:
    """Code blocks without comments and the text that a translation replaces."""
    found = []
    for _, kind, body in _FENCE.findall(text_of(page)):
        lines = (re.sub(r" *(?<!\S)#.*", "", line).rstrip() for line in body.splitlines())
        kept = [re.sub(r'^about = ".*"$', "about", line) for line in lines if line.strip()]
        found.append("\n".join([kind, *kept]))
    return found


@pytest.mark.parametrize("page", TRANSLATED, ids=name_of)
def test_translation_has_the_same_code(page: Path) -> None:
    """A Chinese page has the commands, files, outputs and parts of the English one."""
    original = TRANSLATED[page]
    assert code_of(page) == code_of(original)
    heads = [re.findall(r"^(#+) (.+)", prose_of(one), re.MULTILINE) for one in (page, original)]
    assert [level for level, _ in heads[0]] == [level for level, _ in heads[1]]
    # A heading that took in the paragraph below it is longer.
    assert max(len(text) for _, text in heads[0]) <= HEADING_MAX_CHARS
    rows = [len(re.findall(r"^\|", prose_of(one), re.MULTILINE)) for one in (page, original)]
    assert rows[0] == rows[1]


def long_sentences(page: Path) -> Iterator[str]:
    """Sentences of a page, in text and in tables, that are too long to read at once."""
    text = re.sub(r"\]\([^)]*\)", "]", re.sub(r"`[^`\n]+`", "X", prose_of(page)))
    text = re.sub(r"^ *(?:[-*]|\d+\.) |^#.*|\n\n", "\n.\n", text, flags=re.MULTILINE)
    for part in re.split(r"\|", text):
        for sentence in re.split(r"(?<=[.!?:;])\s+", part):
            if len(re.findall(r"\w[\w'-]*", sentence)) > WORDS_MAX:
                yield " ".join(sentence.split())


@pytest.mark.parametrize(
    "page", [DOCS / "index.md", *(one for one in TUTORIAL if one not in TRANSLATED)], ids=name_of
)
def test_sentences_of_the_tutorial_are_short(page: Path) -> None:
    """Also a reader whose language is another one reads each sentence once."""
    assert list(long_sentences(page)) == []

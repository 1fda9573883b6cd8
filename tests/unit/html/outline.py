"""The page as a parser sees it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

_VOID = {"meta", "link", "input", "br", "img", "path", "circle"}


@dataclass
class Outline:
    """What tests ask about."""

    ids: list[str] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    tags: list[tuple[str, dict[str, str | None]]] = field(default_factory=list)
    scripts: list[str] = field(default_factory=list)
    unclosed: list[str] = field(default_factory=list)
    text: str = ""

    def all(self, tag: str) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [attributes for name, attributes in self.tags if name == tag]

    def data(self, key: str) -> Any:
        """What a block of JSON holds."""
        at = [a.get("id") for a in self.all("script")].index(key)
        return json.loads(self.scripts[at])


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.outline = Outline()
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.outline.tags.append((tag, attributes))
        if key := attributes.get("id"):
            self.outline.ids.append(key)
        if tag in ("h1", "h2", "h3"):
            self.outline.headings.append((int(tag[1]), ""))
        if tag == "script":
            self.outline.scripts.append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in _VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.outline.unclosed.append(tag)

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.outline.scripts[-1] += data
        elif self._open and self._open[-1] != "style":
            self.outline.text += data
            for heading in ("h1", "h2", "h3"):
                if heading in self._open:
                    level, text = self.outline.headings[-1]
                    self.outline.headings[-1] = (level, text + data)


def outline_of(page: str) -> Outline:
    """Read a page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    reader.outline.unclosed += reader._open
    return reader.outline

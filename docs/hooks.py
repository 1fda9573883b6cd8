"""What MkDocs needs so that pages written for GitHub render alike."""

from __future__ import annotations

import re
from typing import Any

_FENCE = re.compile(r" *(?:```|~~~)")
_ITEM = re.compile(r" *(?:[-*]|\d+\.) ")
_INNER = re.compile(r" {2,3}(?=(?:[-*]|\d+\.) )")
_NO_TEXT = re.compile(r"\s*$|#|\||<!--")


def on_post_page(output: str, page: Any, **_: object) -> str:
    """Chinese pages say so: browsers choose the forms of characters by it."""
    chinese = "zh-CN" in page.file.src_uri
    return output.replace('<html lang="en"', '<html lang="zh-CN"', 1) if chinese else output


def on_page_markdown(markdown: str, **_: object) -> str:
    """A page with an empty line before each list, and inner lists indented by four spaces.

    GitHub follows CommonMark, where a list may begin right after a line of text, and where two
    spaces begin an inner list. Python-Markdown needs the empty line and the four spaces.
    """
    lines: list[str] = []
    in_fence = in_list = False
    for line in markdown.splitlines():
        if _FENCE.match(line):
            in_fence = not in_fence
        is_item = not in_fence and _ITEM.match(line) is not None
        if is_item and not in_list and lines and not _NO_TEXT.match(lines[-1]):
            lines.append("")
        in_list = is_item or (in_list and line.strip() != "")
        lines.append(_INNER.sub("    ", line) if is_item else line)
    return "\n".join(lines)

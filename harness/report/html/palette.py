"""The colours of the page by purpose; one set for light screens and paper, one for dark screens.

Text has a contrast of at least 4.5:1 and lines of 3:1 (WCAG 2.2, 1.4.3 and 1.4.11); series are
distinguishable with any colour blindness of one cone. Tests compute both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LIGHT: Final[Mapping[str, str]] = {
    "page": "#f6f5f2",
    "card": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#555d66",
    "rule": "#d9d6cf",
    "grid": "#e8e6e0",
    "link": "#0b57a4",
    "series1": "#0b62b0",
    "series2": "#b04a00",
    "series3": "#007a68",
    "series4": "#9a3f9e",
    "series5": "#4d5661",
    "series6": "#8a6500",
    "limit": "#b3261e",
    "shade": "#efe9da",
    "fault": "#f5d9d3",
    "track": "#e8e6e0",
    "pass": "#0b6b3a",
    "fail": "#b3261e",
    "invalid": "#74389a",
    "inconclusive": "#7d5200",
    "on-verdict": "#ffffff",
    "heat0": "#74aadb",
    "heat1": "#4d8cc8",
    "heat2": "#2f6db0",
    "heat3": "#1d4f8f",
    "heat4": "#123568",
    "heat5": "#0a1d3d",
}
DARK: Final[Mapping[str, str]] = {
    "page": "#14171b",
    "card": "#1c2026",
    "ink": "#e9e7e2",
    "muted": "#a9b0b8",
    "rule": "#363c44",
    "grid": "#2b3138",
    "link": "#8cc4ff",
    "series1": "#6cb2ff",
    "series2": "#ff9d4d",
    "series3": "#45cdb4",
    "series4": "#dd9ae3",
    "series5": "#b4bcc6",
    "series6": "#e3c04f",
    "limit": "#ff7b70",
    "shade": "#292720",
    "fault": "#42241f",
    "track": "#2b3138",
    "pass": "#5fd08f",
    "fail": "#ff8278",
    "invalid": "#cf9df0",
    "inconclusive": "#edb84c",
    "on-verdict": "#14171b",
    "heat0": "#3a6ba6",
    "heat1": "#4a8ac9",
    "heat2": "#69a9e2",
    "heat3": "#96c6f0",
    "heat4": "#c4e0f8",
    "heat5": "#f4faff",
}
SERIES: Final = ("@series1", "@series2", "@series3", "@series4", "@series5", "@series6")
# A line has a pattern in addition to its colour.
DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
HEAT: Final = tuple((number / 5, f"@heat{number}") for number in range(6))


def css_variables(colours: Mapping[str, str]) -> str:
    """The colours as custom properties; `@name` in a chart is the property `--name`."""
    return "".join(f"--{name}:{value};" for name, value in colours.items())

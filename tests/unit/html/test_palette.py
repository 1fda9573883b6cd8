"""Colours are legible and distinguishable, computed after WCAG 2.2 and Machado et al."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations, pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.report.html.palette import DARK, LIGHT

Colour = NDArray[np.float64]
THEMES = pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
TEXTS = ("ink", "muted", "link", "limit", "pass", "fail", "invalid", "inconclusive")
# Machado, Oliveira and Fernandes (2009), severity 1: eyes without one kind of cone.
BLIND = {
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def linear(colour: str) -> Colour:
    """Linear red, green and blue of a hex colour."""
    values = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    found: Colour = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return found


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    return float(linear(colour) @ np.array([0.2126, 0.7152, 0.0722]))


def contrast(first: str, second: str) -> float:
    """Contrast ratio (WCAG 2.2)."""
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def lab(rgb: Colour) -> Colour:
    """CIE L*a*b* of linear sRGB, D65."""
    matrix = np.array(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    x, y, z = np.cbrt(matrix @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883]))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@THEMES
def test_text_can_be_read(theme: Mapping[str, str]) -> None:
    """4.5:1 at least, on the page and on cards."""
    for name in TEXTS:
        for ground in ("page", "card"):
            assert contrast(theme[name], theme[ground]) >= 4.5, (name, ground)
    for verdict in ("pass", "fail", "invalid", "inconclusive"):
        assert contrast(theme[verdict], theme["on-verdict"]) >= 4.5, verdict


@THEMES
def test_lines_can_be_seen(theme: Mapping[str, str]) -> None:
    """3:1 at least, also where the ground is shaded."""
    for number in range(1, 7):
        for ground in ("card", "shade", "fault"):
            assert contrast(theme[f"series{number}"], theme[ground]) >= 3, (number, ground)
    assert contrast(theme["limit"], theme["shade"]) >= 3


@THEMES
@pytest.mark.parametrize("eyes", ["all cones", *BLIND])
def test_series_stay_apart(theme: Mapping[str, str], eyes: str) -> None:
    """Those that are drawn together first, for any eyes; later ones also have patterns."""
    matrix = np.array(BLIND[eyes]) if eyes in BLIND else np.eye(3)
    seen = [lab(matrix @ linear(theme[f"series{number}"])) for number in range(1, 4)]
    for (first, a), (second, b) in combinations(enumerate(seen, start=1), 2):
        assert float(np.linalg.norm(a - b)) >= 12, (first, second)


@THEMES
def test_heat_goes_one_way(theme: Mapping[str, str]) -> None:
    """More signals, further from the ground; the fewest are still seen."""
    steps = [contrast(theme[f"heat{number}"], theme["card"]) for number in range(6)]
    assert steps[0] >= 2.2
    assert all(after > before * 1.15 for before, after in pairwise(steps))


def test_both_themes_have_the_same_names() -> None:
    """A drawing needs each of them in either."""
    assert LIGHT.keys() == DARK.keys()

"""Reading the variables that one service alone knows; `settings` holds those that all share."""

from __future__ import annotations

from collections.abc import Mapping

from zone_b.settings import SettingsError


def whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A whole number between `low` and `high`.

    Raises:
        SettingsError: it is none, or lies outside.
    """
    try:
        value = int(env.get(name, "") or default)
    except ValueError:
        raise SettingsError(f"{name} must be a whole number") from None
    if not low <= value <= high:
        raise SettingsError(f"{name} must lie between {low} and {high}, not {value}")
    return value


def read_list(env: Mapping[str, str], name: str) -> tuple[str, ...]:
    """A list separated by commas; empty if the variable is."""
    return tuple(item for part in env.get(name, "").split(",") if (item := part.strip()))


def port(http_port: int) -> int:
    """The HTTP port of a service that is of no use without one.

    Raises:
        SettingsError: it is switched off.
    """
    if not http_port:
        raise SettingsError("DEFI_HTTP_PORT is missing: this service is reached over HTTP")
    return http_port

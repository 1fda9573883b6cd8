"""A stack that Compose started: which one is meant, and what its files were filled in with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.stack.compose_file import _fill, read_compose
from harness.stack.docker.compose_project import (
    PROJECT,
    _choose,
    engine_names,
    projects,
    read_variables,
    variables_of,
)
from harness.stack.settings import ROOT


@pytest.mark.parametrize(
    ("text", "found", "variables"),
    [
        ("${IMAGE:-redis:7}", "other/redis:8", {"IMAGE": "other/redis:8"}),
        ("a:${P:?set P}@b", "a:hush@b", {"P": "hush"}),
        ("${A:-x}", "", {"A": ""}),
        ("${A:-x}-${B:-y}-${A:-x}", "1-2-1", {"A": "1", "B": "2"}),
        ("${A:-x}-${A:-x}", "1-2", {}),
        ("$$HOME ${A:-x}", "$HOME 1", {"A": "1"}),
        ("no variable", "no variable", {}),
        ("${A:-x}:/target:ro", "/else:/other:ro", {}),
        ("a.b ${A:-x}", "axb 1", {}),
        ("two\n${A:-x}", "two\nlines\nmore", {"A": "lines\nmore"}),
    ],
)
def test_variables_are_read_back(text: str, found: str, variables: dict[str, str]) -> None:
    """A rendered text shows what its variables were; another text shows nothing."""
    assert variables_of(text, found) == variables


_WORDS = st.text(st.characters(exclude_characters="${}", exclude_categories=["Cs"]), min_size=1)


@given(_WORDS, _WORDS, _WORDS)
def test_filled_in_and_read_back(before: str, value: str, after: str) -> None:
    """For any value of a variable: read back, it fills the text in again as it was."""
    text = f"{before}${{NAME:-default}}{after}"
    filled = _fill(text, {"NAME": value}, ROOT)
    assert variables_of(text, filled) == {"NAME": value}


class Engine:
    """Answers as far as Compose's labels are read."""

    def __init__(self, *names: str, networks: dict[str, str] | None = None) -> None:
        self.api = self
        self._names = names
        self._networks = networks or {}

    def containers(self, **_: Any) -> list[dict[str, Any]]:
        """An engine's container of each project."""
        return [{"Labels": {PROJECT: name}} for name in self._names]

    def networks(self, **_: Any) -> list[dict[str, Any]]:
        """Networks with their label."""
        label = "com.docker.compose.network"
        return [{"Name": n, "Labels": {label: key}} for n, key in self._networks.items()]

    def volumes(self, **_: Any) -> dict[str, Any]:
        """None, as the engine reports it."""
        return {"Volumes": None}


def test_the_only_project_is_found_by_itself() -> None:
    """And none is no error: the harness then starts a stack of its own."""
    assert _choose(projects(Engine("defi", "defi")), "") == "defi"
    assert _choose(projects(Engine()), "") is None
    assert _choose(projects(Engine("a", "b")), "b") == "b"


@pytest.mark.parametrize(
    ("found", "name", "message"),
    [
        (("defi",), "dfi", "did you mean defi?"),
        ((), "defi", "docker compose ls"),
        (("defi", "other"), "", "choose one: --compose-project defi"),
    ],
)
def test_a_project_that_is_not_clear_is_a_usage_error(
    found: tuple[str, ...], name: str, message: str
) -> None:
    """With what to do."""
    with pytest.raises(UsageError) as raised:
        _choose(found, name)
    assert message in str(raised.value)
    assert raised.value.where == "--compose-project"


def test_networks_are_known_by_their_keys() -> None:
    """Version 1 labels them with their whole names, later versions with their keys."""
    networks = {"p-sandbox_net": "p-sandbox_net", "p-intelligence_net": "intelligence_net"}
    keys = ("sandbox_net", "intelligence_net", "fortress_net")
    names = engine_names(Engine(networks=networks), "p", keys)
    assert names == {"sandbox_net": "p-sandbox_net", "intelligence_net": "p-intelligence_net"}


def test_variables_of_the_real_files_are_read_from_containers() -> None:
    """Image, environment, command, folder and port; Podman's name of a local image is ours."""
    redis = {
        "Config": {
            "Image": "localhost/signal-harness/redis:offline",
            "Env": ["REDIS_PASSWORD=hush"],
            "Cmd": ["sh", "-c", _redis_command("96mb")],
        },
        "Mounts": [],
        "HostConfig": {"PortBindings": None},
    }
    portal = {
        "Config": {"Image": "node:21", "Env": None, "Cmd": ["node", "/app/portal.js"]},
        "Mounts": [{"Source": "/my/portal", "Destination": "/app", "RW": False}],
        "HostConfig": {"PortBindings": {"443/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18443"}]}},
    }
    found = read_variables(ROOT / "compose", {"redis": redis, "admin-portal": portal})
    assert found == {
        "POSTGRES_PASSWORD": "-",
        "REDIS_PASSWORD": "hush",
        "IMAGE_REDIS": "signal-harness/redis:offline",
        "REDIS_MAXMEMORY": "96mb",
        "IMAGE_PORTAL": "node:21",
        "PORTAL_DIR": "/my/portal",
        "PORTAL_PORT": "18443",
    }


def _redis_command(maxmemory: str) -> str:
    variables = {"REDIS_PASSWORD": "r", "POSTGRES_PASSWORD": "p", "REDIS_MAXMEMORY": maxmemory}
    return read_compose(ROOT / "compose" / "zone-b.yaml", variables).service("redis").command[-1]

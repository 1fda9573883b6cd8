"""An Anvil node for scenarios that simulate in full."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.json_rpc import answers_chain_id
from harness.process.program import Program
from harness.stack.ports import LOOPBACK
from harness.stack.server_user import can_execute

VARIABLE = "HARNESS_ANVIL"
HOW_TO_GET = (
    "run `npm install --global @foundry-rs/anvil` (in a clone of the repository `npm install`), or"
    " put `anvil` on the PATH, "
    f"or set {VARIABLE} to the program; scenarios with signals.full_share = 0 and no [gate]"
    " need none"
)
_ANSWER_MAX_S = 0.5
_SCOPE = "@foundry-rs"


def find_anvil(root: Path, env: Mapping[str, str] = os.environ) -> Path:
    """The Anvil program: from HARNESS_ANVIL, else from the PATH, else from `node_modules`.

    Args:
        root: folder that may have `node_modules`: that of a checkout.
        env: environment variables.

    Raises:
        UsageError: there is none; the hint says how to get it.
    """
    if configured := env.get(VARIABLE):
        path = Path(configured)
        if not can_execute(path):
            raise UsageError(f"{configured} is not a program", where=VARIABLE, hint=HOW_TO_GET)
        return native(path)
    found = shutil.which("anvil", path=env.get("PATH", ""))
    candidates = (Path(found) if found else None, root / "node_modules" / ".bin" / "anvil")
    for candidate in candidates:
        if candidate and can_execute(candidate):
            return native(candidate)
    raise UsageError(
        "the scenario has signals in full or a gate and needs an Anvil node, but none is installed",
        where="anvil",
        hint=HOW_TO_GET,
    )


def native(path: Path) -> Path:
    """The program itself where `path` is npm's starter for it.

    npm's `anvil` is a Node script that starts the real program as a child of its own: killing the
    script would leave the node running.
    """
    script = path.resolve()
    if script.suffix not in {".mjs", ".js", ".cjs"}:
        return script
    scopes = (script.parent.parent, script.parent / "node_modules" / _SCOPE)
    for scope in scopes:
        for binary in sorted(scope.glob("anvil-*/bin/anvil")):
            if can_execute(binary):
                return binary
    return path


class AnvilNode:
    """Anvil on a port of loopback, its files in a private folder.

    Args:
        binary: the program.
        folder: its HOME and TMPDIR, since it leaves files in `~/.foundry`.
        log: file for its messages.
    """

    def __init__(self, binary: Path, folder: Path, log: Path) -> None:
        self.port = 0
        self._binary = binary
        self._folder = folder
        self._log = log

    def program(self, port: int) -> Program:
        """The node, configured for a port."""
        self.port = port
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        argv = (str(self._binary), "--host", LOOPBACK, "--port", str(port), "--silent")
        return Program("anvil", argv, self._folder, self._log)

    @property
    def url(self) -> str:
        """Where it answers JSON-RPC."""
        return f"http://{LOOPBACK}:{self.port}"

    def is_ready(self) -> bool:
        """Whether it answers its chain id."""
        return answers_chain_id(self.url, _ANSWER_MAX_S)

    def describe(self) -> dict[str, Any]:
        """What runs."""
        try:
            answer = subprocess.run(
                [self._binary, "--version"],
                capture_output=True,
                text=True,
                timeout=5,
                env={"HOME": str(self._folder)},
                cwd=self._folder,  # it reads a .env of the current one
            )
            version = answer.stdout.partition("\n")[0].rpartition(" ")[2]
        except (OSError, subprocess.SubprocessError):
            version = ""
        return {"version": version, "binary": str(self._binary), "port": self.port}

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CONTRACTS = Path(__file__).resolve().parents[3] / "compose" / "zone_b" / "contracts"
# A folder with node_modules/solc in it; see contracts/build.mjs.
SOLC = os.environ.get("ZONE_B_SOLC", "")


@pytest.mark.skipif(
    not (SOLC and shutil.which("node") and (Path(SOLC) / "node_modules" / "solc").is_dir()),
    reason="ZONE_B_SOLC names no folder with node_modules/solc, or there is no node",
)
def test_artifact_is_what_the_source_compiles_to() -> None:
    """The stored bytecode is the source's, byte for byte."""
    done = subprocess.run(
        ["node", str(CONTRACTS / "build.mjs"), "--check"],  # noqa: S607 - the node of the PATH
        env={**os.environ, "NODE_PATH": str(Path(SOLC) / "node_modules")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr

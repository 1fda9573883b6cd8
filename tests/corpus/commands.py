"""Real runs for the corpus: started as a user would, and rid of what tells of their host."""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.evidence.group_folder import GroupFolder
from harness.evidence.group_manifest import write_group_manifest
from harness.evidence.manifest import write_manifest
from harness.evidence.run_folder import RunFolder
from tests.stack.running import ROOT

SHORT = Path(__file__).with_name("short.toml")
RUN_MAX_S = 170
_TEXTS = frozenset({".json", ".jsonl", ".toml"})
# Programs of others on the host; their names are nobody's business.
_FOREIGN = re.compile(r"foreign\.((?:[^\".]|\.(?!cpu_cores|blocked_count))+)\.(cpu_cores|blocked)")
_PLACE, _KERNEL = "/opt/harness", "6.1.0"


def harness(
    place: Path,
    *words: str,
    verb: str = "run",
    scenario: Path = SHORT,
    env: Mapping[str, str] | None = None,
) -> Path:
    """Run the harness, and leave its folder without what tells of the host.

    Args:
        place: an empty folder.
        words: options.
        verb: of the command.
        scenario: file of it.
        env: the environment; that of this process if not given.

    Raises:
        RuntimeError: it left no folder with a result.
    """
    command = [sys.executable, "-m", "harness", verb, str(scenario), "--reports", str(place)]
    done = subprocess.run(
        [*command, *words],
        cwd=ROOT,
        env=None if env is None else dict(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUN_MAX_S,
        check=False,
    )
    found = sorted(place.glob("*/result.json"))
    if not found:
        raise RuntimeError(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
    return cleaned(found[-1].parent)


def cleaned(folder: Path) -> Path:
    """Remove paths, processor, kernel and foreign programs of this host; write the manifest."""
    for path in folder.rglob("*"):
        if path.suffix in _TEXTS and path.is_file():
            text = path.read_text("utf-8")
            if (changed := _without_host(path.name, text)) != text:
                path.write_text(changed, "utf-8")
    for plan in sorted(folder.rglob("plan.json")):
        run = RunFolder(plan.parent)
        # Made from the evidence after it was sealed; the archive leaves it out.
        (run.path / "isolation.json").unlink(missing_ok=True)
        if run.seal.exists():
            write_manifest(run)
    group = GroupFolder(folder)
    if group.facts.exists():
        write_group_manifest(group, group.read())
    return folder


def _without_host(name: str, text: str) -> str:
    for place in _places():
        text = text.replace(place, _PLACE)
    text = text.replace(platform.release(), _KERNEL)
    if name == "environment.json":
        document = json.loads(text)
        document["host"] |= {"cpu_model": "made up"}
        text = json.dumps(document, indent=1) + "\n"
    if name == "telemetry.jsonl":
        programs = dict.fromkeys(match[1] for match in _FOREIGN.finditer(text))
        numbers = {program: number for number, program in enumerate(programs, start=1)}
        text = _FOREIGN.sub(lambda m: f"foreign.program-{numbers[m[1]]}.{m[2]}", text)
    return text


def _places() -> Iterator[str]:
    """Where the code and its interpreter lie, the longest first."""
    places: Sequence[Path] = (Path(sys.prefix), Path(sys.prefix).parent, ROOT, Path.home())
    yield from sorted({str(place) for place in places if len(place.parts) > 1}, key=len)[::-1]

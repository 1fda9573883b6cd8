"""Folders of evidence as another party might send them, each made from a healthy run."""

from __future__ import annotations

import base64
import json
import os
import re
import socket
import struct
import zlib
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.evidence.records import ATTEMPT
from harness.evidence.run_folder import RunFolder

Case = Callable[[RunFolder], None]

LINKS = 4_000
_DEEP = 100_000
_SPARSE = 1 << 40
_ESCAPES = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202egnp\r\bx [red]no[/red] ::set-output name=a::b"


def put(path: Path, data: bytes) -> None:
    """Replace a file."""
    path.write_bytes(data)


def edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a stored document."""
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document)
    path.write_text(json.dumps(document), encoding="utf-8")


def _link_to_secret(path: Path) -> None:
    secret = path.parent.parent / "secret.txt"
    secret.write_text("the reader's own file\n", encoding="utf-8")
    path.unlink(missing_ok=True)
    path.symlink_to(secret)


def _planted_links(run: RunFolder) -> None:
    """Drafts had the names of their processes, which can be guessed."""
    victim = run.path.parent / "victim.txt"
    victim.write_text("keep me", encoding="utf-8")
    for number in range(LINKS):
        (run.path / f".result.json.{os.getpid() + number}").symlink_to(victim)


def _fifo(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _socket(path: Path) -> None:
    path.unlink(missing_ok=True)
    here = Path.cwd()
    with socket.socket(socket.AF_UNIX) as server:
        # The name of a socket has 107 bytes at most.
        os.chdir(path.parent)
        try:
            server.bind(path.name)
        finally:
            os.chdir(here)


def _sparse(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(_SPARSE)


def _linked_folder(run: RunFolder) -> None:
    away = run.path.parent / "away"
    run.journal.rename(away)
    run.journal.symlink_to(away)


def payload_of(data: bytes) -> str:
    """Bytes as the payload of a histogram log: V2, compressed, base64."""
    packed = zlib.compress(data)
    return base64.b64encode(struct.pack(">ii", 0x1C849314, len(packed)) + packed).decode()


@cache
def bomb(unpacked: int = 200_000_000) -> str:
    """A histogram that takes a thousand times its size."""
    head = struct.pack(">iiiiqqd", 0x1C849313, unpacked, 0, 3, 1_000, 3_600_000_000_000, 1.0)
    return payload_of(head + bytes(unpacked))


def _hlog_bomb(run: RunFolder) -> None:
    for path in run.histograms.glob("*-latency.hlog"):
        path.write_text(f"Tag=x,0.000,1.000,1.000,{bomb()}\n", encoding="utf-8")


def _histogram_bomb(run: RunFolder) -> None:
    payload = bomb()
    text = run.result.read_text(encoding="utf-8")
    found = re.sub(r'"histogram": "[^"]+"', lambda _: f'"histogram": "{payload}"', text)
    run.result.write_text(found, encoding="utf-8")


def _huge_plan(document: dict[str, Any]) -> None:
    document["load"]["stages"][0] |= {"rate_from": 1e6, "rate_to": 1e6, "duration_s": 6e5}
    document["load"]["repeat"] = 10_000


def _fail_instead(run: RunFolder) -> None:
    def change(document: dict[str, Any]) -> None:
        document |= {"verdict": "FAIL", "exit_code": 1}
        document["judgement"] |= {"verdict": "FAIL", "exit_code": 1}

    edit(run.result, change)


def _escapes_in_events(run: RunFolder) -> None:
    event = {"kind": "swarm_died", "what": _ESCAPES, "mono_ns": 1_001 * 10**9}
    edit(run.run, lambda document: document["events"].append(event))


def _text(name: str, text: str) -> Case:
    return _on(name, lambda path: put(path, text.encode()))


def _raw(name: str, data: bytes) -> Case:
    return _on(name, lambda path: put(path, data))


def _edited(name: str, change: Callable[[dict[str, Any]], Any]) -> Case:
    return _on(name, lambda path: edit(path, change))


def _on(name: str, do: Callable[[Path], None]) -> Case:
    return lambda run: do(run.path / name)


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -ATTEMPT.itemsize // 2])


def _twice(path: Path) -> None:
    path.write_text('{"schema_version":1,' + path.read_text(encoding="utf-8")[1:], encoding="utf-8")


CASES: Mapping[str, Case] = {
    "plan.json links out": _on("plan.json", _link_to_secret),
    "vitals.jsonl links out": _on("vitals.jsonl", _link_to_secret),
    "scenario.toml links out": _on("scenario.toml", _link_to_secret),
    "sightings.bin links out": _on("sightings.bin", _link_to_secret),
    "result.json links out": _on("result.json", _link_to_secret),
    "journal is a link": _linked_folder,
    f"{LINKS} links for drafts": _planted_links,
    "run.json is a pipe": _on("run.json", _fifo),
    "events.jsonl is a pipe": _on("events.jsonl", _fifo),
    "result.json is a pipe": _on("result.json", _fifo),
    "attempts is a pipe": _on("journal/attempts-0.bin", _fifo),
    "an unknown pipe": _on("notes", _fifo),
    "stack.json is a socket": _on("stack.json", _socket),
    "telemetry is a socket": _on("telemetry.jsonl", _socket),
    "run.json of 1 TB": _on("run.json", _sparse),
    "sightings of 1 TB": _on("sightings.bin", _sparse),
    "self-monitoring of 1 TB": _on("vitals.jsonl", _sparse),
    "a line of 64 MB": _text("vitals.jsonl", "x" * (64 << 20)),
    "hlog bomb": _hlog_bomb,
    "bomb in result.json": _histogram_bomb,
    "run.json 100,000 deep": _text("run.json", "[" * _DEEP),
    "result.json 100,000 deep": _text("result.json", '{"a":' * _DEEP),
    "lines 100,000 deep": _text("clock.jsonl", "[" * _DEEP + "\n"),
    "number of 30 digits": _edited("run.json", lambda d: d.update(t0_ns=10**29)),
    "number of 10^6 digits": _text("run.json", '{"schema_version":1,"t0_ns":' + "9" * 10**6 + "}"),
    "NaN": _text("run.json", '{"schema_version":1,"t0_ns":NaN}'),
    "1e999": _text("plan.json", '{"schema_version":1,"seed":1e999}'),
    "negative times": _edited("run.json", lambda d: d.update(t0_ns=-1)),
    "time near 2^63": _edited("plan.json", lambda d: d.update(t0_ns=2**63 - 1)),
    "plan of 10^15 signals": _edited("plan.json", _huge_plan),
    "a key twice": _on("run.json", _twice),
    "NUL bytes": _raw("run.json", b"\0" * 1_000),
    "no UTF-8": _raw("plan.json", b'{"schema_version": "\xff\xfe"}'),
    "wrong types": _text("final.json", '{"postgres": [], "redis": 7}'),
    "record cut short": _on("journal/attempts-0.bin", _cut),
    "verdict edited": _fail_instead,
    "escapes in an event": _escapes_in_events,
}

"""Slow, lossy and narrow links between two network namespaces, without containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from harness.faults.docker.container_inspection import entering_network_of, in_network_of
from harness.faults.docker.link_model import LinkSettings
from harness.faults.docker.link_path import LinkPath
from harness.faults.instance import Probe
from harness.faults.kinds.link_quality import (
    Bandwidth,
    Delay,
    ImpairedLink,
    LinkInjector,
    Loss,
    probe_of,
)
from harness.process.proc import is_running
from harness.stack.settings import ROOT

pytestmark = [
    pytest.mark.stack,
    pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root"),
    pytest.mark.skipif(
        any(shutil.which(name) is None for name in ("ip", "iptables", "nsenter", "unshare")),
        reason="ip, iptables, nsenter and unshare are needed",
    ),
]

UNSHARE = shutil.which("unshare") or ""
PORT = 7000
ADDRESSES = {"here": "10.98.76.1", "there": "10.98.76.2"}
# A service that sends back what it receives; and a client with one connection, until its
# input ends and for ten rounds more.
SERVICE = f"""
import socket, threading
def talk(line):
    while said := line.recv(65536):
        line.sendall(said)
door = socket.create_server(("{ADDRESSES["there"]}", {PORT}))
print("up", flush=True)
while True:
    threading.Thread(target=talk, args=(door.accept()[0],), daemon=True).start()
"""
CLIENT = f"""
import json, select, socket, sys, time
line = socket.create_connection(("{ADDRESSES["there"]}", {PORT}))
line.settimeout(8)
took = []
print("up", flush=True)
last = 10
while last:
    if select.select([sys.stdin], [], [], 0.005)[0]:
        last -= 1
    begun = time.monotonic()
    line.sendall(b"x" * 100)
    left = 100
    while left:
        left -= len(line.recv(left))
    took.append(time.monotonic() - begun)
print(json.dumps(took))
"""
# Starts a relay as the harness does.
OWNER = """
import json, sys
from harness.faults.docker.link_model import LinkSettings
from harness.faults.docker.relay_process import RelayProcess
relay = RelayProcess.start(int(sys.argv[1]), 1, LinkSettings(**json.loads(sys.argv[2])))
print(relay.process.pid, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Ends:
    """Two namespaces joined by a pair of interfaces."""

    pids: dict[str, int]

    def inspect(self, name: str) -> dict[str, Any]:
        """As the engine would tell of a container."""
        return {
            "State": {"Pid": self.pids[name]},
            "NetworkSettings": {"Networks": {"lan": {"IPAddress": ADDRESSES[name]}}},
            "Config": {"Env": [f"DEFI_HTTP_PORT={PORT}"]},
        }

    def injector(self, fault: ImpairedLink) -> LinkInjector:
        """What brings a fault about."""
        where = (self.inspect, "here", "there", fault.direction, "signal-harness-test")
        return LinkInjector(*where, 1, fault.settings)

    def probe(self, fault: ImpairedLink) -> Probe:
        """What proves it."""
        path = LinkPath(self.inspect, "here", "there", "here", "there")
        found = probe_of(fault, path.ping, path.connect)
        assert found is not None
        return found


def start_in(pid: int, program: str) -> subprocess.Popen[str]:
    """A program in a process's network namespace, once it is up."""
    process = subprocess.Popen(
        entering_network_of(pid, sys.executable, "-I", "-S", "-c", program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    return process


def end(process: subprocess.Popen[Any]) -> None:
    """Whatever it does."""
    process.kill()
    process.wait(10)
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def own_network(pid: int) -> bool:
    """Whether a process has left this one's network namespace."""
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


@pytest.fixture(scope="module")
def ends() -> Iterator[Ends]:
    """Both, with the service in one of them."""
    sleepers = {
        name: subprocess.Popen([UNSHARE, "--net", "sleep", "100"], stdin=subprocess.DEVNULL)
        for name in ADDRESSES
    }
    try:
        pids = {name: process.pid for name, process in sleepers.items()}
        assert soon(lambda: all(own_network(pid) for pid in pids.values()))
        pair = ["ip", "link", "add", "lan0", "netns", str(pids["here"]), "type", "veth"]
        subprocess.run(
            [*pair, "peer", "name", "lan0", "netns", str(pids["there"])],
            check=True,
            capture_output=True,
        )
        for name, pid in pids.items():
            for words in (
                ("address", "add", f"{ADDRESSES[name]}/24", "dev", "lan0"),
                ("link", "set", "lan0", "up"),
            ):
                assert in_network_of(pid, "ip", *words) == (0, "")
            # Connections are tracked, as in containers.
            tracked = ("-m", "conntrack", "--ctstate", "INVALID", "-j", "ACCEPT")
            assert in_network_of(pid, "iptables", "-A", "INPUT", *tracked) == (0, "")
        service = start_in(pids["there"], SERVICE)
        yield Ends(pids)
        end(service)
    finally:
        for process in sleepers.values():
            end(process)


def soon(question: Callable[[], object]) -> bool:
    """Whether a condition holds within some seconds."""
    deadline = time.monotonic() + 8
    while not (found := question()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(found)


def rules(ends: Ends) -> str:
    """What the packet filters of both hold of ours."""
    found = [in_network_of(pid, "iptables-save")[1] for pid in ends.pids.values()]
    return "\n".join(line for text in found for line in text.splitlines() if "harness" in line)


FAULTS: tuple[ImpairedLink, ...] = (
    Delay(kind="delay", target="a", peer="b", at_s=(0,), for_s=2, delay_ms=30, jitter_ms=10),
    Delay(
        kind="delay", target="a", peer="b", at_s=(0,), for_s=2, delay_ms=30, direction="from_peer"
    ),
    Loss(kind="loss", target="a", peer="b", at_s=(0,), for_s=2, loss_share=0.2),
    Bandwidth(kind="bandwidth", target="a", peer="b", at_s=(0,), for_s=2, kbit_s=400),
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.kind}-{fault.direction}")
def test_a_link_is_spoiled_and_healed_and_connections_live_on(
    fault: ImpairedLink, ends: Ends
) -> None:
    """The one that was there before feels it too."""
    probe, injector = ends.probe(fault), ends.injector(fault)
    probe.before()
    assert probe.holds() == ""
    client = start_in(ends.pids["here"], CLIENT)
    try:
        try:
            injector.inject()
            assert soon(probe.holds)
            assert probe.holds()
            assert probe.ended() == ""
        finally:
            injector.heal()
        assert soon(probe.ended)
        assert probe.holds() == ""
        assert rules(ends) == ""
        said, _ = client.communicate(timeout=10)
    finally:
        end(client)
    took = json.loads(said)
    assert took[-1] < 0.1  # of which the first may wait for what was lost
    if isinstance(fault, Delay):
        least = (fault.delay_ms - fault.jitter_ms) / 1_000 * fault.directions
        assert max(took) > least


def test_a_relay_that_is_killed_leaves_a_link_that_works(ends: Ends) -> None:
    """Its rules stay until the injector takes them away, and do nothing."""
    fault = FAULTS[0]
    probe, injector = ends.probe(fault), ends.injector(fault)
    probe.before()
    try:
        injector.inject()
        assert soon(probe.holds)
        for relay in injector._relays:
            relay.process.kill()
        assert soon(probe.ended)
        assert "NFQUEUE" in rules(ends)
    finally:
        injector.heal()
    assert rules(ends) == ""


def test_a_harness_that_is_killed_leaves_a_link_that_works(ends: Ends) -> None:
    """Its relay dies with it."""
    fault = FAULTS[1]
    probe, injector = ends.probe(fault), ends.injector(fault)
    probe.before()
    owner = subprocess.Popen(
        [
            sys.executable,
            "-c",
            OWNER,
            str(ends.pids["here"]),
            json.dumps(asdict(injector.settings)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert owner.stdout is not None
        relay = int(owner.stdout.readline())
        injector.start = Mock()  # the rules alone
        injector.inject()
        assert soon(probe.holds)
        owner.kill()
        assert soon(lambda: not is_running(relay))
        assert soon(probe.ended)
    finally:
        end(owner)
        injector.heal()


def test_what_does_nothing_is_not_seen(ends: Ends) -> None:
    """A relay that only passes packets on; and one that nobody sends any to."""
    fault = FAULTS[0]
    probe, idle = ends.probe(fault), ends.injector(fault)
    idle.settings = LinkSettings()
    astray = ends.injector(fault)
    astray.inspect = lambda name: _elsewhere(ends.inspect(name))
    probe.before()
    for injector in (idle, astray):
        try:
            injector.inject()
            assert probe.holds() == ""
        finally:
            injector.heal()
    assert probe.ended()


def _elsewhere(document: dict[str, Any]) -> dict[str, Any]:
    document["NetworkSettings"]["Networks"]["lan"]["IPAddress"] = "192.0.2.1"
    return document

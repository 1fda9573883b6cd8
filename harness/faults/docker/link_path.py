"""The way from inside one container to another, tried from outside of both services."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from harness.errors import StackError
from harness.faults.docker.container_inspection import in_network_of
from harness.faults.docker.container_network import Inspect, container_network_of, shared_addresses
from harness.faults.docker.icmp_probe import PingResult, PingTrain, parse_ping_result

CONNECTED, TIMEOUT = "connected", "timeout"
_ICMP_PROBE = Path(__file__).with_name("icmp_probe.py")
# Prints how a connection attempt ended.
_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), 1).close()
    print("connected")
except TimeoutError:
    print("timeout")
except OSError as error:
    print(error.strerror)
"""


@dataclass(frozen=True)
class LinkPath:
    """From one container to the other; names of containers, and of their services."""

    inspect: Inspect
    name: str
    peer: str
    service: str
    peer_service: str

    def connect(self) -> str:
        """How a connection to the peer's own port ends: CONNECTED, TIMEOUT, or a message."""
        try:
            pid, address, port = self._ends()
        except StackError as error:
            return error.what
        if not port:
            return "its port is not known"
        # The host's own interpreter: a service's image need not have one.
        argv = (sys.executable, "-I", "-S", "-c", _CONNECT, address, str(port))
        _, output = in_network_of(pid, *argv)
        return output.strip()

    def ping(self, train: PingTrain) -> PingResult:
        """The outcome of echo requests, which the peer's kernel answers.

        Raises:
            StackError: they cannot be sent.
        """
        pid, address, _ = self._ends()
        arguments = (address, json.dumps(train.as_dict()))
        program = (sys.executable, "-I", "-S", str(_ICMP_PROBE))
        code, output = in_network_of(pid, *program, *arguments)
        if code != 0:
            raise StackError(f"cannot be sent: {output.strip()}", where="echo requests")
        return parse_ping_result(output)

    def _ends(self) -> tuple[int, str, int]:
        own, other = (
            container_network_of(self.inspect(self.name)),
            container_network_of(self.inspect(self.peer)),
        )
        addresses = shared_addresses(own, other)
        if not own.pid or not other.pid or not addresses:
            raise StackError("one of them does not run", where="link")
        return own.pid, addresses[0][1], other.port_of(self.peer_service)

"""The harness with a partition whose rules lie on an address that nobody has."""

from __future__ import annotations

from typing import Any

from harness.cli import main
from harness.faults.docker.container_network import Inspect
from harness.faults.kinds.partition import PartitionInjector

NOBODY = "192.0.2.1"  # set aside for examples
_inject = PartitionInjector.inject


def astray(true: Inspect) -> Inspect:
    """Tells of every container that it is somewhere else."""

    def wrong(name: str) -> dict[str, Any]:
        document = true(name)
        for network in document["NetworkSettings"]["Networks"].values():
            network["IPAddress"] = NOBODY
        return document

    return wrong


def inject_astray(injector: PartitionInjector) -> None:
    """As it does, but for the address."""
    injector.inspect = astray(injector.inspect)
    _inject(injector)


if __name__ == "__main__":
    PartitionInjector.inject = inject_astray  # type: ignore[method-assign,assignment]  # broken on purpose
    main()

"""Faults of the link between two services, as frozen values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from harness.scenario.fault_base import FaultBase, Length, Name

LINK_KINDS = frozenset({"partition", "delay", "loss", "bandwidth"})
# A look at a link takes up to two seconds; what lasts less long could not be proven.
_Length = Annotated[float, Field(ge=2, le=86_400)]


class LinkFault(FaultBase):
    """What is done to packets between two services.

    Attributes:
        peer: the other service.
        direction: `both`, or only packets `to_peer` or `from_peer`.
    """

    peer: Name
    direction: Literal["both", "to_peer", "from_peer"] = "both"

    @property
    def directions(self) -> int:
        """How many: what is done to both is met twice by who waits for an answer."""
        return 2 if self.direction == "both" else 1


class Partition(LinkFault):
    """All of them are dropped for `for_s`."""

    kind: Literal["partition"]
    for_s: Length


class Delay(LinkFault):
    """Each comes later for `for_s`; their order stays.

    Attributes:
        delay_ms: by so much in each direction concerned.
        jitter_ms: more or less by up to so much, evenly spread.
    """

    kind: Literal["delay"]
    delay_ms: Annotated[float, Field(ge=1, le=500)]
    jitter_ms: Annotated[float, Field(ge=0, le=500)] = 0.0
    for_s: _Length

    @model_validator(mode="after")
    def _no_packet_comes_early(self) -> Delay:
        if self.jitter_ms > self.delay_ms:
            raise ValueError("jitter_ms is more than delay_ms: no packet can come early")
        return self


class Loss(LinkFault):
    """Some are lost for `for_s`, each with the same chance.

    Attributes:
        loss_share: how many of them in each direction concerned, 0..1.
    """

    kind: Literal["loss"]
    loss_share: Annotated[float, Field(ge=0.02, le=0.9)]
    for_s: _Length


class Bandwidth(LinkFault):
    """They follow each other no faster for `for_s`; what would wait too long is dropped.

    Attributes:
        kbit_s: thousands of bits a second in each direction concerned, headers included.
    """

    kind: Literal["bandwidth"]
    kbit_s: Annotated[int, Field(ge=64, le=100_000)]
    for_s: _Length

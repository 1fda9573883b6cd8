"""A gate under load: fuzzed EVM rounds during the load, as frozen values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from harness.clock import NS_PER_S

GateKind = Literal["gas", "liquidity", "price", "rpc_timeout", "nonce", "reorg"]
KINDS: tuple[GateKind, ...] = ("gas", "liquidity", "price", "rpc_timeout", "nonce", "reorg")
ROUNDS_MAX = 100_000
_Weight = Annotated[int, Field(ge=0, le=1_000)]


class Weights(BaseModel):
    """Relative frequency of each kind of round; 0 for never."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    gas: _Weight = 1
    liquidity: _Weight = 1
    price: _Weight = 1
    rpc_timeout: _Weight = 1
    nonce: _Weight = 1
    reorg: _Weight = 1

    @model_validator(mode="after")
    def _has_a_kind(self) -> Weights:
        if not any(self.by_kind().values()):
            raise ValueError("every weight is 0: there would be no round")
        return self

    def by_kind(self) -> dict[GateKind, int]:
        """The weights in the order of the kinds."""
        return {kind: getattr(self, kind) for kind in KINDS}


class Gate(BaseModel):
    """The G4 gate: rounds on an Anvil node of its own, during the load.

    Attributes:
        rounds: number of rounds.
        at_s: start of the node, seconds after the start of the measured phase.
        timeout_s: longest time until the node is released, in seconds.
        rate: rounds per second at most, at equal distances.
        weights: of the kinds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    rounds: Annotated[int, Field(ge=1, le=ROUNDS_MAX)] = 1_000
    at_s: Annotated[float, Field(ge=0, le=7 * 86_400)] = 5.0
    timeout_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    rate: Annotated[float, Field(gt=0, le=1_000)] = 5.0
    weights: Weights = Weights()

    @model_validator(mode="after")
    def _time_is_enough(self) -> Gate:
        if self.rounds / self.rate >= self.timeout_s:
            raise ValueError(
                f"{self.rounds} rounds at {self.rate:g}/s take {self.rounds / self.rate:g} s,"
                f" and timeout_s is {self.timeout_s:g}"
            )
        return self

    @property
    def at_ns(self) -> int:
        """Start of the node, after the start of the measured phase."""
        return round(self.at_s * NS_PER_S)

    @property
    def timeout_ns(self) -> int:
        """Longest time until the node is released."""
        return round(self.timeout_s * NS_PER_S)

    @property
    def every_ns(self) -> int:
        """Time from one round's due time to the next."""
        return round(NS_PER_S / self.rate)

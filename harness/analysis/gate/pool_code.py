"""Code at the pool's address: the compiled contract, or a wrapper that burns gas around it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

POOL = "0x" + "a1" * 20
# Address of the contract while the wrapper has the pool's address.
CONTRACT = "0x" + "c3" * 20
# Gas of one iteration of the wrapper's loop, and of the rest of the wrapper.
BURN_GAS = 26
SHELL_GAS = 7
_ARTIFACT = Path("compose", "zone_b", "contracts", "ReferencePool.json")
_WORD = 32


@dataclass(frozen=True, slots=True)
class PoolCode:
    """The contract, compiled.

    Attributes:
        code: deployed bytecode, hex.
        swap, rehearse: function selectors, hex.
    """

    code: str
    swap: str
    rehearse: str

    @classmethod
    def read(cls, root: Path) -> PoolCode:
        """Read the artifact below the folder that holds `compose/`.

        Raises:
            OSError, ValueError, KeyError: it is missing, or is no such artifact.
        """
        document = json.loads((root / _ARTIFACT).read_text(encoding="utf-8"))
        return cls(
            code=document["deployed_bytecode"],
            swap=document["selectors"]["swap(uint256,uint256)"],
            rehearse=document["selectors"]["rehearse(uint256)"],
        )

    def swap_data(self, amount_in: int, least_out: int) -> str:
        """Calldata of a swap."""
        return f"0x{self.swap}{amount_in:064x}{least_out:064x}"

    def rehearse_data(self, amount_in: int) -> str:
        """Calldata of a rehearsal."""
        return f"0x{self.rehearse}{amount_in:064x}"


def gas_burnt(burn: int) -> int:
    """Gas that the wrapper adds to that of a rehearsal."""
    return SHELL_GAS + BURN_GAS * burn if burn else 0


def shell(burn: int) -> str:
    """A wrapper that delegates to the contract at `CONTRACT`, then burns gas.

    It adds the gas to the fourth 32-byte value of the answer, which is the gas of the swap by
    `rehearse`. Assembled by hand, because a compiler does not give exact gas.

    Args:
        burn: iterations of the loop, 1 to 2^24 - 1.
    """
    code = (
        "366000600037",  # calldatacopy(0, 0, calldatasize)
        # delegatecall(gas, CONTRACT, 0, calldatasize, 0, 128)
        f"6080600036600073{CONTRACT[2:]}5af4",
        "15604657",  # if it failed: to 0x46
        f"5a62{burn:06x}",  # gas before, iterations
        "5b6001900380602d57",  # from 0x2d: decrement, repeat until it is 0
        "505a9003",  # gas before - gas now
        "60605101606052",  # mem[96] += that
        "60806000f3",  # return(0, 128)
        "5b3d600060003e3d6000fd",  # 0x46: revert with its data
    )
    return "".join(code)

"""What lies at the pool's address: the compiled contract, or a shell around it that burns gas."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

POOL = "0x" + "a1" * 20
# Where the contract itself lies while the shell stands in its place.
CONTRACT = "0x" + "c3" * 20
# What one turn of the shell's loop uses, and what it measures beside the loop.
BURN_GAS = 26
SHELL_GAS = 7
_ARTIFACT = Path("compose", "zone_b", "contracts", "ReferencePool.json")
_WORD = 32


@dataclass(frozen=True, slots=True)
class PoolCode:
    """The contract, compiled.

    Attributes:
        code: what lies at its address, as hex.
        swap, rehearse: selectors, as hex.
    """

    code: str
    swap: str
    rehearse: str

    @classmethod
    def read(cls, root: Path) -> PoolCode:
        """As it is stored in the repository.

        Raises:
            OSError, ValueError, KeyError: it is not there, or is another document.
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
    """What the shell adds to the gas that a rehearsal tells."""
    return SHELL_GAS + BURN_GAS * burn if burn else 0


def shell(burn: int) -> str:
    """Code that lets the contract at `CONTRACT` answer on the pool's own storage, then burns gas.

    The gas is added to the fourth word of the answer, which is what `rehearse` says that the swap
    used. By hand, since a compiler would count gas in its own way.

    Args:
        burn: turns of the loop, 1 to 2^24 - 1.
    """
    code = (
        "366000600037",  # calldatacopy(0, 0, calldatasize)
        # delegatecall(gas, CONTRACT, 0, calldatasize, 0, 128)
        f"6080600036600073{CONTRACT[2:]}5af4",
        "15604657",  # if it failed: to 0x46
        f"5a62{burn:06x}",  # gas before, turns
        "5b6001900380602d57",  # from 0x2d: one turn less, again unless that is 0
        "505a9003",  # gas before - gas now
        "60605101606052",  # mem[96] += that
        "60806000f3",  # return(0, 128)
        "5b3d600060003e3d6000fd",  # 0x46: revert with what it said
    )
    return "".join(code)

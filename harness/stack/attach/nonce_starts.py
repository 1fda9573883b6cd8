"""Where the nonces of a run begin, read before its load."""

from __future__ import annotations

import psycopg

from harness.contract.address import HOT_ADDRESS, AddressBook
from harness.contract.names import Contract
from harness.errors import StackError, UsageError
from harness.observe.connection import connect
from harness.observe.final_state import read_nonces
from harness.scenario import Redis, Scenario


def nonce_starts(
    conninfo: str, contract: Contract, scenario: Scenario, run_tag: int
) -> dict[int, int]:
    """The first nonce of each address that the run signs with, by its index.

    What the contract gives for an address counts most, then what the nonce table holds, then
    `nonce_first`.

    Raises:
        StackError: the table cannot be read.
    """
    hot = scenario.signals.addresses == "hot"
    book = AddressBook(run_tag, contract.addresses, hot=hot)
    indexes = [*range(scenario.load.agents_max), *([HOT_ADDRESS] if hot else [])]
    stored = _stored_nonces(conninfo, contract, scenario.signals.chain_id, run_tag)
    given = {text.lower(): nonce for text, nonce in contract.nonce_starts.items()}
    starts = {}
    for index in indexes:
        text = book.text(index).lower()
        starts[index] = given.get(text, stored.get(text, contract.nonce_first))
    return starts


def check_scenario(contract: Contract, scenario: Scenario) -> None:
    """That the system can be asked this question.

    Raises:
        UsageError: it has too few addresses, or no chain for stale signals; or the question is
            about servers that are started for it.
    """
    if scenario.redis != Redis() or scenario.chain.nodes:
        raise UsageError(
            "Redis and RPC nodes can be set up only where they are started",
            where="redis, chain.nodes",
            hint="a contract file says how long agents keep their stream",
        )
    signals = scenario.signals
    hot = signals.addresses == "hot"
    own = 0 if hot and signals.hot_share >= 1 else scenario.load.agents_max
    needed = own + hot
    if contract.addresses and len(contract.addresses) < needed:
        raise UsageError(
            f"{needed} addresses are needed, the contract lists {len(contract.addresses)}",
            where="addresses",
            hint="list more, ask for fewer agents, or --set signals.addresses=hot",
        )
    if signals.stale_share > 0 and contract.streams.chain_events is None:
        raise UsageError(
            "stale signals need a chain, and the contract names no stream of its events",
            where="signals.stale_share",
            hint="name streams.chain_events, or set signals.stale_share to 0",
        )


def _stored_nonces(
    conninfo: str, contract: Contract, chain_id: int, run_tag: int
) -> dict[str, int]:
    if contract.nonces is None:
        return {}
    try:
        with connect(conninfo, application_name="harness_starts") as connection:
            rows = read_nonces(connection, contract, run_tag) or []
    except psycopg.Error as error:
        raise StackError(
            f"the nonces cannot be read: {str(error).strip()}", where=contract.nonces.table
        ) from error
    return {
        row["address"].lower(): row["nonce"] for row in rows if row["chain_id"] in (chain_id, None)
    }

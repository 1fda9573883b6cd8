"""Whether the nonce table knows the addresses that a run will sign with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from psycopg import Connection, sql

from harness.contract.names import NonceTable
from harness.observe.final_state import read_nonces
from harness.observe.rows import table_name
from harness.scenario import Scenario
from harness.stack.attach.check import PreflightCheck, Problem, check_from, suggest
from harness.stack.attach.contract_file import AttachFile
from harness.stack.attach.relations import Relation
from harness.stack.attach.value_checks import address_problems

_NAMED_MAX = 5
_KNOWN_MAX = 1_000


def address_check(
    connection: Connection[Any], file: AttachFile, scenario: Scenario | None, relation: Relation
) -> PreflightCheck:
    """That each address has a first nonce, and one only.

    Args:
        connection: to the server.
        file: the contract.
        scenario: how many addresses sign; None: all that the contract lists.
        relation: the nonce table, which is readable.
    """
    contract = file.contract()
    nonces = contract.nonces
    if nonces is None or not contract.addresses:
        name = nonces.address if nonces else ""
        found = list(address_problems(connection, relation, name))
        return check_from("nonces.addresses", found, "each run makes addresses of its own")
    chain_id = scenario.signals.chain_id if scenario else None
    rows = Counter(
        row["address"].lower()
        for row in read_nonces(connection, contract, 0) or ()
        if chain_id is None or row["chain_id"] in (chain_id, None)
    )
    signing = _signing(contract.addresses, scenario)
    given = {text.lower() for text in contract.nonce_starts}
    absent = [text for text in signing if text.lower() not in rows.keys() | given]
    problems = []
    if absent and "nonce_first" not in file.model_fields_set:
        problems.append(_absent(connection, nonces, absent))
    twice = [text for text in signing if rows[text.lower()] > 1]
    if twice and nonces.chain_id is None:
        problems.append(
            Problem(
                f"nonces.chain_id: {relation.text} has several rows for {_some(twice)}",
                "name the column that distinguishes them: nonces.chain_id = '...'",
            )
        )
    fine = f"{relation.text} has the first nonce of {len(signing) - len(absent)} addresses"
    return check_from("nonces.addresses", problems, fine)


def _signing(addresses: Sequence[str], scenario: Scenario | None) -> tuple[str, ...]:
    """Those that sign: one an agent, and the last one if it is hot."""
    if scenario is None:
        return tuple(addresses)
    hot = scenario.signals.addresses == "hot"
    own = 0 if hot and scenario.signals.hot_share >= 1 else scenario.load.agents_max
    return tuple(dict.fromkeys([*addresses[:own], *(addresses[-1:] if hot else ())]))


def _absent(connection: Connection[Any], nonces: NonceTable, absent: list[str]) -> Problem:
    query = sql.SQL("SELECT {}::text FROM {} LIMIT {}").format(
        sql.Identifier(nonces.address), table_name(nonces.table), sql.Literal(_KNOWN_MAX)
    )
    known = [text for (text,) in connection.execute(query).fetchall() if text]
    return Problem(
        f"addresses: {nonces.table} has no row for {_some(absent)}",
        "; ".join(
            filter(
                None,
                (
                    suggest(absent[0], known),
                    "list addresses as the table writes them, give each in [nonce_starts],"
                    " or say with nonce_first where those without a row begin",
                ),
            )
        ),
    )


def _some(texts: list[str]) -> str:
    more = f" and {len(texts) - _NAMED_MAX} more" if len(texts) > _NAMED_MAX else ""
    return ", ".join(texts[:_NAMED_MAX]) + more

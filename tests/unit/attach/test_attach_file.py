"""The contract file: every problem at once, no secret in it, and no load into production."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from psycopg.conninfo import conninfo_to_dict

from harness.cli.stack_choice import StackChoice, StackKind
from harness.contract.chain_feed import ChainFeed
from harness.contract.names import Contract, Streams
from harness.contract.observation import ObservationMethod, ObservationSettings
from harness.errors import UsageError
from harness.scenario import Chain, Redis, Scenario
from harness.stack.attach.contract_file import AttachFile, load_attach_file
from harness.stack.attach.nonce_starts import check_scenario
from harness.stack.attach.production import refuse_production, required_phrase
from tests.unit.fakes import SCENARIO
from tests.unit.load.foreign_messages import descriptor_set

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = ROOT / "examples" / "foreign" / "desk.toml"
LEAST: dict[str, Any] = {
    "schema_version": 1,
    "name": "least",
    "redis": {"url": "redis://cache.example:6379/2"},
    "postgres": {"url": "postgresql://db.example/trades?sslmode=require"},
}

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a contract file: the least one, with changes."""

    def make(**changes: Any) -> Path:
        path = tmp_path / "contract.toml"
        path.write_text(tomli_w.dumps({**LEAST, **changes}), encoding="utf-8")
        return path

    return make


def refused(path: Path) -> str:
    """The message about a file that is refused."""
    with pytest.raises(UsageError) as caught:
        load_attach_file(path)
    assert caught.value.where == str(path)
    assert "docs/attach.md" in caught.value.hint
    return str(caught.value)


def test_the_least_contract_has_our_names(write: Write) -> None:
    """Two addresses are enough for whoever keeps to them; chain events are only read."""
    file = load_attach_file(write())
    contract = file.contract()
    expected = Contract(
        seen=ObservationSettings(way=ObservationMethod.POLLING), chain=ChainFeed(follow="read")
    )
    assert contract == expected
    assert contract.seen.way is ObservationMethod.POLLING
    assert Contract.model_validate_json(contract.model_dump_json()) == contract


def test_the_example_shares_no_name_with_ours() -> None:
    """Otherwise it would show nothing."""
    ours, theirs = Contract(), load_attach_file(EXAMPLE).contract()
    assert theirs.ledger is not None
    assert ours.ledger is not None
    assert theirs.nonces is not None
    assert ours.nonces is not None
    pairs = [
        (ours.streams.proposals, theirs.streams.proposals),
        (ours.streams.field, theirs.streams.field),
        (ours.tasks.table, theirs.tasks.table),
        (ours.tasks.trace_id, theirs.tasks.trace_id),
        (ours.nonces.table, theirs.nonces.table),
        (ours.ledger.table, theirs.ledger.table),
    ]
    assert all(own != foreign for own, foreign in pairs)
    assert not ours.states.keys() & theirs.states.keys()
    assert theirs.streams.accounting is None


def test_every_problem_is_reported_at_once(write: Write) -> None:
    """With its place in the file."""
    message = refused(
        write(
            name="Least",
            redis={"url": "http://x", "pasword_env": "A"},
            streams={"proposals_maxlen": 0},
            tasks={"tabel": "t"},
            states={"DONE": "FINISHED"},
            seen={"way": "telepathy"},
        )
    )
    places = (
        *("name:", "redis.url:", "redis.pasword_env: unknown key", "streams.proposals_maxlen"),
        *("tasks.tabel: unknown key", "states.DONE: no state 'FINISHED'", "seen.way"),
    )
    for place in places:
        assert place in message
    assert message.startswith(f"{message.split(':')[0]}: 7 problems")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"redis": {"url": "redis+cluster://a:1,b:x"}}, "port that is not 1 to 65535"),
        ({"redis": {"url": "redis+cluster://a:1,b:2/3"}}, "its database is not 0"),
        ({"redis": {"url": "redis+cluster://a,b?ca=/x"}}, "write rediss:// for it"),
        ({"redis": {"url": "redis+sentinel://a,b"}}, "names no service"),
        ({"redis": {"url": "redis+sentinel://a,b/s/x"}}, "its database is no number"),
        ({"postgres": {"url": "postgresql:///x"}}, "names no host"),
        ({"postgres": {"url": "host=a port=b c"}}, "write postgresql://host:port/database"),
        ({"states": {"QUEUED": "INIT"}}, "no status of yours stands for SIMULATED"),
        ({"addresses": ["0xA", "0xa"]}, "addresses: one stands there twice"),
        ({"seen": {"way": "logical"}}, "needs the name of a publication"),
        ({"tasks": {"kept": "until_final"}}, "a poll does not see rows that are deleted"),
        ({"tasks": {"trace_prefix": "ord-"}}, "need trace_type = 'text'"),
        ({"nonces": {"taken_at": "never"}}, "nonces.taken_at"),
        ({"ledger": {"entries": "two"}}, "entries"),
        ({"ledger": {"decimals": -1}}, "decimals"),
        ({"seen": {"way": "logical"}, "publication": "p"}, "seen.allow_slot = true"),
        ({"seen": {"way": "notification"}}, "needs seen.channel"),
        ({"seen": {"way": "stream", "stream": "s", "format": "text"}}, "needs seen.stream"),
        ({"ledger": {"form": "heap"}}, "form is movements or sides"),
        ({"tasks": {"table": "db.desk.jobs"}}, "tasks.table: 'db.desk.jobs' is no table's name"),
        ({"ledger": {"accounts": '"desk'}}, "ledger.accounts: '\"desk' is no table's name"),
        ({"tasks": {"nonce": 7}}, "tasks.nonce"),
        (
            {"grade": {"generator_apart": True}, "redis": {"url": "redis://127.0.0.1/0"}},
            "127.0.0.1 is this very host",
        ),
    ],
)
def test_contracts_that_cannot_be_are_refused(
    changes: dict[str, Any], message: str, write: Write
) -> None:
    """Before anything is connected to."""
    assert message in refused(write(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"redis": {"url": "redis://:hunter2@a:1/0"}},
        {"redis": {"url": "redis://a:1/0?password=hunter2"}},
        {"postgres": {"url": "postgresql://u:hunter2@a/b"}},
        {"postgres": {"url": "host=a dbname=b password=hunter2"}},
    ],
)
def test_passwords_do_not_belong_into_the_file(changes: dict[str, Any], write: Write) -> None:
    """The error says where they belong, and does not repeat them."""
    message = refused(write(**changes))
    assert 'password_env = "NAME"' in message
    assert "hunter2" not in message


def test_credentials_come_from_the_environment(write: Write) -> None:
    """Whatever is in them; and what runs on PostgreSQL cannot write."""
    env = {"U": "us er", "P": "a/b@c 'd"}
    names = {"user_env": "U", "password_env": "P"}
    file = load_attach_file(
        write(redis={**LEAST["redis"], **names}, postgres={**LEAST["postgres"], **names})
    )
    url = file.redis.secret_url(env).get_secret_value()
    assert url == "redis://us%20er:a%2Fb%40c%20%27d@cache.example:6379/2"
    parts = conninfo_to_dict(file.postgres.secret_conninfo(env).get_secret_value())
    assert (parts["user"], parts["password"]) == (env["U"], env["P"])
    assert (parts["host"], parts["sslmode"]) == ("db.example", "require")
    assert "default_transaction_read_only=on" in str(parts["options"])
    with pytest.raises(UsageError, match="P not set in the environment"):
        file.redis.secret_url({"U": "x"})


@pytest.mark.parametrize("server", ["redis", "postgres"])
def test_a_password_that_is_no_utf_8_is_refused_and_not_quoted(server: str, write: Write) -> None:
    """Python reads a Latin-1 variable as lone surrogates, which cannot be encoded."""
    secret = b"geh\xe9im".decode("utf-8", "surrogateescape")
    file = load_attach_file(write(**{server: {**LEAST[server], "password_env": "THE_PASSWORD"}}))
    env = {"THE_PASSWORD": secret}
    with pytest.raises(UsageError, match="THE_PASSWORD not UTF-8") as caught:
        (file.redis.secret_url if server == "redis" else file.postgres.secret_conninfo)(env)
    assert caught.value.hint
    assert "im" not in repr(caught.value).replace("import", "")
    assert caught.value.__cause__ is None


def test_descriptor_sets_are_read(write: Write, tmp_path: Path) -> None:
    """The plan holds the set itself: a folder of evidence stands alone."""
    (tmp_path / "orders.pb").write_bytes(descriptor_set())
    codec = {
        "kind": "protobuf",
        "descriptors": "orders.pb",
        "message": "desk.v1.Order",
        "values": {"head.ref": "{trace_id}"},
    }
    contract = load_attach_file(write(codec=codec)).contract()
    assert Contract.model_validate_json(contract.model_dump_json()) == contract
    with pytest.raises(UsageError, match=r"nowhere\.pb: cannot be read"):
        load_attach_file(write(codec={**codec, "descriptors": "nowhere.pb"}))


@pytest.mark.parametrize(
    "changes",
    [
        {"prefix": "prod:"},
        {"prefix": "PRODUCTION/"},
        {"streams": {"proposals": "live.orders"}},
        {"redis": {"url": "redis://redis.prod.example/0"}},
        {"postgres": {"url": "postgresql://db.example/trades-prd"}},
    ],
)
def test_production_is_refused_without_the_exact_words(
    changes: dict[str, Any], write: Write
) -> None:
    """The error names the sentence that is needed; nothing near it is accepted."""
    file = load_attach_file(write(**changes))
    expected = required_phrase(file)
    assert file.redis.place in expected
    for message in (None, "", "yes", expected.upper(), expected + " "):
        with pytest.raises(UsageError) as caught:
            refuse_production(file, message)
        assert f"--accept-production {expected!r}" in caught.value.hint
    refuse_production(file, expected)


def test_what_is_not_production_needs_no_sentence(write: Write) -> None:
    """And a sentence for another system is an error. `product` is no production."""
    file = load_attach_file(write(prefix="product:", streams={"proposals": "delivery"}))
    refuse_production(file, None)
    with pytest.raises(UsageError, match="does not name this system"):
        refuse_production(file, "send load to prod: at cache.example:6379")


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        (StackKind.ATTACH, {}, "needs a contract file"),
        (StackKind.PROCESS, {"contract_file": EXAMPLE}, "a system that already runs"),
        (StackKind.ATTACH, {"contract_file": EXAMPLE, "agents": 3}, "has its own images"),
    ],
)
def test_options_that_do_not_fit(kind: StackKind, changes: dict[str, Any], message: str) -> None:
    """An option that would be ignored is refused."""
    choice = StackChoice(
        **{"kind": kind, "image_set": "", "images": (), "agents": 0, "ports": {}, **changes}
    )
    with pytest.raises(UsageError, match=message):
        choice.attached()


def asking(**signals: Any) -> Scenario:
    """A question of two agents."""
    document = SCENARIO.model_dump()
    return Scenario.model_validate({**document, "signals": {**document["signals"], **signals}})


def test_a_system_must_have_what_a_question_needs() -> None:
    """Enough addresses, and a chain for stale signals."""
    one = Contract(addresses=("w-1",))
    with pytest.raises(UsageError, match="2 addresses are needed, the contract lists 1"):
        check_scenario(one, asking())
    check_scenario(one, asking(addresses="hot"))
    with pytest.raises(UsageError, match="3 addresses are needed"):
        check_scenario(one, asking(addresses="hot", hot_share=0.5))
    with pytest.raises(UsageError, match="stale signals need a chain"):
        check_scenario(Contract(streams=Streams(chain_events=None)), asking(stale_share=0.1))


@pytest.mark.parametrize("change", [{"redis": Redis(maxmemory_mb=64)}, {"chain": Chain(nodes=2)}])
def test_a_system_that_runs_keeps_its_servers(change: dict[str, Any]) -> None:
    """What can be set up only where it is started is refused, not ignored."""
    with pytest.raises(UsageError, match="only where they are started"):
        check_scenario(Contract(), asking().model_copy(update=change))


def test_the_example_is_read_as_it_is_documented() -> None:
    """What stands in docs/attach.md as a whole contract can be loaded."""
    text = (ROOT / "docs" / "attach.md").read_text(encoding="utf-8")
    block = text.split("```toml\n")[1].split("```")[0]
    AttachFile.model_validate({**tomllib.loads(block)})

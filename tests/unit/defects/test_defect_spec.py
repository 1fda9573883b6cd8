"""What may be asked for, and the error of a wrong request."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from harness.cli.overrides import as_overrides
from harness.errors import UsageError
from harness.scenario import Chain, load_scenario
from harness.stack.defect_catalogue import WHEN, check_defects, defects_of, read_catalogue
from harness.stack.process.services import Wiring, reference_services, rpc_nodes
from harness.stack.settings import ROOT, RPC_PRIMARY, StackSettings
from tests.studies.matrix.rows import ROWS
from zone_b.defects.defect import Defect
from zone_b.defects.install import DEFECTS
from zone_b.defects.node import SLOW_RPC
from zone_b.defects.spec import When, read_defects
from zone_b.settings import SettingsError, read_settings

ENGINE = "engine"
_PORTS = ("data-processor", "engine", "chain-adapter")
SMOKE = ROOT / "scenarios" / "smoke.toml"

WRONG = {
    "stuck_row": "stuck_row needs a trigger",
    "stuck_row:seed=1": "stuck_row needs a trigger",
    "stuck_row:rate=much": "rate must be a number",
    "stuck_row:rate=1.5": "at most 1",
    "stuck_row:rate=-1": "rate must be a number of at least 0",
    "stuck_row:rate=nan": "rate must be a number",
    "stuck_row:every=2.5": "every must be a whole number",
    "stuck_row:every=0": "every must be above 0",
    "stuck_row:for_s=1": "for_s is a part of every_s",
    "stuck_row:for_s=3,every_s=2": "for_s is a part of every_s",
    "stuck_row:rate=1; stuck_row:rate=1": "stuck_row twice",
}


def test_defects_with_and_without_settings() -> None:
    """The default trigger holds until one is given; then only that holds."""
    wishes = ("stuck_row", "slow_lock:after_s=1,every=5", "skip_nonce:seed=3", "slow_lock:hold_s=2")
    plain, timed, seeded, longer = (
        spec for wish in wishes for spec in read_defects(*defects_of(ENGINE, [wish], ROOT))
    )
    assert plain.when == When(rate=0.01)
    assert timed.when == When(every=5, after_s=1.0)
    assert timed.settings == {"hold_s": 1.0}
    assert seeded.when == When(rate=0.01, seed=3)
    assert (longer.when, longer.settings) == (When(every_s=3), {"hold_s": 2.0})
    assert read_defects(" ; ") == ()


@pytest.mark.parametrize("text", WRONG)
def test_wrong_wishes_are_named(text: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(SettingsError, match=WRONG[text]):
        read_defects(text)


def test_every_defect_is_built_listed_and_in_the_matrix() -> None:
    """Nothing is listed that cannot be switched on, and nothing is left out of the matrix."""
    known = read_catalogue(ROOT)
    assert {*DEFECTS, SLOW_RPC} == set(known)
    assert {name: kind.of for name, kind in known.items() if kind.of != ENGINE} == {
        SLOW_RPC: RPC_PRIMARY
    }
    assert [row.name for row in ROWS] == list(known)
    for kind in known.values():
        assert not set(kind.settings) & set(WHEN)
        (spec,) = read_defects(*defects_of(kind.of, [kind.name], ROOT))
        assert spec.settings == kind.settings


def test_every_row_of_the_matrix_can_be_switched_on() -> None:
    """The rows' wishes are understood by the harness and by the engine."""
    check_defects([row.defect for row in ROWS], ROOT)
    wishes = {row.name: row.defect for row in ROWS}
    for kind in read_catalogue(ROOT).values():
        (spec,) = read_defects(*defects_of(kind.of, [wishes[kind.name]], ROOT))
        assert spec.name == kind.name


@pytest.mark.parametrize("wish", ["no_such_thing", "stuck_row:often=1", "stuck_row:rate=x", "a;b"])
def test_the_harness_refuses_before_anything_starts(wish: str) -> None:
    """A wrong wish is wrong usage, not a stack that does not start."""
    pairs, edit = as_overrides(
        agents=None, rate=None, duration=None, seed=None, settings=[], defects=[wish]
    )
    scenario = load_scenario(SMOKE, pairs, edit)
    with pytest.raises(UsageError, match=r"engine\.defects"):
        StackSettings.of(scenario, StackSettings().contract)


def test_wishes_reach_the_engine(tmp_path: Path) -> None:
    """Options add to the scenario, and only the engine receives them; none if nothing is asked."""
    pairs, edit = as_overrides(
        agents=None,
        rate=None,
        duration=None,
        seed=None,
        settings=['engine.defects=["stuck_row"]'],
        defects=["skip_nonce:rate=0.5"],
    )
    scenario = load_scenario(SMOKE, pairs, edit)
    settings = StackSettings.of(
        scenario, StackSettings().contract, defect_log=tmp_path / "defects.jsonl"
    )
    data_processor, engine = _variables(settings)
    assert engine["DEFI_DEFECTS"] == "stuck_row:rate=0.01; skip_nonce:rate=0.5"
    assert engine["DEFI_DEFECT_LOG"] == str(tmp_path / "defects.jsonl")
    assert "DEFI_DEFECTS" not in data_processor
    assert "DEFI_DEFECTS" not in _variables(StackSettings())[1]


def test_a_nodes_defect_reaches_the_primary_only(tmp_path: Path) -> None:
    """Neither the engine nor the fallback receives it; without nodes it is refused."""
    wished = ['engine.defects=["slow_rpc", "slow_all"]', "chain.nodes=2"]
    pairs, edit = as_overrides(
        agents=None, rate=None, duration=None, seed=None, settings=wished, defects=[]
    )
    scenario = load_scenario(SMOKE, pairs, edit)
    contract = StackSettings().contract
    settings = StackSettings.of(scenario, contract, defect_log=tmp_path / "defects.jsonl")
    wiring = Wiring(SecretStr("redis://"), SecretStr("host=x"))
    ports = dict.fromkeys((*(f"rpc-{n}" for n in ("primary", "fallback-1")), *_PORTS), 1)
    primary, fallback = (dict(spec.env) for spec in rpc_nodes(settings, wiring, ports))
    engine = dict(reference_services(settings, wiring, ports)[-1].env)
    assert primary["DEFI_DEFECTS"] == "slow_rpc:rate=1,delay_ms=80"
    assert engine["DEFI_DEFECTS"] == "slow_all:rate=1,delay_ms=600"
    assert "DEFI_DEFECTS" not in fallback
    alone = scenario.model_copy(update={"chain": Chain()})
    with pytest.raises(UsageError, match="no such node is started"):
        StackSettings.of(alone, contract)


def test_engine_reads_its_variables() -> None:
    """Both are optional, and blanks are nothing."""
    url = {"DEFI_REDIS_URL": "redis://:secret@127.0.0.1:1/0"}
    assert read_settings(url).defects == ""
    found = read_settings({**url, "DEFI_DEFECTS": " stuck_row ", "DEFI_DEFECT_LOG": "/tmp/x"})  # noqa: S108 - a name, never opened
    assert (found.defects, found.defect_log) == ("stuck_row", "/tmp/x")  # noqa: S108 - the same


def _variables(settings: StackSettings) -> list[dict[str, str]]:
    wiring = Wiring(SecretStr("redis://"), SecretStr("host=x"))
    return [
        {name: str(value) for name, value in spec.env}
        for spec in reference_services(settings, wiring, dict.fromkeys(_PORTS, 1))
    ]


def test_every_method_of_a_defect_is_a_hook() -> None:
    """A method under another name would never be called, and the defect would do nothing."""
    of_families = {"statements", "changes", "delay_s"}  # what families of defects vary
    for name, kind in DEFECTS.items():
        own = {part for one in kind.__mro__[: kind.__mro__.index(Defect)] for part in vars(one)}
        hooks = {part for part in own if not part.startswith("_")} - of_families
        assert hooks, name
        assert hooks <= set(vars(Defect)), name

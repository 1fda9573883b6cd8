"""Any text on the command line or in a file is a scenario, or an error that names the place."""

from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cli.overrides import as_overrides
from harness.errors import UsageError
from harness.evidence.run_folder import scenario_text
from harness.scenario import Scenario, load_scenario

SMOKE = Path(__file__).resolve().parents[2] / "scenarios" / "smoke.toml"
KEYS = """
name about seed objectives objectives.0 objectives.0.abort_on_fail load load.arrival load.warmup_s
load.drain_s load.repeat load.processes load.stages load.stages.0 load.stages.0.name
load.stages.0.agents load.stages.0.rate_from load.stages.0.rate_to load.stages.0.duration_s
load.stages.0.phase load.shape load.shape.kind load.shape.rates load.shape.agents
signals signals.full_share signals.addresses signals.chain_id
signals.stale_share chain chain.block_time_s engine engine.workers engine.defects engine.defects.0
engine.service engine.service_rate engine.servers
load.stages.²
""".split()  # noqa: SIM905 - a literal per key needs a page
TOKENS = """
abc true 0 1 -1 5 0.5 nan -nan inf 1e999 [] [1] [[]] [1,'a',{}] {} {a=1} [{}] '' ['p99<5ms']
1979-05-27 ٣ ² 0x10 1_0 99999999999999999999
""".split()  # noqa: SIM905 - as above
LONG = ["[" * 3_000, "1" * 5_000]
ODD = ['"p99 < 5 ms"', '"\\u0000"', "\ud800", "[1] # more", "'x'\nseed=9"]
VALUES = [*TOKENS, *LONG, *ODD]

PARTS = st.one_of(st.sampled_from(["load", "stages", "0", "²", "-1", ""]), st.text(max_size=6))
TEXT_KEYS = st.one_of(st.sampled_from(KEYS), st.lists(PARTS, min_size=1, max_size=4).map(".".join))
TEXT_VALUES = st.one_of(st.sampled_from(VALUES), st.text(max_size=12))
SETTINGS = st.one_of(
    st.builds(lambda key, value: f"{key}={value}", TEXT_KEYS, TEXT_VALUES), st.text(max_size=20)
)
NUMBERS = st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 3.0, float("nan"), float("inf")]))


def read(path: Path, *settings_: str, **short: Any) -> Scenario | UsageError:
    """What the command line makes of a file; any other error comes out."""
    options = {"agents": None, "rate": None, "duration": None, "seed": None, **short}
    try:
        pairs, edit = as_overrides(settings=settings_, **options)
        return load_scenario(path, pairs, edit)
    except UsageError as error:
        return error


@settings(max_examples=400)
@given(
    st.lists(SETTINGS, max_size=3),
    st.one_of(st.none(), st.integers(-1, 5)),
    NUMBERS,
    NUMBERS,
    st.sampled_from([(), ("skip_nonce",)]),
)
def test_any_setting_gives_a_scenario_or_a_usage_error(
    given_settings: list[str],
    agents: int | None,
    rate: float | None,
    duration: float | None,
    defects: tuple[str, ...],
) -> None:
    """No text crashes, and what is accepted can be kept in the run's folder and read again."""
    found = read(
        SMOKE, *given_settings, agents=agents, rate=rate, duration=duration, defects=defects
    )
    if isinstance(found, Scenario):
        document = tomllib.loads(scenario_text(found))
        assert Scenario.model_validate(document) == found
    else:
        assert found.what


ANYTHING = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        st.sampled_from(["p99 < 5 ms", "constant", "measure"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["stages", "agents", "rate_from", "duration_s", "objective", "x"]),
            inner,
            max_size=4,
        ),
    ),
    max_leaves=8,
)
TABLES = st.dictionaries(
    st.sampled_from(["name", "about", "seed", "load", "signals", "chain", "engine", "objectives"]),
    ANYTHING,
    max_size=8,
)


@given(TABLES, st.one_of(st.none(), st.just(5.0)), st.sampled_from([(), ("skip_nonce",)]))
def test_any_file_gives_a_scenario_or_a_usage_error(
    document: dict[str, Any], number: float | None, defects: tuple[str, ...]
) -> None:
    """A file of any shape, with and without short options that edit it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.toml"
        path.write_text(tomli_w.dumps(document), encoding="utf-8")
        read(path, agents=2, rate=number, duration=number, defects=defects)


@pytest.mark.parametrize(
    ("given_settings", "short", "place"),
    [
        (["load.repeat=abc"], {"duration": 5.0}, "load.repeat"),
        (["load.repeat=0"], {"duration": 5.0}, "load.repeat"),
        (["load.stages=[1, 2]"], {"agents": 3}, "load.stages.0"),
        (["load.stages.0.duration_s=abc"], {"duration": 5.0}, "load.stages.0.duration_s"),
        (["engine.defects=7"], {"defects": ["skip_nonce"]}, "engine.defects"),
        (["engine=7"], {"defects": ["skip_nonce"]}, "engine"),
        (["load.stages.².agents=3"], {}, "load.stages.².agents"),
        (["load.warmup_s=nan"], {}, "load.warmup_s"),
        ([], {"rate": float("nan")}, "load.stages.0.rate_from"),
        (["load.stages.0.rate_from=1" + "0" * 400], {}, "load.stages.0.rate_from"),
        (["about=" + "[" * 5_000], {}, "about"),
        (["seed=3\nname='other'"], {}, "seed"),
    ],
)
def test_wrong_values_are_reported_with_their_place(
    given_settings: list[str], short: dict[str, Any], place: str
) -> None:
    """A value of a wrong type names its key and where to read about it."""
    found = read(SMOKE, *given_settings, **short)
    assert isinstance(found, UsageError)
    assert place in str(found)
    assert found.hint

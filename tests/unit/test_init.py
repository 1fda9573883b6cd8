"""`harness init`: the project that it writes can be used, and nothing is overwritten."""

from __future__ import annotations

import ast
from pathlib import Path, PurePosixPath

import pytest
import yaml

from harness.cli.init import CiSystem, init
from harness.cli.project import POSTGRES_URL, REDIS_URL, project_files, servers_of, write_project
from harness.errors import UsageError
from harness.scenario import load_scenario
from harness.stack.attach.contract_file import load_attach_file
from harness.stack.attach.nonce_starts import check_scenario
from harness.stack.attach.proposal import Proposal, propose

LOGINS = {"SHOP_REDIS_PASSWORD": "s3cret", "SHOP_POSTGRES_USER": "reader"}


def test_every_file_can_be_used(tmp_path: Path) -> None:
    """The scenario fits the contract, and names of a template are left nowhere."""
    init(tmp_path / "shop", ci=CiSystem.GITHUB, yes=True)
    scenario = load_scenario(tmp_path / "shop" / "scenario.toml")
    contract = load_attach_file(tmp_path / "shop" / "contract.toml")
    assert (scenario.name, contract.name) == ("shop", "shop")
    check_scenario(contract.contract(), scenario)
    ast.parse((tmp_path / "shop" / "test_load.py").read_text(encoding="utf-8"))
    for path in (tmp_path / "shop").rglob("*.*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert "my-system" not in text.lower().replace("_", "-"), path


@pytest.mark.parametrize(
    ("ci", "place"),
    [(CiSystem.GITHUB, ".github/workflows/load-test.yml"), (CiSystem.GITLAB, ".gitlab-ci.yml")],
)
def test_a_job_is_written_for_the_ci_system(ci: CiSystem, place: str, tmp_path: Path) -> None:
    """As YAML; exit codes without a verdict are no failure."""
    init(tmp_path, name="shop", ci=ci, yes=True)
    text = (tmp_path / place).read_text(encoding="utf-8")
    assert yaml.safe_load(text)
    assert "--stack attach --contract contract.toml" in text
    assert {path.name for path in tmp_path.iterdir()} == {
        *("README.md", "scenario.toml", "contract.toml", "test_load.py"),
        PurePosixPath(place).parts[0],
    }


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    """Not one of those that are there, by a link neither, and then none is written."""
    (tmp_path / "README.md").write_text("mine", encoding="utf-8")
    (tmp_path / "contract.toml").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError) as caught:
        init(tmp_path, ci=CiSystem.NONE, yes=True)
    assert "README.md, contract.toml" in caught.value.what
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "contract.toml"}
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == "mine"
    with pytest.raises(UsageError):
        write_project(tmp_path / "README.md", {PurePosixPath("x"): ""})


def test_logins_are_named_and_never_written() -> None:
    """Only variables that are set are named; the others are a comment."""
    servers = servers_of("shop", REDIS_URL, POSTGRES_URL, LOGINS)
    files = project_files("shop", servers, propose(None, None), CiSystem.GITHUB)
    contract = files[PurePosixPath("contract.toml")]
    assert 'password_env = "SHOP_REDIS_PASSWORD"' in contract
    assert 'user_env = "SHOP_POSTGRES_USER"' in contract
    assert "\n# user_env = ..." in contract
    assert not any(value in text for text in files.values() for value in LOGINS.values())


@pytest.mark.parametrize(
    "url",
    ["postgresql://reader:s3cret@host/shop", "host=h dbname=shop password=s3cret", "nonsense"],
)
def test_an_address_with_a_password_is_refused(url: str, tmp_path: Path) -> None:
    """Before anything is written, and no part of it is repeated."""
    with pytest.raises(UsageError) as caught:
        init(tmp_path / "shop", from_database=url, ci=CiSystem.NONE, yes=True)
    assert "s3cret" not in str(caught.value)
    assert "SHOP_POSTGRES_PASSWORD" in caught.value.hint
    assert not (tmp_path / "shop").exists()


def test_as_many_agents_as_there_are_addresses() -> None:
    """A run of more would be refused."""
    servers = servers_of("shop", REDIS_URL, POSTGRES_URL, {})
    proposal = Proposal(propose(None, None).sections, ("a", "b", "c"))
    text = project_files("shop", servers, proposal, CiSystem.NONE)[PurePosixPath("scenario.toml")]
    assert "\nagents = 3 " in text


@pytest.mark.parametrize("name", ["", "Shop", "a b", "x" * 65])
def test_a_name_is_one_of_a_scenario(name: str, tmp_path: Path) -> None:
    """Else neither file could be read."""
    with pytest.raises(UsageError) as caught:
        init(tmp_path / "shop", name=name, yes=True)
    assert caught.value.where == "--name"


def test_the_folder_names_the_system(tmp_path: Path) -> None:
    """In the form of a name."""
    init(tmp_path / "Load Tests_2", ci=CiSystem.NONE, yes=True)
    assert load_scenario(tmp_path / "Load Tests_2" / "scenario.toml").name == "load-tests-2"

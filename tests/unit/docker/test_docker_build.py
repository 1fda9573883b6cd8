"""Images are built again exactly when something they are made of has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.stack.docker.offline_images import Recipe, split_requirements, tree_digest


def nothing(context: Path) -> None:
    """No further content."""
    del context


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a Dockerfile and a program."""
    (tmp_path / "Dockerfile").write_text("FROM x", encoding="utf-8")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "run").write_text("#!/bin/sh", encoding="utf-8")
    return tmp_path


def test_the_same_content_has_the_same_digest(folder: Path) -> None:
    """Times and compiled files do not count."""
    before = tree_digest(folder)
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_bytes(b"x")
    (folder / "Dockerfile").touch()
    assert tree_digest(folder) == before


def test_content_name_and_mode_count(folder: Path) -> None:
    """Each of them changes what is in the image."""
    digests = {tree_digest(folder)}
    (folder / "Dockerfile").write_text("FROM y", encoding="utf-8")
    digests.add(tree_digest(folder))
    (folder / "bin" / "run").chmod(0o755)
    digests.add(tree_digest(folder))
    (folder / "bin" / "run").rename(folder / "bin" / "go")
    digests.add(tree_digest(folder))
    assert len(digests) == 4


def test_base_and_inputs_count(folder: Path) -> None:
    """A new base or another pin makes another image."""
    recipe = Recipe("image", folder, ("pin-1",), nothing)
    other = Recipe("image", folder, ("pin-2",), nothing)
    assert recipe.digest("base-1") == Recipe("image", folder, ("pin-1",), nothing).digest("base-1")
    assert len({recipe.digest("base-1"), recipe.digest("base-2"), other.digest("base-1")}) == 3


def test_entries_of_pinned_requirements_keep_their_hashes() -> None:
    """Some of them can be installed with every hash checked."""
    first = "one==1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n"
    second = "two-three==2 ; python_version < '3.12' \\\n    --hash=sha256:cc\n"
    assert split_requirements(f"# a comment\n{first}{second}") == [first, second]

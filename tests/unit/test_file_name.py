"""Names in stored evidence name files of one folder, and nothing else."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from harness.evidence.group_folder import GroupProgress
from harness.evidence.run_documents import RunMetadata

BAD = ["", ".", "..", "/etc/passwd", "../other", "a/b", "a\0b", "x" * 256, "\u00fc" * 128]


@pytest.mark.parametrize("name", BAD)
def test_a_path_is_no_name(name: str) -> None:
    """Neither of a kept file nor of a run of a group; without a system call."""
    with pytest.raises(ValidationError, match="kept"):
        RunMetadata.model_validate({"kept": [name]})
    with pytest.raises(ValidationError, match="runs"):
        GroupProgress.model_validate({"seeds": [1], "runs": [name]})


def test_names_are_kept() -> None:
    """As they are."""
    assert GroupProgress(seeds=(1,), runs=("20261130-smoke-1a2b",)).runs == ("20261130-smoke-1a2b",)

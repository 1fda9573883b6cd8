"""The stored judgement of several runs, read back."""

from __future__ import annotations

import json

from pydantic import ValidationError

from harness.assessment.group import GroupJudgement
from harness.errors import EvidenceError
from harness.evidence.group_folder import GroupFolder
from harness.evidence.group_manifest import group_evidence_digests
from harness.evidence.result_digests import digest_mismatch


def read_group_result(folder: GroupFolder) -> GroupJudgement:
    """The group's judgement; what a newer harness has added to it is left out.

    Raises:
        EvidenceError: missing, not bound to this group, or not of a form that this harness reads.
    """
    document = folder.read_result()
    if why := digest_mismatch(document, group_evidence_digests(folder, folder.read())):
        raise EvidenceError(
            why, where=str(folder.result), hint=f"judge it again: harness judge {folder.path}"
        )
    try:
        return GroupJudgement.model_validate_json(json.dumps(document), extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(
            f"{place}: {first['msg']}",
            where=str(folder.result),
            hint=f"an older harness made it; judge it again: harness judge {folder.path}",
        ) from error

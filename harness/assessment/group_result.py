"""The stored judgement of several runs, read back."""

from __future__ import annotations

import json

from pydantic import ValidationError

from harness.assessment.group import GroupJudgement
from harness.assessment.result import RESULT_SCHEMA_VERSION
from harness.assessment.result_v1 import convert_group_result
from harness.errors import EvidenceError
from harness.evidence.group_folder import GroupFolder
from harness.evidence.group_manifest import group_evidence_digests
from harness.evidence.result_digests import digest_mismatch
from harness.evidence.strict_json import MALFORMED


def read_group_result(folder: GroupFolder) -> GroupJudgement:
    """The group's judgement, converted from schema 1 if need be.

    What a newer harness has added is left out.

    Raises:
        EvidenceError: missing, not bound to this group, or not of a form that this harness reads.
    """
    document = folder.read_result(range(1, RESULT_SCHEMA_VERSION + 1))
    if why := digest_mismatch(document, group_evidence_digests(folder, folder.read())):
        raise EvidenceError(
            why, where=str(folder.result), hint=f"judge it again: harness judge {folder.path}"
        )
    hint = f"an older harness made it; judge it again: harness judge {folder.path}"
    try:
        if document.get("schema_version") == 1:
            document = convert_group_result(document)
        return GroupJudgement.model_validate_json(json.dumps(document), extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise EvidenceError(
            f"{place}: {first['msg']}",
            where=str(folder.result),
            hint=hint,
        ) from error
    except MALFORMED as error:
        raise EvidenceError(
            f"is no result: {error!r}", where=str(folder.result), hint=hint
        ) from error

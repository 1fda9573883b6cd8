"""A sign-off as an in-toto statement, which is what a signature covers.

Statement: https://in-toto.io/Statement/v1. Its predicate is that of test results, see
`PREDICATE_TYPE`; what it has no field for is added, and readers of that predicate ignore it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from harness.assessment.signoff import CriterionStatus, Decision, SignoffResult

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
_RESULTS = {
    Decision.SIGNED_OFF: "PASSED",
    Decision.INDICATIVE: "WARNED",
    Decision.NOT_SIGNED_OFF: "FAILED",
}
_SHA256 = re.compile(r"sha256:([0-9a-f]{64})$")


def statement(result: SignoffResult, root: str) -> dict[str, Any]:
    """The statement on a sign-off.

    Args:
        result: its decision and criteria.
        root: the root hash of its manifest.
    """

    def ids(*statuses: CriterionStatus) -> list[str]:
        return [one.id for one in result.criteria if one.status in statuses]

    return {
        "_type": STATEMENT_TYPE,
        "subject": [
            *_images(result),
            {"name": f"{result.signoff_id}/manifest.json#root", "digest": {"sha256": root}},
        ],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": _RESULTS[result.decision],
            "configuration": [
                {"name": "policy.toml", "digest": {"sha256": result.policy_sha256}},
                {"name": "signoff-plan.json", "digest": {"sha256": result.plan_sha256}},
            ],
            "passedTests": ids(CriterionStatus.MET),
            "warnedTests": ids(CriterionStatus.WAIVED),
            "failedTests": ids(CriterionStatus.NOT_MET, CriterionStatus.UNKNOWN),
            "decision": result.decision.value,
            "reasons": [one.model_dump(mode="json") for one in result.reasons],
            "criteria": [
                {
                    "id": one.id,
                    "question": one.question,
                    "status": one.status.value,
                    "attempts": len(one.attempts),
                    "waiver": one.waiver.model_dump(mode="json") if one.waiver else None,
                }
                for one in result.criteria
            ],
        },
    }


def payload(result: SignoffResult, root: str) -> bytes:
    """The statement as bytes; the same sign-off gives the same."""
    text = json.dumps(statement(result, root), sort_keys=True, separators=(",", ":"))
    return text.encode()


def _images(result: SignoffResult) -> list[dict[str, Any]]:
    """Each image once, by the digest of its registry, or by its id where it has none."""
    found: dict[str, dict[str, Any]] = {}
    for one in result.images:
        for text in one.repo_digests or (one.image_id,):
            if match := _SHA256.search(text):
                digest = {"sha256": match[1]}
                found.setdefault(match[1], {"name": one.image, "digest": digest})
    return list(found.values())

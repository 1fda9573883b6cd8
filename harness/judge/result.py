"""`result.json`: measurement, judgement and diagnosis of a run, as they are stored."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.diagnosis.answers import Diagnosis
from harness.errors import EvidenceError
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict
from harness.measure.measurement import Measurement
from harness.store import SCHEMA_VERSION, RunFolder


class Result(BaseModel):
    """What came of a run.

    Attributes:
        schema_version: of the whole document; what is only added does not change it.
        verdict: that of the judgement.
        exit_code: what the command ends with.
        diagnosis: why the latency is what it is; None when nobody asked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    run_id: str
    verdict: Verdict
    exit_code: int
    measurement: Measurement
    judgement: Judgement
    diagnosis: Diagnosis | None = None


class ResultOutdatedError(EvidenceError):
    """There is no result that this harness can read, and judging the evidence gives one."""


def read_result(folder: RunFolder) -> Result:
    """The stored result; what a newer harness has added to it is left out.

    Raises:
        ResultOutdatedError: missing, damaged, or of an older form.
        EvidenceError: of a newer form.
    """
    where = str(folder.result)
    if not folder.result.exists():
        raise ResultOutdatedError("is missing", where=where)
    try:
        document = json.loads(folder.read_text(folder.result))
        version = document["schema_version"]
    except (ValueError, TypeError, KeyError) as error:
        raise ResultOutdatedError(f"is no result: {error!r}", where=where) from error
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise EvidenceError(
            f"has schema version {version!r}, this harness reads up to {SCHEMA_VERSION}",
            where=where,
            hint="read it with the harness that made it; environment.json names its commit",
        )
    if version < SCHEMA_VERSION:
        raise ResultOutdatedError(f"has the old schema version {version}", where=where)
    try:
        return Result.model_validate_json(json.dumps(document), extra="ignore")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ResultOutdatedError(f"{place}: {first['msg']}", where=where) from error

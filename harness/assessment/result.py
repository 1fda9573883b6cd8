"""`result.json`: measurement, judgement and diagnosis of a run, as they are stored."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.analysis.measurement import Measurement
from harness.assessment.result_v1 import convert_result
from harness.diagnosis.answers import Diagnosis
from harness.errors import EvidenceError
from harness.evidence import atomic_files
from harness.evidence.manifest import evidence_digests
from harness.evidence.result_digests import KEY, ResultDigests, digest_mismatch, with_digests
from harness.evidence.run_folder import RunFolder
from harness.evidence.strict_json import MALFORMED
from harness.judge.judgement import Judgement
from harness.judge.verdict import Verdict
from harness.safe_open import RefusedError

# Of results of runs and of groups; the files of evidence have a version of their own.
RESULT_SCHEMA_VERSION = 2
# What an older result has instead is converted.
_CONVERTED_VERSION = 1


class Result(BaseModel):
    """The result of a run.

    Attributes:
        schema_version: of the whole document; what is only added does not change it.
        verdict: that of the judgement.
        exit_code: of the command.
        diagnosis: of the latency; None where none was requested.
        histograms: SHA-256 of each histogram log, by name.
        bound: what binds the result to the evidence; None in the results of older versions.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = RESULT_SCHEMA_VERSION
    run_id: str
    verdict: Verdict
    exit_code: int
    measurement: Measurement
    judgement: Judgement
    diagnosis: Diagnosis | None = None
    histograms: dict[str, str] = {}
    bound: ResultDigests | None = None


class ResultOutdatedError(EvidenceError):
    """There is no result that this harness can use, and judging the evidence gives one."""


def write_result(folder: RunFolder, result: Result) -> None:
    """Store a result, bound to itself and to the evidence as it lies there.

    Raises:
        EvidenceError: the evidence cannot be read, or the result not be written.
    """
    document = result.model_dump(mode="json", exclude={KEY})
    atomic_files.write_json(folder.result, with_digests(document, evidence_digests(folder)))


def read_result(folder: RunFolder) -> Result:
    """The stored result, held against the evidence.

    Raises:
        ResultOutdatedError: missing, damaged, of an older form, or not bound to this evidence.
        EvidenceError: of a newer form.
    """
    result, why = read_unverified(folder)
    if why:
        raise ResultOutdatedError(why, where=str(folder.result))
    return result


def read_unverified(folder: RunFolder) -> tuple[Result, str]:
    """The stored result, and why it cannot be trusted; empty where it can.

    One of schema 1 is converted. What a newer harness has added is left out.

    Raises:
        ResultOutdatedError: missing, damaged, or of an older form.
        EvidenceError: of a newer form.
    """
    where = str(folder.result)
    if not folder.result.exists():
        raise ResultOutdatedError("is missing", where=where)
    try:
        document = atomic_files.read_document(folder.result)
        version = document["schema_version"]
    except RefusedError:
        raise
    except EvidenceError as error:
        raise ResultOutdatedError(error.what, where=where) from error
    except MALFORMED as error:
        raise ResultOutdatedError(f"is no result: {error!r}", where=where) from error
    if not isinstance(version, int) or version > RESULT_SCHEMA_VERSION:
        raise EvidenceError(
            f"has schema version {version!r}, this harness reads up to {RESULT_SCHEMA_VERSION}",
            where=where,
            hint="read it with the harness that made it; environment.json names its commit",
        )
    if version < _CONVERTED_VERSION:
        raise ResultOutdatedError(f"has the old schema version {version}", where=where)
    try:
        current = convert_result(document) if version == _CONVERTED_VERSION else document
        result = Result.model_validate_json(json.dumps(current), extra="ignore")
    except MALFORMED as error:
        raise ResultOutdatedError(f"is no result: {error!r}", where=where) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ResultOutdatedError(f"{place}: {first['msg']}", where=where) from error
    except ValueError as error:
        raise ResultOutdatedError(f"is no result: {error}", where=where) from error
    return result, digest_mismatch(document, evidence_digests(folder))

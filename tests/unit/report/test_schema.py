"""The published form of a result."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from harness.assessment.result_schema import RUN
from harness.evidence.run_folder import RunFolder


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    """Holds documents against the published schema."""
    schema = json.loads(RUN.path.read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.fixture
def document(judged: RunFolder) -> dict[str, Any]:
    """A result as a run stores it."""
    found = json.loads(judged.result.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_published_schema_is_that_of_the_code() -> None:
    """After a change of the result's values: `make schema`."""
    assert RUN.path.read_text(encoding="utf-8") == RUN.text(), "run `make schema`"


def test_stored_result_validates(validator: Draft202012Validator, document: dict[str, Any]) -> None:
    """What a run writes conforms to the schema."""
    validator.validate(document)
    assert document["measurement"]["seconds"]


def test_older_and_newer_results_of_the_version_validate(
    validator: Draft202012Validator, document: dict[str, Any]
) -> None:
    """What was added since may be missing, and what will be added may be there."""
    for name in ("seconds", "vitals", "recoveries"):
        del document["measurement"][name]
    del document["diagnosis"]
    document["measurement"]["moon_phase"] = "full"
    validator.validate(document)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.update(verdict="GREAT"),
        lambda document: document.update(schema_version=1),
        lambda document: document.pop("schema_version"),
        lambda document: document["measurement"]["account"].pop("lost"),
        lambda document: document["measurement"]["figures"][0].update(count="many"),
    ],
)
def test_what_is_no_result_does_not(
    validator: Draft202012Validator,
    document: dict[str, Any],
    spoil: Callable[[dict[str, Any]], object],
) -> None:
    """The schema can fail."""
    spoil(document)
    with pytest.raises(ValidationError):
        validator.validate(document)


def test_schema_has_no_closed_doors() -> None:
    """No part of it forbids what it does not know."""
    assert '"additionalProperties": false' not in json.dumps(RUN.document())

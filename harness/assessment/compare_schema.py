"""The JSON schema of the result of a comparison; `make schema` writes it.

As that of a run, it holds for every result of its version: what is added is not forbidden.
"""

from __future__ import annotations

import json
from typing import Any

from harness.assessment.comparison_result import COMPARE_SCHEMA_VERSION, ComparisonResult
from harness.assessment.result_schema import PATH as RUN_PATH
from harness.assessment.result_schema import open_schema

PATH = RUN_PATH.with_name(f"compare-{COMPARE_SCHEMA_VERSION}.json")


def compare_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = open_schema(ComparisonResult.model_json_schema(mode="validation"))
    schema["properties"]["schema_version"] = {"const": COMPARE_SCHEMA_VERSION}
    schema["required"] = ["schema_version", "kind", *schema["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"result of a comparison of runs, version {COMPARE_SCHEMA_VERSION}",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def compare_schema_text() -> str:
    """The content of the schema file."""
    return json.dumps(compare_schema(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(compare_schema_text(), encoding="utf-8")

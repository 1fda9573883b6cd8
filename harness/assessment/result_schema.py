"""The JSON schema of `result.json`; `make schema` writes it.

It holds for every result of its version, older ones included: what was added since is not required,
and what will be added is not forbidden.
"""

from __future__ import annotations

import json
from typing import Any

from harness.assessment.result import RESULT_SCHEMA_VERSION, Result
from harness.data_files import DATA

PATH = DATA / "docs" / "schema" / f"result-{RESULT_SCHEMA_VERSION}.json"


def result_schema() -> dict[str, Any]:
    """The schema, draft 2020-12."""
    schema = open_schema(Result.model_json_schema(mode="validation"))
    schema["properties"]["schema_version"] = {"const": RESULT_SCHEMA_VERSION}
    schema["required"] = ["schema_version", *schema["required"]]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"result.json, version {RESULT_SCHEMA_VERSION}",
        **{key: value for key, value in schema.items() if key != "title"},
    }


def schema_text() -> str:
    """The content of the schema file."""
    return json.dumps(result_schema(), indent=1, sort_keys=True) + "\n"


def open_schema(node: Any) -> Any:
    """The same, with room for what a newer harness adds, and without titles that repeat names."""
    if isinstance(node, list):
        return [open_schema(one) for one in node]
    if not isinstance(node, dict):
        return node
    forbidden = node.get("additionalProperties") is False
    kept = {key: open_schema(value) for key, value in node.items()}
    if forbidden:
        del kept["additionalProperties"]
    if isinstance(kept.get("title"), str):
        del kept["title"]
    return kept


if __name__ == "__main__":
    PATH.parent.mkdir(parents=True, exist_ok=True)
    PATH.write_text(schema_text(), encoding="utf-8")

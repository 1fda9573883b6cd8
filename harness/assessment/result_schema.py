"""The JSON schemas of `result.json` and of its kin; `make schema` writes them.

A schema holds for every document of its version, older ones included: what was added since is not
required, and what will be added is not forbidden.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from harness.assessment.capacity import CAPACITY_SCHEMA_VERSION, CapacityResult
from harness.assessment.comparison_result import COMPARE_SCHEMA_VERSION, ComparisonResult
from harness.assessment.result import RESULT_SCHEMA_VERSION, Result
from harness.assessment.scale_result import SCALE_SCHEMA_VERSION, ScaleResult
from harness.assessment.signoff import SIGNOFF_SCHEMA_VERSION, SignoffResult
from harness.data_files import DATA


@dataclass(frozen=True, slots=True)
class ResultSchema:
    """The schema of one kind of document.

    Attributes:
        model: what the document is written from.
        version: of the document.
        name: of the file, without the version.
        what: the document, for the title.
        always: keys that every document has although the model has defaults for them.
    """

    model: type[BaseModel]
    version: int
    name: str
    what: str
    always: tuple[str, ...] = ("schema_version", "kind")

    @property
    def path(self) -> Path:
        """Where it is published."""
        return DATA / "docs" / "schema" / f"{self.name}-{self.version}.json"

    def document(self) -> dict[str, Any]:
        """The schema, draft 2020-12."""
        schema = open_schema(self.model.model_json_schema(mode="validation"))
        schema["properties"]["schema_version"] = {"const": self.version}
        schema["required"] = [*self.always, *schema["required"]]
        return {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": f"{self.what}, version {self.version}",
            **{key: value for key, value in schema.items() if key != "title"},
        }

    def text(self) -> str:
        """The content of the schema file."""
        return json.dumps(self.document(), indent=1, sort_keys=True) + "\n"


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


RUN = ResultSchema(Result, RESULT_SCHEMA_VERSION, "result", "result.json", ("schema_version",))
CAPACITY = ResultSchema(
    CapacityResult,
    CAPACITY_SCHEMA_VERSION,
    "capacity",
    "result.json of a search of the capacity",
)
SCALE = ResultSchema(
    ScaleResult, SCALE_SCHEMA_VERSION, "scale", "result.json of a scaling experiment"
)
COMPARE = ResultSchema(
    ComparisonResult, COMPARE_SCHEMA_VERSION, "compare", "result of a comparison of runs"
)
SIGNOFF = ResultSchema(SignoffResult, SIGNOFF_SCHEMA_VERSION, "signoff", "signoff.json")

if __name__ == "__main__":
    for schema in (RUN, CAPACITY, SCALE, COMPARE, SIGNOFF):
        schema.path.write_text(schema.text(), encoding="utf-8")

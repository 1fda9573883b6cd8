"""How SIMULATED is observed in a system that the harness did not start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, JsonValue, PlainSerializer, PlainValidator, WithJsonSchema

from harness.contract.frozen import Frozen, Name, NameIfAny


class ObservationMethod(StrEnum):
    """Method of observing SIMULATED; `docs/observing.md` has the figures behind the default.

    LOGICAL and POLLING read committed rows. NOTIFICATION and STREAM trust the system's reports.

    Attributes:
        module: of `harness/observe`, whose `make_watcher` makes the watcher of a plan. By name,
            because clients of servers are loaded in the observer process only.
        is_self_reported: whether the method relies on reports of the system itself.
    """

    _value_: str
    module: str
    is_self_reported: bool

    LOGICAL = "logical", "logical", False
    POLLING = "polling", "polling", False
    NOTIFICATION = "notification", "notification", True
    STREAM = "stream", "result_stream_watcher", True

    # The defaults are for a look-up by value, which makes nothing.
    def __new__(cls, value: str, module: str = "", is_self_reported: bool = False) -> Self:
        made = str.__new__(cls, value)
        made._value_ = value
        made.module, made.is_self_reported = module, is_self_reported
        return made


class ExternalMethodName(str):
    """Name of a method that another package registers; `docs/observation-methods.md`.

    Evidence is judged where that package is not installed: only the name is known here. The
    method reads what the system or its change capture writes, so it is compared with the table.
    """

    __slots__ = ()
    is_self_reported: ClassVar[bool] = True

    @property
    def value(self) -> str:
        """The name itself, as of the built-in methods."""
        return str(self)


_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def method_of(name: object) -> ObservationMethod | ExternalMethodName:
    """The built-in method of this name, else the name of an external one.

    Raises:
        ValueError: no method can have this name.
    """
    if isinstance(name, str):
        with suppress(ValueError):
            return ObservationMethod(name)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        known = ", ".join(ObservationMethod)
        raise ValueError(f"one of {known}, or the name of an installed observation method")
    return ExternalMethodName(name)


MethodName = Annotated[
    ObservationMethod | ExternalMethodName,
    PlainValidator(method_of),
    PlainSerializer(lambda method: method.value, return_type=str),
    WithJsonSchema({"type": "string"}),
]


class ObservationSettings(Frozen):
    """Settings of the observation.

    Attributes:
        way: LOGICAL needs a publication of the FSM table, which the harness never creates.
        allow_slot: whether LOGICAL may create a replication slot, which ends with its connection.
        pause_ms: POLLING: minimum pause from the end of one poll to the next.
        channel: NOTIFICATION: the channel to listen to.
        stream: STREAM: key of the stream of results, without the prefix.
        format: NOTIFICATION: `json`, or `text` for trace id and status between white space.
            STREAM: `fields`, or `json` for a document in one field.
        field: STREAM with `json`: the field that holds the document.
        trace_id: field, or path through the document (`order.ref`), of the trace id.
        status: the same of the status, which `[states]` maps. None: every report is of a signal
            that has reached SIMULATED.
        settings: an external method: its own settings, which it validates; never a secret.
    """

    way: MethodName = ObservationMethod.LOGICAL
    allow_slot: bool = False
    pause_ms: Annotated[int, Field(ge=1, le=60_000)] = 10
    channel: NameIfAny = None
    stream: NameIfAny = None
    format: Literal["json", "text", "fields"] = "json"
    field: Name = "data"
    trace_id: Name = "trace_id"
    status: NameIfAny = "status"
    settings: Mapping[str, JsonValue] = {}

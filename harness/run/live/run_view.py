"""What somebody sees who looks at a run from outside, wherever he looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.run.parts import Progress


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at one moment.

    Attributes:
        run_id: empty when it is not known yet.
        progress: None before its first signal is planned.
        ended: whether nothing will change any more.
        said: a sentence when there is something to say: what is waited for, or how it ended.
    """

    run_id: str = ""
    progress: Progress | None = None
    ended: bool = False
    message: str = ""


class RunSource(Protocol):
    """A place from which a run can be looked at."""

    def poll(self) -> RunView:
        """The run now.

        Raises:
            UsageError: there is no run to be seen there.
        """
        ...

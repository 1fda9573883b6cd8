"""The harness with an injector that believes to freeze Redis and does nothing."""

from __future__ import annotations

from harness.cli import main
from harness.faults.kinds.pause import PauseInjector

PauseInjector.inject = lambda _: None  # type: ignore[method-assign,assignment]  # broken on purpose

if __name__ == "__main__":
    main()

"""One run from start to verdict, and the parts that it starts.

`harness.run(...)` is also the function of the Python API. Python binds the name of a package to the
package once that is imported, so the package can be called.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """Source: https://docs.python.org/3/reference/datamodel.html, module attribute access."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """As `harness.api.running.run`, which imports this package and not the reverse."""
        return import_module("harness.api.running").run(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage

"""The command `tap-orgvue`: what must happen before anything else is imported, then the tap."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


PUT_OFF = ("backoff", "joblib", "upath")
"""What the SDK imports in any case, and needs in targets, for BATCH files, or not at all here.

They and what they import take a quarter of the time that the SDK's import takes.
"""


class PutOff(ModuleType):
    """Stands in for a module until something of it is called.

    It answers every name with a function that imports the module for good and passes the call on.
    """

    @override
    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A function in place of what the module has under a name."""
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            if sys.modules.get(self.__name__) is self:
                del sys.modules[self.__name__]
            return getattr(importlib.import_module(self.__name__), name)(*args, **kwargs)

        return call


def main() -> None:
    """Run the tap's command line."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    # Nothing that is imported goes before the process does: looking for garbage finds none.
    gc.disable()
    for name in PUT_OFF:
        sys.modules.setdefault(name, PutOff(name))
    from tap_orgvue.cli import run  # noqa: PLC0415 - not before the above

    gc.freeze()
    gc.enable()
    run()


def _end(signum: int, _: FrameType | None) -> None:
    """End without a traceback: nothing is under way yet."""
    os._exit(128 + signum)


if __name__ == "__main__":
    main()

"""The command `tap-orgvue`: signals and deferred imports, before anything else is imported."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_orgvue.singer.signals import ending_signals

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


DEFERRED_MODULES = ("backoff", "joblib", "upath")
"""Modules that the SDK imports at start-up and that many runs never use.

With what they import in turn they take a quarter of the SDK's own import time.
"""

_LOADING = threading.Lock()


class DeferredModule(ModuleType):
    """Stands in for a module until one of its functions is called."""

    @override
    def __getattr__(self, name: str) -> Callable[..., Any]:
        """A function that imports the module and passes its call on."""
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args: Any, **kwargs: Any) -> Any:
            with _LOADING:
                # Two threads may be the first.
                if sys.modules.get(self.__name__) is self:
                    del sys.modules[self.__name__]
                module = importlib.import_module(self.__name__)
            return getattr(module, name)(*args, **kwargs)

        return call


def main() -> None:
    """Run the tap's command line."""
    for number in ending_signals():
        signal.signal(number, _end)
    # Imported objects live until exit: collecting during the import is wasted time.
    gc.disable()
    for name in DEFERRED_MODULES:
        sys.modules.setdefault(name, DeferredModule(name))
    from tap_orgvue.cli import run  # noqa: PLC0415 - not before the above

    gc.freeze()
    gc.enable()
    run()


def _end(signum: int, _: FrameType | None) -> None:
    """End without a traceback."""
    os._exit(128 + signum)


if __name__ == "__main__":
    main()

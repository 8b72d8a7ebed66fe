"""Tuning of the interpreter and the system: it saves time and changes no output.

All of it stands here, but for one call after each use of isal (`exports/byte_streams.py`).
CONTRIBUTING.md gives the measured gain of each part.
"""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


DEFERRED_MODULES = ("backoff", "joblib", "upath")
"""Modules that are imported at start-up and that many runs never use.

With their own imports they take a fifth of the SDK's import time.
"""

SWITCH_SECONDS = 0.0001
"""The longest time that a thread keeps the interpreter while another waits for it.

Python's default is 5 ms. The threads that fetch and decompress need the interpreter often and
briefly; the thread that makes records would hold them up.
"""

PIPE_BYTES = 1024 * 1024
"""The capacity of the pipe to the loader: the most that Linux grants every user.

The default is 64 KiB, a quarter of one write; tap and loader would wait for each other more often.
"""

KEPT_BYTES = 1024 * 1024
"""Free memory up to this size stays with the process.

By default, the GNU C library returns each larger buffer of an export's rows to the system, and has
to clear it when it is needed again. It raises that limit to the size of the largest buffer that was
returned.
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


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import the tap's modules quickly: no garbage collection, and some modules deferred.

    Imported objects live until exit, so collecting during import is wasted time, and so is
    looking at them in later collections.
    """
    gc.disable()
    for name in DEFERRED_MODULES:
        sys.modules.setdefault(name, DeferredModule(name))
    yield
    gc.freeze()
    gc.enable()


def tune_process() -> None:
    """Set the switch interval, the capacity of the pipe to the loader, and the kept memory."""
    sys.setswitchinterval(SWITCH_SECONDS)
    keep_memory()
    widen_pipe()


def keep_memory() -> None:
    """Keep free memory, where the allocator is the GNU C library's; without effect elsewhere."""
    # Neither filled nor kept, the bytes take no memory themselves.
    bytes(KEPT_BYTES)


def widen_pipe() -> None:
    """Widen the pipe on standard output, where it is one and the system allows it."""
    with suppress(ImportError, AttributeError, OSError, ValueError):
        import fcntl  # noqa: PLC0415 - Windows has none

        fcntl.fcntl(sys.stdout.fileno(), fcntl.F_SETPIPE_SZ, PIPE_BYTES)

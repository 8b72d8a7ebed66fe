"""The names of datasets, which a thread of its own requests."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any, cast

from tap_orgvue.streams.dataset_names import DatasetNames


def test_closing_ends_the_thread() -> None:
    """A tap that is used as a library leaves no thread behind."""
    threads: list[threading.Thread] = []
    requested = threading.Event()

    def datasets() -> None:
        threads.append(threading.current_thread())
        requested.set()

    client, discovery = SimpleNamespace(datasets=datasets), SimpleNamespace()
    names = DatasetNames(cast("Any", client), cast("Any", discovery), {}, wanted=True)
    names.request()
    assert requested.wait(60)
    names.close()
    (thread,) = threads
    thread.join(5)
    assert not thread.is_alive()

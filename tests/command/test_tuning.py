"""Tuning: it saves time, and leaves modules, collection and output as they should be."""

from __future__ import annotations

import gc
import importlib
import os
import platform
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from tap_orgvue import tuning
from tap_orgvue.tuning import DeferredModule, quick_imports, tune_process

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rarely_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module that is not loaded yet."""
    (tmp_path / "rarely_used.py").write_text(
        "def double(number, *, plus=0):\n    return 2 * number + plus\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "rarely_used"
    sys.modules.pop("rarely_used", None)


def test_a_deferred_module_is_loaded_by_its_first_call(rarely_used: str) -> None:
    """A function of a deferred module can be held before the module is loaded, and works."""
    sys.modules[rarely_used] = deferred = DeferredModule(rarely_used)
    double = importlib.import_module(rarely_used).double
    assert sys.modules[rarely_used] is deferred
    assert double(3, plus=1) == 7
    loaded = sys.modules[rarely_used]
    assert loaded is not deferred
    assert deferred.double(4) == 8
    assert sys.modules[rarely_used] is loaded


def test_a_deferred_module_is_no_package(rarely_used: str) -> None:
    """Python's own questions about a module are answered without loading it."""
    deferred = DeferredModule(rarely_used)
    assert not hasattr(deferred, "__path__")
    assert rarely_used not in sys.modules


def test_imports_are_quick(rarely_used: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the block nothing is collected and modules are deferred; after it, collection runs."""
    monkeypatch.setattr(tuning, "DEFERRED_MODULES", (rarely_used, "json"))
    frozen = gc.get_freeze_count()
    try:
        with quick_imports():
            assert not gc.isenabled()
            assert isinstance(sys.modules[rarely_used], DeferredModule)
        assert gc.isenabled()
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()
    assert not isinstance(sys.modules["json"], DeferredModule)


def test_threads_take_turns_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread keeps the interpreter for a tenth of a millisecond while another waits."""
    monkeypatch.setattr(sys, "stdout", None)
    before = sys.getswitchinterval()
    try:
        tune_process()
        assert sys.getswitchinterval() == pytest.approx(0.0001)
    finally:
        sys.setswitchinterval(before)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a pipe grow")
def test_the_pipe_holds_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipe on standard output grows to a mebibyte, or as far as this system lets a user."""
    import fcntl  # noqa: PLC0415 - Windows has none

    ends = [*os.pipe(), *os.pipe()]
    with suppress(PermissionError):
        fcntl.fcntl(ends[0], fcntl.F_SETPIPE_SZ, 1024 * 1024)
    before = sys.getswitchinterval()
    with os.fdopen(ends[3], "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        tune_process()
        sys.setswitchinterval(before)
        sizes = [fcntl.fcntl(end, fcntl.F_GETPIPE_SZ) for end in (ends[0], ends[2])]
        monkeypatch.undo()
    for end in ends[:3]:
        os.close(end)
    assert sizes[0] == sizes[1]


FAULTS_AGAIN = """
import resource
from tap_orgvue.tuning import tune_process

def allocate():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    buffers = [b"x" * 120_000 for _ in range(8)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if {tuned}:
    tune_process()
allocate()
print(sum(allocate() for _ in range(50)))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators have other habits")
def test_free_memory_is_kept() -> None:
    """A buffer takes the memory of the last one: the system does not have to clear it again."""

    def faults(*, tuned: bool) -> int:
        code = FAULTS_AGAIN.format(tuned=tuned)
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return int(run.stdout)

    assert faults(tuned=True) < faults(tuned=False) / 10

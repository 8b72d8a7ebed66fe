"""Starts the command without waiting for its imports, which take most of a short run's time.

A process imports what the command imports, once, and is forked for each run: `main` then runs in
a process of its own, with arguments, environment, folder and output of its own, and ends it. What
belongs to starting itself is looked at by tests that start the command afresh.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from signal import SIGKILL
from threading import Lock, Timer
from typing import IO, TYPE_CHECKING

from tap_orgvue.__main__ import main
from tap_orgvue.tuning import DeferredModule, quick_imports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]


IMPORTED_LATER = ("asyncio", "backoff", "email.policy", "encodings.utf_8_sig")
"""Modules that almost every run imports once it is started."""


class WarmStart:
    """A process that has imported the command; it is started by the first run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    def run(  # noqa: PLR0913 - what a process is started with
        self,
        words: Sequence[str],
        env: Mapping[str, str],
        folder: Path,
        timeout: float,
        *,
        stdout: Path | None = None,
        stderr: Path | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command.

        Args:
            words: Its arguments.
            env: Its whole environment.
            folder: Where it runs, and where its output is kept.
            timeout: Seconds after which it is killed.
            stdout: Where it writes to instead, as to a terminal; that is not read.
            stderr: The same for standard error.
        """
        out, err = stdout or folder / "stdout", stderr or folder / "stderr"
        request = [list(words), dict(env), str(folder), str(out), str(err)]
        with self._lock:
            process = self._started()
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            killer = Timer(timeout, os.kill, (int(process.stdout.readline()), SIGKILL))
            killer.start()
            code = int(process.stdout.readline())
            killer.cancel()
        # Line ends stay as they were written.
        told = [
            "" if path else (folder / name).read_bytes().decode()
            for path, name in ((stdout, "stdout"), (stderr, "stderr"))
        ]
        return subprocess.CompletedProcess(list(words), code, *told)

    def _started(self) -> subprocess.Popen[str]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm_start"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        return self._process

    def close(self) -> None:
        """End the process, if it was started."""
        if self._process is not None:
            with self._process as process:
                assert process.stdin is not None
                process.stdin.close()
            self._process = None


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Fork for each request, and answer with the process's id, then with its exit code.

    In the forked process this does not return: it ends with the command.
    """
    # As `main` does it.
    with quick_imports():
        tap = importlib.import_module("tap_orgvue.cli").TapOrgvue
        for name in IMPORTED_LATER:
            if isinstance(sys.modules.get(name), DeferredModule):
                del sys.modules[name]
            importlib.import_module(name)
        # Every run logs its versions, which Python looks for in each installed package once.
        assert tap.plugin_version
        assert tap.sdk_version
    importlib.import_module("tests.support.waits").shorten()
    for line in requests:
        words, env, folder, out, err = json.loads(line)
        child = os.fork()
        if not child:
            _become(words, env, folder, out, err)
            main()
            sys.exit()
        _say(child, answers)
        _say(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), answers)


def _say(number: int, answers: IO[str]) -> None:
    answers.write(f"{number}\n")
    answers.flush()


def _become(words: list[str], env: dict[str, str], folder: str, out: str, err: str) -> None:
    """Be a process that was started like this."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None
    for number, path in enumerate((os.devnull, out, err)):
        opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    # What the usage calls the command by.
    sys.modules["__main__"].__package__ = "tap_orgvue"
    sys.argv = ["__main__.py", *words]


if __name__ == "__main__":
    # The command's own input and output are taken by whoever is forked.
    with os.fdopen(os.dup(0)) as requests, os.fdopen(os.dup(1), "w") as answers:
        serve(requests, answers)

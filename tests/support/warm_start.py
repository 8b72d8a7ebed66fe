"""Starts the command without waiting for its imports, which take most of a short run's time.

A process imports what the command imports, once, and is forked for each run: `main` then runs in
a process of its own, with arguments, environment, folder and output of its own, and ends it. What
belongs to starting itself is looked at by tests that start the command afresh.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from tap_orgvue.__main__ import main
from tap_orgvue.tuning import DeferredModule, quick_imports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parents[2]

IMPORTED_LATER = ("asyncio", "backoff", "email.policy", "encodings.utf_8_sig")
"""Modules that almost every run imports once it is started."""

CLOSED = None
"""In place of a file descriptor: the process has none."""


class WarmProcess:
    """A process that was forked for a run; of `subprocess.Popen`, what tests use.

    Attributes:
        pid: Its id.
        stdout: What it writes to its standard output, where that is a pipe.
        stderr: The same for standard error.
        returncode: None until it was seen to have ended.
    """

    def __init__(self, status: int, stdout: IO[bytes] | None, stderr: IO[bytes] | None) -> None:
        """Wait until it is there.

        Args:
            status: The reading end of the pipe that tells its id, then its exit code.
            stdout: See the class.
            stderr: See the class.
        """
        self._status = os.fdopen(status, "rb")
        self.pid = int(self._status.readline())
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end.

        Args:
            timeout: Seconds.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("tap-orgvue", timeout or 0)
            self.returncode = int(self._status.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless it was seen to have ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Read all that comes through its pipes, and wait for its end.

        Args:
            timeout: Seconds.

        Raises:
            subprocess.TimeoutExpired: It still runs.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        texts: dict[int, bytes] = {}
        threads = [
            threading.Thread(
                target=lambda n=n, pipe=pipe: texts.update({n: pipe.read()}), daemon=True
            )
            for n, pipe in enumerate((self.stdout, self.stderr))
            if pipe is not None and not pipe.closed
        ]
        for thread in threads:
            thread.start()
        self.wait(timeout)
        for thread in threads:
            thread.join(None if deadline is None else max(0.1, deadline - time.monotonic()))
        return texts.get(0, b""), texts.get(1, b"")

    def __enter__(self) -> Self:
        """Close the pipes at the end of the block, after which it has ended."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Wait for its end."""
        for pipe in (self.stdout, self.stderr):
            if pipe is not None:
                pipe.close()
        self.wait()
        self._status.close()


class WarmStart:
    """A process that has imported the command; it is started by the first run."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: socket.socket | None = None
        self._lock = threading.Lock()

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
        with out.open("ab", 0) as out_file, err.open("ab", 0) as err_file:
            process = self.start(
                words, env=env, folder=folder, stdout=out_file.fileno(), stderr=err_file.fileno()
            )
        with process:
            try:
                code = process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
        # Line ends stay as they were written.
        told = [
            "" if path else (folder / name).read_bytes().decode()
            for path, name in ((stdout, "stdout"), (stderr, "stderr"))
        ]
        return subprocess.CompletedProcess(list(words), code, *told)

    def start(  # noqa: PLR0913 - what a process is started with
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        stdout: int | None = subprocess.PIPE,
        stderr: int | None = subprocess.PIPE,
        ignored: Sequence[int] = (),
        largest_file: int | None = None,
        first: str = "",
    ) -> WarmProcess:
        """Start the command.

        Args:
            words: Its arguments.
            env: Its whole environment; by default, this process's.
            folder: Where it runs; by default, where this process does.
            stdout: A file descriptor, or `subprocess.PIPE`, `subprocess.DEVNULL`, `CLOSED`.
            stderr: The same.
            ignored: Signals that it ignores when it begins.
            largest_file: The most bytes that a file of its may have, as on a full disk.
            first: Python that it runs before the command.
        """
        status, told = os.pipe()
        given = [_opened(stdout), _opened(stderr)]
        request = {
            "words": list(words),
            "env": dict(os.environ if env is None else env),
            "folder": str(folder or Path.cwd()),
            "closed": [number for number, (fd, _) in enumerate(given, start=1) if fd is None],
            "ignored": list(ignored),
            "largest_file": largest_file,
            "first": first,
        }
        descriptors = [told, *(fd for fd, _ in given if fd is not None)]
        try:
            with self._lock:
                requests = self._started()
                socket.send_fds(requests, [b"\n"], descriptors)
                requests.sendall(json.dumps(request).encode() + b"\n")
                # The next request is sent once this one was read.
                process = WarmProcess(status, *(pipe for _, pipe in given))
        finally:
            os.close(told)
            for wanted, (fd, _) in zip((stdout, stderr), given, strict=True):
                if fd is not None and fd != wanted:
                    os.close(fd)
        return process

    def _started(self) -> socket.socket:
        if self._requests is None:
            self._requests, theirs = socket.socketpair()
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.support.warm_start", str(theirs.fileno())],
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                )
        return self._requests

    def close(self) -> None:
        """End the process, if it was started."""
        if self._process is not None and self._requests is not None:
            self._requests.close()
            self._process.wait()
            self._process = self._requests = None


def _opened(wanted: int | None) -> tuple[int | None, IO[bytes] | None]:
    """A descriptor for the process, and what is read from it."""
    if wanted == subprocess.PIPE:
        reading, writing = os.pipe()
        return writing, os.fdopen(reading, "rb")
    if wanted == subprocess.DEVNULL:
        return os.open(os.devnull, os.O_WRONLY), None
    return wanted, None


# --- in the process that is forked


def serve(requests: socket.socket) -> None:
    """Fork for each request, and tell through its pipe the process's id, then its exit code.

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
    ended, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    running: dict[int, int] = {}
    while True:
        ready = select.select([requests.fileno(), ended], [], [])[0]
        if ended in ready:
            os.read(ended, 4096)
            _tell_ends(running)
        if requests.fileno() not in ready:
            continue
        begun, descriptors, *_ = socket.recv_fds(requests, 1, 3)
        if not begun:
            break
        status, *outputs = descriptors
        with requests.makefile("rb") as lines:
            request = json.loads(lines.readline())
        child = os.fork()
        if not child:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for fd in (ended, wakes, requests.detach(), status, *running.values()):
                os.close(fd)
            _become(request, outputs)
        running[child] = status
        os.write(status, b"%d\n" % child)
        for fd in outputs:
            os.close(fd)


def _tell_ends(running: dict[int, int]) -> None:
    for child, status in list(running.items()):
        pid, how = os.waitpid(child, os.WNOHANG)
        if pid:
            # Nobody may wait for it any more.
            with contextlib.suppress(BrokenPipeError):
                os.write(status, b"%d\n" % os.waitstatus_to_exitcode(how))
            os.close(running.pop(child))


def _become(request: dict[str, Any], outputs: list[int]) -> NoReturn:
    """Be a process that was started like this, run the command and end."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["env"])
    tempfile.tempdir = None
    for number in (1, 2):
        if number in request["closed"]:
            os.close(number)
        else:
            opened = outputs.pop(0)
            os.dup2(opened, number)
            os.close(opened)
    _restart_streams(request["closed"])
    for number in request["ignored"]:
        signal.signal(number, signal.SIG_IGN)
    if (size := request["largest_file"]) is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    # What the usage calls the command by.
    sys.modules["__main__"].__package__ = "tap_orgvue"
    sys.argv = ["__main__.py", *request["words"]]
    exec(request["first"], {})  # noqa: S102 - written by a test
    code = _run()
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    atexit._run_exitfuncs()  # noqa: SLF001 - what Python runs at its end
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    # Taking the interpreter to pieces would touch, and so copy, all memory of the process before.
    os._exit(code)


def _run() -> int:
    """Run the command; the exit code that Python makes of its end."""
    try:
        main()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        sys.stderr.write(f"{end.code}\n")
        return 1
    except BaseException:  # noqa: BLE001 - so does Python
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _restart_streams(closed: Sequence[int]) -> None:
    """Make standard output and standard error what Python makes of them when it starts."""
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream: Any = getattr(sys, name)
        if number in closed:
            setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
            continue
        stream.reconfigure(line_buffering=number == 2 or os.isatty(number))
        if encoding:
            stream.reconfigure(
                encoding=encoding,
                errors="backslashreplace" if number == 2 else errors or "strict",
            )


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as given:
        serve(given)

"""Runs pytest many times without waiting for imports, which take most of a short run's time.

A process imports what tests import beside the package, once, and is forked for each run. A request
is a line of JSON: arguments, variables of the environment and the output file. Each is answered by
two lines: the id of the process, and its exit code.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import tempfile

import pytest


def main(modules: list[str]) -> None:
    """Answer requests until standard input ends."""
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    # `nohup` ignores it, which tests of signals would notice.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # Tests have no part in the conversation.
    with os.fdopen(os.dup(0)) as requests, os.fdopen(os.dup(1), "w") as answers:
        for request in requests:
            child = os.fork()
            if not child:
                requests.close()
                sys.exit(_run(*json.loads(request)))
            print(child, flush=True, file=answers)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True, file=answers)


def _run(arguments: list[str], variables: dict[str, str], output: str) -> int:
    """Run pytest in this process, in a session of its own."""
    os.setsid()
    os.environ.update(variables)
    tempfile.tempdir = None
    for number, path in enumerate((os.devnull, output, output)):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["pytest", *arguments]
    return pytest.main(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])

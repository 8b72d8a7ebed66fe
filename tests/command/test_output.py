"""When standard output takes no more: the run ends at once, in words and with an error."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.datasets import people
from tests.support.files import written
from tests.support.runs import completed, discover

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from tap_orgvue.simulator import Orgvue

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")

OUTPUTS = {
    "a full disk": ("/dev/full", "No space left on device"),
    "closed": (None, "Standard output is closed"),
    "only for reading": ("/dev/null", "Bad file descriptor"),
    "nobody reads": ("|", "The loader closed the pipe"),
}
"""What is standard output, and what is said of it."""


def into(
    output: str | None, config: dict[str, Any], folder: Path, *words: str, **documents: Any
) -> subprocess.CompletedProcess[str]:
    """Run the real command with standard output as a shell redirects it."""
    if output == "|":
        reading, stdout = os.pipe()
        os.close(reading)
    elif output is not None:
        stdout = os.open(output, os.O_RDONLY if output == "/dev/null" else os.O_WRONLY)
    else:
        stdout = None
    try:
        return completed([*words, *written(folder, config=config, **documents)], stdout=stdout)
    finally:
        if stdout is not None:
            os.close(stdout)


@pytest.mark.parametrize("output,words", OUTPUTS.values(), ids=OUTPUTS.keys())
def test_a_run_ends_at_once(
    serve: Callable[..., Orgvue], tmp_path: Path, output: str | None, words: str
) -> None:
    """No further request is made, and the last line says why."""
    orgvue = serve(people(5, "Alpha"), people(5, "Beta"), people(5, "Gamma"), people(5, "Delta"))
    config = {**orgvue.config, "max_parallel_requests": 1}
    catalog, before = discover(config), len(orgvue.requests)
    done = into(output, config, tmp_path, catalog=catalog)
    assert done.returncode == 6
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    # The next stream's export is fetched while one is sent.
    assert len(orgvue.requests) - before <= 2


@pytest.mark.parametrize("output,words", OUTPUTS.values(), ids=OUTPUTS.keys())
@pytest.mark.parametrize("option", ["--discover", "--about"])
def test_what_cannot_be_written_is_an_error(
    orgvue: Orgvue, tmp_path: Path, option: str, output: str | None, words: str
) -> None:
    """A catalog or a description that is cut ends with an error as well."""
    done = into(output, orgvue.config, tmp_path, option)
    assert done.returncode == 6
    assert words in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("output", ["/dev/full", None])
@pytest.mark.parametrize("option", ["--version", "--help", "--test"])
def test_every_option_tells_that_nothing_was_written(
    orgvue: Orgvue, tmp_path: Path, option: str, output: str | None
) -> None:
    """Whoever wrote it."""
    done = into(output, orgvue.config, tmp_path, option)
    assert done.returncode == 6
    assert done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_file_that_fills_up_ends_with_its_cut_line(
    serve: Callable[..., Orgvue], tmp_path: Path
) -> None:
    """Nothing is written behind a line that was cut, though room for a short one may be left."""
    orgvue = serve(people(1000, "Alpha"), people(1000, "Beta"), people(1000, "Gamma"))
    files = written(tmp_path, config=orgvue.config, catalog=discover(orgvue.config))
    out = tmp_path / "out"
    with out.open("wb") as file:
        done = completed(files, stdout=file.fileno(), largest_file=300_001)
    assert done.returncode == 6
    assert "File too large" in done.stderr.splitlines()[-1]
    *lines, cut = out.read_bytes().split(b"\n")
    assert cut.startswith(b'{"type":"RECORD","stream":"beta"')
    assert not [line for line in lines if b'"gamma"' in line]

"""Tokens, presigned URLs and query strings are in no log, whichever library writes it."""

from __future__ import annotations

import logging
import string
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_orgvue.scrubbing import Scrubber
from tests.running import command

if TYPE_CHECKING:
    from tap_orgvue.simulator import Orgvue

secrets = st.text(string.ascii_letters + string.digits + "-_", min_size=20, max_size=60)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_run_at_debug_level_tells_no_secret(orgvue: Orgvue, mode: str) -> None:
    """With everything logged, neither the token nor a part of a presigned URL is told."""
    run = command({**orgvue.config, "export_mode": mode}, env={"LOGLEVEL": "DEBUG"})
    assert run.code == 0
    assert "urllib3" in run.stderr
    told = run.stderr + run.stdout
    assert orgvue.token not in told
    assert orgvue.token.split(".")[2] not in told
    for request in orgvue.requests:
        if request.origin == "files":
            for name, values in request.query.items():
                if name.startswith("X-Amz-"):
                    assert not any(value in told for value in values if len(value) > 8)


def test_an_error_at_debug_level_tells_no_secret(orgvue: Orgvue) -> None:
    """A traceback, which DEBUG shows, holds no secret either."""
    orgvue.expire_results = 9
    config = {**orgvue.config, "export_mode": "async", "max_retries": 0}
    run = command(config, env={"LOGLEVEL": "DEBUG"})
    assert run.code == 1
    assert orgvue.token not in run.stderr
    assert "X-Amz-Signature=" not in run.stderr.replace("X-Amz-Signature=***", "")


@given(secrets, secrets)
def test_every_way_to_log_is_cleaned(secret: str, signature: str) -> None:
    """Messages, arguments, exceptions: a kept secret and a signature are in none of them."""
    scrubber = Scrubber()
    scrubber.keep(secret)
    url = f"https://files.example.com/a/b?X-Amz-Signature={signature}&X-Amz-Date=1"
    headers = {"Authorization": f"Bearer {signature}"}
    try:
        raise ValueError(f"{secret} at {url}")  # noqa: TRY301 - it is what is logged
    except ValueError as error:
        exc_info = (type(error), error, error.__traceback__)
    for message, arguments in (
        (f"{secret} {url}", ()),
        ("%s at %s", (secret, url)),
        ('%s://%s "%s %s HTTP/1.1"', ("https", "host", "GET", f"/a?X-Amz-Signature={signature}")),
        ("headers %s", (headers,)),
        ("%d", (secret,)),
    ):
        record = scrubber.record("x", logging.INFO, "p", 1, message, arguments, exc_info)
        told = logging.Formatter().format(record)
        assert secret not in told
        assert signature not in told


def test_what_is_no_secret_stays() -> None:
    """Ordinary messages are as they were."""
    scrubber = Scrubber()
    for text in (
        "Orgvue refused GET /api/v1/ACME/datasets with HTTP 403 (40302 ApiTokenExpired).",
        "Is this right? Yes.",
        "Stream 'people': 3 values of 'salary' did not fit.",
    ):
        assert scrubber.clean(text) == text

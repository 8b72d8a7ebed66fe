"""The session that gives downloaded exports to the SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import create_autospec

import pytest
import requests

from tap_orgvue.exports.response import ExportResponse
from tap_orgvue.streams.session import ExportSession

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_request_is_responded_to_with_its_export(scheme: str) -> None:
    """Whatever the SDK sends."""
    response = create_autospec(
        ExportResponse, instance=True, raw=None, history=[], is_redirect=False
    )
    requested: list[requests.PreparedRequest] = []

    def fetch(request: requests.PreparedRequest) -> ExportResponse:
        requested.append(request)
        made: ExportResponse = response
        return made

    request = requests.Request("GET", f"{scheme}://orgvue.test/export").prepare()
    assert ExportSession(fetch).send(request) is response
    assert requested == [request]


def test_nothing_of_the_environment_is_in_a_request(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No password of a `.netrc`, and no header but those of the stream."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine orgvue.test login me password 1234\n")
    monkeypatch.setenv("NETRC", str(netrc))
    session = ExportSession(create_autospec(lambda _request: None))
    request = requests.Request("GET", "https://orgvue.test/export", headers={"Accept": "a"})
    assert dict(session.prepare_request(request).headers) == {"Accept": "a"}

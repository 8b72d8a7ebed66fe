"""Error messages for users."""

from __future__ import annotations

import pytest

from tap_orgvue.singer.errors import StreamMapFailed, error_message


@pytest.mark.parametrize(
    "error,message",
    [
        (StreamMapFailed("Its own words."), "Its own words."),
        (StreamMapFailed(), "StreamMapFailed"),
        (StreamMapFailed(5), "StreamMapFailed: 5"),
        (KeyError("x"), "KeyError: 'x'"),
        (ValueError("what is wrong"), "ValueError: what is wrong"),
        (ValueError(), "ValueError"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(20, "Not a directory", "/data/x"), "Not a directory: /data/x"),
        (OSError("odd"), "OSError: odd"),
    ],
)
def test_an_error_is_reported_in_words(error: Exception, message: str) -> None:
    """The words of the error; its type leads where they say too little alone."""
    assert error_message(error) == message

"""Errors of the Singer half, and the message of any error."""

from __future__ import annotations


class StreamMapFailed(Exception):
    """A stream map failed on a record; the message holds no value of the record."""


class StreamMapsInvalid(Exception):
    """The setting `stream_maps` does not fit the streams."""


class OutputFailed(Exception):
    """Standard output takes no more: nothing can be delivered, and the run ends at once."""


class LoaderGone(OutputFailed):
    """The loader no longer reads standard output."""


class BatchFileFailed(Exception):
    """A BATCH file cannot be written; the operating system's own errors are as they are."""


class BatchFileVanished(BatchFileFailed):
    """A BATCH file is gone before the message that names it."""


def error_message(error: BaseException) -> str:
    """The message of an error for a user.

    A built-in error is named by its type: `KeyError: 'x'` says more than `'x'`.
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    kind, first = type(error), next(iter(error.args), None)
    if isinstance(first, str) and kind.__module__ != "builtins":
        return first
    return f"{kind.__name__}: {error}" if error.args else kind.__name__

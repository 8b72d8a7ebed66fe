"""Errors of the Singer half, and any error in words."""

from __future__ import annotations

from tap_orgvue.orgvue.errors import OrgvueError


class LoaderGone(OrgvueError):
    """Nobody reads standard output any more."""


def in_words(error: BaseException) -> str:
    """What to tell a user of any error: its own words, with its kind where those do not do."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    kind, first = type(error), next(iter(error.args), None)
    if isinstance(first, str) and kind.__module__ != "builtins":
        return first
    return f"{kind.__name__}: {error}" if error.args else kind.__name__

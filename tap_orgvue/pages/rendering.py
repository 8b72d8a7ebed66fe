"""Renders pages from templates: all values are escaped, and pages load nothing."""

from __future__ import annotations

import base64
import functools
import hashlib
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from tap_orgvue import __version__
from tap_orgvue.pages import formats
from tap_orgvue.scrubbing import escaped


def render(template: str, **values: Any) -> str:
    """Make a page.

    Args:
        template: The name of a file in `templates`.
        values: The template's variables.
    """
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tap_orgvue.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    style, script = _source("page.css"), _source("page.js")
    environment.globals.update(
        style=style,
        script=script,
        content_security_policy=(
            f"default-src 'none'; style-src {_digest(style)}; script-src {_digest(script)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        tap_version=__version__,
    )
    environment.filters.update(
        count=formats.count,
        counted=formats.counted,
        seconds=formats.seconds,
        size=formats.size,
        percent=formats.percent,
        difference=formats.difference,
        instant=formats.instant,
        day=formats.day,
        with_code=_with_code,
    )
    return environment


def _with_code(text: str) -> Markup:
    """A message as HTML, text between backticks as `<code>`."""
    visible = "\n".join(map(escaped, text.split("\n")))
    parts = visible.split("`")
    if len(parts) % 2 == 0:
        return escape(visible)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(parts)
    )


def _visible(value: Any) -> Any:
    """A text with its control characters, also those of writing direction, as escapes."""
    # Not `Markup`, which only templates make.
    return escaped(value) if type(value) is str else value


def _source(name: str) -> Markup:
    """A file of the package, unescaped: it contains no name and no value."""
    folder = resources.files("tap_orgvue.pages") / "templates"
    return Markup((folder / name).read_text(encoding="utf-8"))  # noqa: S704 - own files


def _digest(source: str) -> str:
    digest = hashlib.sha256(source.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"

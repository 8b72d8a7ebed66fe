"""The private members of the SDK that `tap_orgvue/singer` uses: a new SDK must still have them."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest
from singer_sdk import Tap
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.metrics import Counter, Timer
from singer_sdk.singerlib.encoding.base import GenericSingerWriter
from singer_sdk.streams import RESTStream
from typing_extensions import override

import tap_orgvue.singer

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS: dict[tuple[type, str], tuple[str, ...]] = {
    (RESTStream, "_finalize_state"): ("self", "state"),
    (RESTStream, "_generate_batch_messages"): ("self", "encoding", "manifest"),
    (RESTStream, "_increment_stream_state"): ("self", "latest_record", "context"),
    (RESTStream, "_process_record"): (*("self", "record", "child_context", "partition_context"),),
    (RESTStream, "_sync_batches"): ("self", "batch_config", "context"),
    (RESTStream, "_sync_records"): ("self", "context", "write_messages"),
    (RESTStream, "_write_activate_version_message"): ("self", "full_table_version"),
    (RESTStream, "_write_batch_message"): ("self", "encoding", "manifest"),
    (RESTStream, "_write_record_message"): ("self", "record"),
    (RESTStream, "_write_schema_message"): ("self",),
    (RESTStream, "_write_starting_replication_value"): ("self", "context"),
    (RESTStream, "_write_state_message"): ("self",),
    (Tap, "_handle_termination"): ("self", "signum", "frame"),
    (Tap, "_setup_signal_handlers"): ("self",),
    (Tap, "_reset_state_progress_markers"): ("self",),
}
"""Methods that are called or overridden, with their parameters."""

ATTRIBUTES = {
    "_initialized_at",
    "_input_schema",
    "_schema",
    "_stream_maps",
    "_stream_version",
    "_tap",
}
"""Attributes of a stream that are read or set."""

CLASS_ATTRIBUTES = {"_LOG_REQUEST_METRICS": True}
"""Attributes of a stream's class that are set, with the SDK's value."""

CLASS_PROPERTIES = {"_env_var_config"}
"""Properties of the tap's class that are overridden."""

NAMES = {
    "singer_sdk.helpers._batch.BaseBatchFileEncoding",
    "singer_sdk.helpers._batch.BatchConfig",
    "singer_sdk.helpers._batch.SDKBatchMessage",
    "singer_sdk.helpers._catalog.get_selected_schema",
    "singer_sdk.helpers._classproperty.classproperty",
    "singer_sdk.helpers._state.PROGRESS_MARKERS",
}
"""Names that are imported from private modules."""

PUBLIC_METHODS: dict[tuple[type, str], tuple[str, ...]] = {
    (RESTStream, "get_batch_counter"): ("self",),
    (RESTStream, "get_batches"): ("self", "batch_config", "context"),
    (RESTStream, "get_http_request_counter"): ("self",),
    (RESTStream, "get_record_counter"): ("self", "endpoint", "log_interval"),
    (RESTStream, "get_records"): ("self", "context"),
    (RESTStream, "get_replication_key_signpost"): ("self", "context"),
    (RESTStream, "get_sync_timer"): ("self",),
    (RESTStream, "log"): ("self", "message", "args", "level", "kwargs"),
    (RESTStream, "sync"): ("self", "context"),
    (Counter, "exit"): ("self",),
    (Timer, "elapsed"): ("self",),
    (GenericSingerWriter, "serialize_message"): ("self", "message"),
    (GenericSingerWriter, "write_message"): ("self", "message"),
}
"""Public methods that are overridden, or whose steps are repeated here."""


class PlainStream(RESTStream[str]):
    """A stream as the SDK has it."""

    name = "plain"
    url_base = "http://localhost:1"
    path = "/"
    schema: ClassVar[dict[str, object]] = {"properties": {}}


class PlainTap(Tap):
    """A tap as the SDK has it."""

    name = "tap-plain"
    config_jsonschema: ClassVar[dict[str, object]] = {"properties": {}}

    @override
    def discover_streams(self) -> list[PlainStream]:
        """Make the stream."""
        return [PlainStream(self)]


FILES = sorted(Path(tap_orgvue.singer.__file__).parent.glob("*.py"))


def private_names() -> Iterator[str]:
    """Private members that the folder's code uses or defines, its own among them."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = getattr(node, "attr", None) or getattr(node, "name", None) or _set_in(node)
            if name.startswith("_") and not name.endswith("__"):
                yield name


def _set_in(node: ast.AST) -> str:
    """The name that a class or a module sets."""
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    return target.id if isinstance(target, ast.Name) else ""


def private_imports() -> Iterator[str]:
    """Dotted names that the folder's code imports from private modules of the SDK."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("singer_sdk"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from (name for name in names if "._" in name)


@pytest.fixture(scope="module")
def tap() -> PlainTap:
    """A tap of the SDK."""
    return PlainTap(config={})


def test_every_private_member_is_listed(tap: PlainTap) -> None:
    """A member of the SDK that is used here stands in one of the tables, and no other does."""
    of_sdk = {*dir(tap), *dir(tap.streams["plain"])}
    listed = {name for _, name in METHODS} | ATTRIBUTES | CLASS_PROPERTIES
    listed |= CLASS_ATTRIBUTES.keys()
    assert of_sdk.intersection(private_names()) == listed
    assert set(private_imports()) == NAMES


@pytest.mark.parametrize(
    "owner,name,parameters",
    [(*where, names) for where, names in {**METHODS, **PUBLIC_METHODS}.items()],
)
def test_methods_take_what_they_took(owner: type, name: str, parameters: tuple[str, ...]) -> None:
    """Each method is there, with its parameters in order."""
    assert tuple(inspect.signature(getattr(owner, name)).parameters) == parameters


def test_the_attributes_of_a_stream_are_there(tap: PlainTap) -> None:
    """Each is set when a stream is made."""
    assert vars(tap.streams["plain"]).keys() >= ATTRIBUTES


def test_the_attributes_of_the_class_are_there() -> None:
    """Each has the value that the tap changes."""
    assert {name: getattr(RESTStream, name) for name in CLASS_ATTRIBUTES} == CLASS_ATTRIBUTES


@pytest.mark.parametrize("name", sorted(CLASS_PROPERTIES))
def test_properties_of_the_class_are_the_sdks(name: str) -> None:
    """Each is read from the class, not from a tap."""
    assert isinstance(inspect.getattr_static(Tap, name), classproperty)


@pytest.mark.parametrize("name", sorted(NAMES))
def test_private_modules_have_their_names(name: str) -> None:
    """Each name can be imported."""
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)


def test_a_batch_message_takes_what_it_took() -> None:
    """The stream, the encoding and the files; this tap leaves the version to the lines."""
    module = importlib.import_module("singer_sdk.helpers._batch")
    fields = {field.name for field in dataclasses.fields(module.SDKBatchMessage)}
    assert fields == {"type", "stream", "encoding", "manifest", "version"}


def test_progress_is_promoted_from_where_it_is_put() -> None:
    """A sync puts its bookmark under this key of the stream's state."""
    state = importlib.import_module("singer_sdk.helpers._state")
    bookmark = {"replication_key": "k", "replication_key_value": "v"}
    stream_state: dict[str, object] = {state.PROGRESS_MARKERS: dict(bookmark)}
    state.finalize_state_progress_markers(stream_state)
    assert stream_state == bookmark

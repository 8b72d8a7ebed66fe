"""BATCH files: whole or not at all, in folders and in object stores."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tap_orgvue.orgvue.errors import OrgvueError
from tap_orgvue.settings.checks import SettingsError
from tap_orgvue.simulator import Dataset
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.object_store import object_store
from tests.support.runs import command, sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_orgvue.simulator import Orgvue


def batch_config(root: str, *, size: int = 10_000, **storage: Any) -> dict[str, Any]:
    """A config's part that switches BATCH files on."""
    return {
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": root, **storage},
            "batch_size": size,
        }
    }


@pytest.mark.parametrize("count", [1500, 60_000])
def test_files_in_an_object_store(serve: Callable[..., Orgvue], count: int) -> None:
    """Files go to S3-style storage as they go to a folder, at once or in parts."""
    tenant = serve(people(count))
    with object_store() as store:
        storage = {
            "params": {"key": "k", "secret": "s", "endpoint_url": store.url},
            "prefix": "nightly/",
        }
        run = sync({**tenant.config, **batch_config("s3://lake/orgvue", size=count, **storage)})
    [message] = run.of_type("BATCH")
    [address] = message["manifest"]
    parts = urlsplit(address)
    assert (parts.scheme, parts.netloc) == ("s3", "lake")
    assert parts.path.startswith("/orgvue/nightly/tap-orgvue--people-")
    lines = gzip.decompress(store.objects[f"/lake{parts.path}"]).splitlines()
    assert [json.loads(line)["id"] for line in lines] == [f"P{i}" for i in range(count)]
    assert "secret" not in json.dumps(run.messages)


@pytest.mark.parametrize("maps", [{}, {"stream_maps": {"broken": {"n": "md5(_id)"}}}])
def test_a_file_that_is_not_whole_is_dropped(
    serve: Callable[..., Orgvue],
    tmp_path: Path,
    maps: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where a stream fails, its files that were announced stay, and nothing else is left."""
    rows = b'["a"],' * 25_000
    broken = b'{"headers":[{"key":"_id","type":"text"}],"rows":[%b["b","c"]]}' % rows
    tenant = serve(Dataset("Broken", body=broken), people(10))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    files = tmp_path / "files"
    run = command({**tenant.config, **maps, **batch_config(files.as_uri(), size=10_000)})
    assert run.code == 1
    announced = [
        Path(urlsplit(address).path).name
        for message in run.of_type("BATCH")
        for address in message["manifest"]
    ]
    assert sorted(announced) == sorted(path.name for path in files.iterdir())
    assert len(announced) == 3
    assert list((tmp_path / "tmp").iterdir()) == []


def test_an_upload_of_a_stream_that_fails_is_aborted(serve: Callable[..., Orgvue]) -> None:
    """An upload in parts that is begun when a stream fails is aborted: nothing is stored."""
    ids = b",".join(b'["%b"]' % os.urandom(24).hex().encode() for _ in range(200_000))
    broken = b'{"headers":[{"key":"_id","type":"text"}],"rows":[%b,["b","c"]]}' % ids
    tenant = serve(Dataset("Broken", body=broken))
    with object_store() as store:
        params = {"key": "k", "secret": "s", "endpoint_url": store.url}
        config = batch_config("s3://lake/x", size=10**6, params=params)
        with pytest.raises(OrgvueError, match="Row 200001"):
            sync({**tenant.config, **config})
        assert store.objects == {}
        assert store.uploads == {"aborted": 1}


def test_a_folder_that_cannot_be_written_is_told(
    serve: Callable[..., Orgvue], tmp_path: Path
) -> None:
    """Where files cannot be written, the run ends with one line, before any request."""
    (tmp_path / "taken").write_text("a file")
    tenant = serve(people(10))
    run = command({**tenant.config, **batch_config((tmp_path / "taken" / "x").as_uri())})
    assert run.code == 1
    assert "Traceback" not in run.stderr
    assert "batch_config: storage.root cannot be written to" in run.stderr.splitlines()[-1]
    assert tenant.requests == []


@pytest.mark.parametrize("size", [0, -1, "many"])
def test_a_size_that_holds_nothing(size: Any) -> None:
    """Files of no records are refused before anything is asked for."""
    with pytest.raises(SettingsError, match="batch_config: batch_size"):
        TapOrgvue(
            config={
                "api_url": "http://localhost:1",
                "tenant_id": "ACME",
                "api_token": "a-token",
                **batch_config("file:///tmp/x", size=size),
            },
            setup_mapper=False,
        )

"""The SDK's own suite of tests for taps, run against the simulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.testing import get_tap_test_class

from tap_orgvue.simulator import Orgvue
from tap_orgvue.tap import TapOrgvue
from tests.support.datasets import people
from tests.support.runs import discover, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_orgvue.simulator import Dataset


def with_a_misfit(name: str) -> Dataset:
    """People of whom one has a salary that is no number, so that every column has a value."""
    dataset = people(6, name)
    dataset.update(3, salary="on request")
    return dataset


# The suite wants its config when the class is made, so the server runs from here on.
ORGVUE = Orgvue([with_a_misfit("People"), with_a_misfit("More People")])
ORGVUE.start()
CATALOG = discover(dict(ORGVUE.config))
for found in CATALOG["streams"]:
    select(CATALOG, found["tap_stream_id"])


@pytest.fixture(scope="module", autouse=True)
def _stopped() -> Iterator[None]:
    """Stop the server after the last of these tests."""
    yield
    ORGVUE.stop()


TestTapOrgvue = get_tap_test_class(TapOrgvue, config=dict(ORGVUE.config), catalog=CATALOG)

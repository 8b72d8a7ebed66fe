"""What every test finds: small tenants, served over real HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tap_orgvue.simulator import Dataset, Orgvue
from tests.support.datasets import people

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


# No test may depend on how fast the machine is, nor leave a database behind.
settings.register_profile("tap-orgvue", deadline=None, database=None)
settings.load_profile("tap-orgvue")


@pytest.fixture
def serve() -> Iterator[Callable[..., Orgvue]]:
    """Serves datasets as a tenant until the test ends."""
    serving: list[Orgvue] = []

    def start(*datasets: Dataset) -> Orgvue:
        orgvue = Orgvue(list(datasets))
        orgvue.__enter__()
        serving.append(orgvue)
        return orgvue

    yield start
    for orgvue in serving:
        orgvue.stop()


@pytest.fixture
def orgvue(serve: Callable[..., Orgvue]) -> Orgvue:
    """A tenant with one small dataset, `People`, of five rows."""
    return serve(people())

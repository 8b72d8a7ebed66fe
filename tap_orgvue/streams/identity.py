"""The streams of earlier runs: the tenant and the datasets that a state belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from tap_orgvue.settings import SettingsError
from tap_orgvue.streams.state import StreamState

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_REMEDY = (
    "Give each tenant a state of its own with `--state-id-suffix`, drop this one with `meltano "
    "state clear`, or load anew with `--full-refresh --state-strategy overwrite`."
)


class EarlierRuns(msgspec.Struct, frozen=True):
    """The streams that earlier runs of this tenant loaded.

    Attributes:
        states: Stream name to its state, without streams of other tenants and retired ones.
        warnings: Sentences about the state, for the log of a run that sends records.
    """

    states: Mapping[str, StreamState] = msgspec.field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def stream_owners(self) -> dict[str, str]:
        """Dataset id in upper case to the name of its stream."""
        return {
            state.dataset: name for name, state in self.states.items() if state.dataset is not None
        }

    @property
    def has_dataset_names(self) -> bool:
        """True if the name of a dataset can be compared with that of the last run."""
        return any(state.dataset_name is not None for state in self.states.values())

    @property
    def without_owners(self) -> list[str]:
        """Names of streams whose state an older version wrote, which kept no owners."""
        return [
            name
            for name, state in self.states.items()
            if state.dataset is None and not state.owners.is_empty
        ]

    @property
    def protections(self) -> dict[tuple[str, str], frozenset[str]]:
        """Stream name and property key to the patterns that protected the property."""
        found: dict[tuple[str, str], frozenset[str]] = {}
        for name, state in self.states.items():
            for pattern, key in state.protected:
                found[name, key] = found.get((name, key), frozenset()) | {pattern}
        return found

    def dataset_of(self, stream: str) -> str | None:
        """The id, in upper case, of the dataset that a stream's table holds; None if unknown."""
        state = self.states.get(stream)
        return state.dataset if state else None

    def state_of(self, stream: str, dataset_id: str) -> StreamState:
        """The state of a stream, empty if it belongs to another dataset."""
        state = self.states.get(stream)
        if state is None or state.dataset not in {None, dataset_id.upper()}:
            return StreamState()
        return state


def read_earlier_runs(
    state: Mapping[str, Any],
    tenant: str,
    *,
    retired: Collection[str] = (),
) -> EarlierRuns:
    """Read the streams of a state, once it is known to belong to the tenant.

    Args:
        state: The tap's state.
        tenant: The tenant of the settings; see `tenant_key`.
        retired: The setting `retired_streams`: names and dataset ids of streams to forget.

    Raises:
        SettingsError: The whole state belongs to another tenant.
    """
    bookmarks = state.get("bookmarks", {})
    states = {name: StreamState.from_bookmark(bookmark) for name, bookmark in bookmarks.items()}
    foreign = {name for name, each in states.items() if each.tenant not in {None, tenant}}
    warnings = []
    if foreign:
        whose = ", ".join(sorted({str(states[name].tenant) for name in foreign}))
        if all(each.tenant != tenant for each in states.values()):
            raise SettingsError(
                [f"state: it belongs to the tenant {whose}, and this run reads {tenant}. {_REMEDY}"]
            )
        warnings.append(
            f"The state holds streams of another tenant ({whose}), which are ignored: "
            f"{', '.join(sorted(foreign))}. {_REMEDY}"
        )
    forgotten = {name.casefold() for name in retired}
    earlier = EarlierRuns(
        {
            name: each
            for name, each in states.items()
            if name not in foreign
            and not forgotten & {name.casefold(), (each.dataset or "").casefold()}
        }
    )
    if earlier.without_owners:
        warnings.append(
            "The state of these streams is of an older version and does not know which property a "
            f"column belongs to: {', '.join(earlier.without_owners)}. Names are given anew; "
            "CHANGELOG says how to upgrade."
        )
    return msgspec.structs.replace(earlier, warnings=tuple(warnings))


def forget_other_streams(state: Mapping[str, Any], earlier: EarlierRuns) -> None:
    """Remove streams of other tenants and retired ones from a state."""
    bookmarks = state.get("bookmarks", {})
    for name in [name for name in bookmarks if name not in earlier.states]:
        del bookmarks[name]

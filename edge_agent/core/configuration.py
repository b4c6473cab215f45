"""Which site file an agent runs on: the rules, without the disk and the devices.

At the start: the file of the command line counts when its content is another one than at the last
start (somebody changed it at the machine since), else the last good version, pushed or not. A file
of the command line that has mistakes never takes the place of a good version.

A push: taken when its number is above the last one's and the whole file is good; `running` changes
only when the devices came up with it, so whatever ends the agent in between leaves the last good.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from contracts.base import SCHEMA, Record
from contracts.fleet import (
    REASONS_MAX,
    ConfigurationPushed,
    ConfigurationState,
    digest_of,
    file_version,
    version_of,
)
from contracts.site import SiteFile, read_site
from contracts.site_devices import DeviceTable


class Stored(Record, frozen=True, kw_only=True):
    """What an agent keeps on its disk beside the texts of its site files."""

    schema: int = SCHEMA
    """Version of this record."""
    state: ConfigurationState
    """As it is told."""
    digest: str
    """Of the text in force."""
    file_digest: str
    """Of the command line's file at the last start."""


class Start(NamedTuple):
    """What an agent starts with."""

    site_file: SiteFile
    text: str
    stored: Stored
    """To be kept before the devices start."""
    notes: tuple[str, ...]
    """For the log: what is not as whoever started it may think."""


class Refusal(NamedTuple):
    """Why something cannot be used."""

    reasons: tuple[str, ...]


def usable_site(text: str, gateway: str) -> SiteFile | Refusal:
    """The site in a text that is good for a gateway, or all that is wrong."""
    site_file = read_site(text)
    if not isinstance(site_file, SiteFile):
        return Refusal(tuple(mistake.text() for mistake in site_file[:REASONS_MAX]))
    known = [table.id for table in site_file.gateways]
    if gateway not in known:
        return Refusal((f"has no gateway {gateway!r}; it has {', '.join(known)}",))
    return site_file


def at_start(
    file_text: str | Refusal,
    stored: Stored | None,
    text_of: Callable[[str], str | None],
    *,
    gateway: str,
    at_us: int,
) -> Start | Refusal:
    """What to start with. `text_of` gives the kept text of a digest; `at_us`: wall time."""
    written = file_text if isinstance(file_text, Refusal) else usable_site(file_text, gateway)
    if stored is None:
        if isinstance(written, Refusal) or isinstance(file_text, Refusal):
            return _refusal(written)
        state = ConfigurationState(gateway=gateway, running="", at_us=at_us)
        return _with_file(written, file_text, state, ())
    state, notes = _after_a_break(stored.state, at_us)
    is_changed = isinstance(file_text, str) and digest_of(file_text) != stored.file_digest
    if is_changed and isinstance(written, SiteFile) and isinstance(file_text, str):
        note = f"the site file was changed since the last start and replaces {state.running}"
        return _with_file(written, file_text, state, (*notes, note))
    kept = text_of(stored.digest)
    good = Refusal(("is missing or damaged",)) if kept is None else usable_site(kept, gateway)
    if isinstance(good, SiteFile) and kept is not None:
        if isinstance(written, Refusal):
            reasons = (f"the site file cannot be used: {reason}" for reason in written.reasons)
            notes = (*notes, *reasons, f"going on with {state.running}")
        return Start(good, kept, _replaced(stored, state), notes)
    if isinstance(written, Refusal) or isinstance(file_text, Refusal):
        return _refusal(written)
    lost = f"the kept {state.running} cannot be used, the site file takes its place"
    return _with_file(written, file_text, state, (*notes, lost))


def _refusal(written: SiteFile | Refusal) -> Refusal:
    assert isinstance(written, Refusal), "a text that could not be read is no site"
    return written


def _with_file(
    site_file: SiteFile, text: str, state: ConfigurationState, notes: tuple[str, ...]
) -> Start:
    digest = digest_of(text)
    state = changed(state, running=file_version(digest))
    return Start(site_file, text, Stored(state=state, digest=digest, file_digest=digest), notes)


def _after_a_break(
    state: ConfigurationState, at_us: int
) -> tuple[ConfigurationState, tuple[str, ...]]:
    if state.outcome != "trying":
        return state, ()
    reason = f"the agent ended while it tried {state.handled}"
    return changed(state, outcome="rolled_back", reasons=(reason,), at_us=at_us), (reason,)


def judge_push(
    pushed: ConfigurationPushed, state: ConfigurationState, *, site: str, gateway: str
) -> SiteFile | Refusal | None:
    """The site to try, or why not; None where it was handled already (retained: it comes again)."""
    version = version_of(pushed.number, pushed.digest)
    if version == state.handled:
        return None
    if digest_of(pushed.text) != pushed.digest:
        return Refusal(("the text does not fit its digest: it was changed on its way",))
    if pushed.number <= state.number:
        reason = f"number {pushed.number} is not above {state.number}, which came before"
        return Refusal((reason,))
    found = usable_site(pushed.text, gateway)
    if isinstance(found, SiteFile) and found.site != site:
        return Refusal((f"describes site {found.site!r}; this agent belongs to {site!r}",))
    return found


class DeviceDifference(NamedTuple):
    """How the devices of a gateway differ between two site files."""

    removed: tuple[str, ...]
    changed: tuple[DeviceTable, ...]
    added: tuple[DeviceTable, ...]

    def text(self) -> str:
        """In words."""
        parts = (
            ("changed", [device.id for device in self.changed]),
            ("added", [device.id for device in self.added]),
            ("removed", list(self.removed)),
        )
        told = [f"{word} {', '.join(names)}" for word, names in parts if names]
        return "; ".join(told) or "no device changed"


def devices_of(site_file: SiteFile, gateway: str) -> tuple[DeviceTable, ...]:
    """The devices of a gateway."""
    return tuple(device for device in site_file.devices if device.gateway == gateway)


def difference(
    old: tuple[DeviceTable, ...],
    new: tuple[DeviceTable, ...],
    *,
    kinds_touched: frozenset[str] = frozenset(),
) -> DeviceDifference:
    """What to stop, start anew and start, to come from the old devices to the new ones.

    `kinds_touched`: kinds of device that something outside of their own tables changed for.
    """
    before = {device.id: device for device in old}
    after = {device.id for device in new}
    return DeviceDifference(
        removed=tuple(name for name in before if name not in after),
        changed=tuple(
            device
            for device in new
            if device.id in before and (device != before[device.id] or device.kind in kinds_touched)
        ),
        added=tuple(device for device in new if device.id not in before),
    )


def changed(state: ConfigurationState, **fields: object) -> ConfigurationState:
    """The state with some fields replaced."""
    values = {name: getattr(state, name) for name in state.__struct_fields__}
    return ConfigurationState(**(values | fields))


def _replaced(stored: Stored, state: ConfigurationState) -> Stored:
    return Stored(state=state, digest=stored.digest, file_digest=stored.file_digest)

"""The site files of an agent on its disk, and the trial of one that was pushed.

The folder `configuration` beside the spool holds every text under its digest and `state.json`,
which names the one in force. Both are written aside, flushed and renamed, so that at every instant
a whole and good version is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from contracts.codec import UNDECODABLE
from contracts.fleet import ConfigurationPushed, ConfigurationState, digest_of, version_of
from contracts.site import SiteFile
from edge_agent import journal
from edge_agent.core.configuration import Refusal, Stored, changed, judge_push

FOLDER = "configuration"
STATE = "state.json"
REASON_CHARACTERS_MAX = 300
"""Of a failure that nobody foresaw."""
TEXTS_MAX = 20
"""Kept versions, for whoever wants to look back."""
NANOSECONDS = 1_000

Trial = Callable[[SiteFile], Awaitable[tuple[bool, tuple[str, ...]]]]
"""Bring the devices to a site file: whether they came up, and what is to be told of it. Where they
did not, the ones before run again."""


def wall_us() -> int:
    """Wall time now."""
    return time.time_ns() // NANOSECONDS


class ConfigurationStore:
    """The folder. Blocking, and small."""

    def __init__(self, data: Path) -> None:
        """`data`: the folder of the spool."""
        self.folder = data / FOLDER

    def read(self) -> Stored | None:
        """What was kept last; None where there is nothing that could be used."""
        try:
            return msgspec.json.decode((self.folder / STATE).read_bytes(), type=Stored)
        except FileNotFoundError:
            return None
        except (OSError, *UNDECODABLE) as error:
            journal.write("the kept configuration cannot be read", problem=str(error))
            return None

    def text_of(self, digest: str) -> str | None:
        """A kept text; None where it is missing or not what it was."""
        with suppress(OSError, UnicodeDecodeError):
            text = self._text_path(digest).read_bytes().decode()
            if digest_of(text) == digest:
                return text
        return None

    def keep(self, stored: Stored, text: str) -> None:
        """Keep a text and what is known of it, for good when this returns. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._text_path(digest_of(text))
        if self.text_of(digest_of(text)) is None:
            _write(path, text.encode())
        self.keep_state(stored)
        self._forget_old({path, self._text_path(stored.digest)})

    def keep_state(self, stored: Stored) -> None:
        """Keep what is known, for good when this returns. Raises OSError."""
        _write(self.folder / STATE, msgspec.json.format(msgspec.json.encode(stored)) + b"\n")

    def standing_alarms(self) -> dict[tuple[str, str], str]:
        """The alarms that stood when the agent ended."""
        with suppress(OSError, ValueError, TypeError):
            kept = json.loads((self.folder / "alarms.json").read_bytes())
            return {(str(device), str(name)): str(reason) for device, name, reason in kept}
        return {}

    def keep_alarms(self, standing: dict[tuple[str, str], str]) -> None:
        """Keep the alarms that stand. Raises OSError."""
        self.folder.mkdir(parents=True, exist_ok=True)
        rows = [[*key, reason] for key, reason in standing.items()]
        _write(self.folder / "alarms.json", json.dumps(rows).encode())

    def _text_path(self, digest: str) -> Path:
        return self.folder / f"{digest}.toml"

    def _forget_old(self, needed: set[Path]) -> None:
        texts = sorted(self.folder.glob("*.toml"), key=lambda path: path.stat().st_mtime)
        for path in texts[:-TEXTS_MAX]:
            if path not in needed:
                path.unlink(missing_ok=True)


def _write(path: Path, content: bytes) -> None:
    """All or nothing, and on the disk itself."""
    aside = path.with_name(f"{path.name}.new")
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Configuration:
    """Takes what is pushed, tries it, and tells what became of it."""

    def __init__(
        self, store: ConfigurationStore, stored: Stored, *, site: str, gateway: str, trial: Trial
    ) -> None:
        self._store = store
        self._stored = stored
        self._site = site
        self._gateway = gateway
        self._trial = trial
        self._offered: ConfigurationPushed | None = None
        self._arrived = asyncio.Event()
        self.changed = asyncio.Event()
        """Set when `state` is another one."""

    @property
    def state(self) -> ConfigurationState:
        """What is to be told."""
        return self._stored.state

    def offer(self, pushed: ConfigurationPushed) -> None:
        """Something was pushed; a newer one takes the place of one that nobody looked at yet."""
        self._offered = pushed
        self._arrived.set()

    async def run(self) -> None:
        """Try what is pushed, one after the other, for ever."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            pushed, self._offered = self._offered, None
            if pushed is not None:
                await self._take(pushed)

    def _judged(self, pushed: ConfigurationPushed) -> SiteFile | Refusal | None:
        try:
            return judge_push(pushed, self.state, site=self._site, gateway=self._gateway)
        except Exception as error:  # noqa: BLE001 - no pushed text may end the agent.
            reason = f"cannot be judged: {type(error).__name__}: {error}"
            return Refusal((reason[:REASON_CHARACTERS_MAX],))

    async def _take(self, pushed: ConfigurationPushed) -> None:
        # A large file takes a second to check; the devices are read meanwhile.
        judged = await asyncio.to_thread(self._judged, pushed)
        if judged is None:
            return
        version = version_of(pushed.number, pushed.digest)
        journal.write("configuration pushed", version=version, by=pushed.by)
        state = changed(
            self.state,
            handled=version,
            number=max(pushed.number, self.state.number),
            by=pushed.by,
            pushed_us=pushed.at_us,
            at_us=wall_us(),
        )
        if isinstance(judged, Refusal):
            await self._tell(changed(state, outcome="refused", reasons=judged.reasons))
            return
        try:
            trying = changed(state, outcome="trying", reasons=())
            await self._tell(trying, text=pushed.text)
        except OSError as error:
            reason = f"the file cannot be kept: {error}"
            self._set(changed(state, outcome="refused", reasons=(reason,)), self._stored.digest)
            return
        is_good, reasons = await self._trial(judged)
        outcome = "applied" if is_good else "rolled_back"
        state = changed(state, outcome=outcome, reasons=reasons, at_us=wall_us())
        if is_good:
            state = changed(state, running=version)
        await self._tell(state, digest=pushed.digest if is_good else None)

    async def _tell(
        self, state: ConfigurationState, *, text: str | None = None, digest: str | None = None
    ) -> None:
        """Keep a state, then tell it. Raises OSError only where a text is to be kept."""
        stored = Stored(
            state=state,
            digest=digest or self._stored.digest,
            file_digest=self._stored.file_digest,
        )
        if text is not None:
            await asyncio.to_thread(self._store.keep, stored, text)
        else:
            try:
                await asyncio.to_thread(self._store.keep_state, stored)
            except OSError as error:
                journal.write("the configuration's state cannot be kept", problem=str(error))
        self._set(state, stored.digest)

    def _set(self, state: ConfigurationState, digest: str) -> None:
        self._stored = Stored(state=state, digest=digest, file_digest=self._stored.file_digest)
        journal.write(
            "configuration",
            running=state.running,
            handled=state.handled,
            outcome=state.outcome,
            reasons="; ".join(state.reasons),
        )
        self.changed.set()

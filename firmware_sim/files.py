"""The files of a rehearsal: what a site would be given before, and the truth after."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from firmware_sim.core.goods import PACKAGING
from firmware_sim.core.shift import Shift
from firmware_sim.core.truth import Passage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rfc3339(at_us: int) -> str:
    """A time in UTC microseconds as text."""
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def us_of(text: str) -> int:
    """A time as text in UTC microseconds. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"a time needs its zone, such as a Z at the end: {text}")
    return (moment - _EPOCH) // timedelta(microseconds=1)


def items_csv(shift: Shift) -> str:
    """`items.csv`: item, name, name_zh."""
    goods = [(item.number, item.name, item.name_zh) for item in shift.goods.items]
    return _csv(("item", "name", "name_zh"), [*goods, *PACKAGING])


def loads_csv(shift: Shift, start_us: int) -> str:
    """`loads.csv`: one row per line of a load."""
    rows = [
        (
            load.name,
            load.gate,
            load.direction,
            rfc3339(start_us + load.opens_us),
            rfc3339(start_us + load.closes_us),
            line.pallet,
            line.case,
            line.identity,
            line.item,
            str(line.quantity),
        )
        for load in shift.loads
        for line in load.lines
    ]
    names = "load gate direction opens_at closes_at pallet case identity item quantity"
    return _csv(tuple(names.split()), rows)


def write_passages(path: Path, passages: list[Passage]) -> None:
    """`passages.jsonl`."""
    encode = msgspec.json.encode
    with path.open("wb") as file:
        for passage in passages:
            row: dict[str, str | int | None] = {
                "identity": passage.identity,
                "gate": passage.gate,
                "kind": passage.kind,
                "direction": passage.direction,
                "load": passage.load,
                "at": rfc3339(passage.at_us),
                "reads_emitted": passage.reads_emitted,
                "not_heard": passage.not_heard,
                "geometry": passage.geometry,
                "how": passage.how,
                "from": rfc3339(passage.from_us),
                "until": rfc3339(passage.until_us),
            }
            file.write(encode(row) + b"\n")


class _Row(msgspec.Struct, frozen=True, rename={"from_": "from"}):
    identity: str
    gate: str
    kind: str
    direction: str | None
    load: str | None
    at: str
    reads_emitted: int
    geometry: str
    from_: str
    until: str
    how: str = ""
    not_heard: int = 0


def read_passages(path: Path) -> list[Passage]:
    """What `write_passages` wrote."""
    decoder = msgspec.json.Decoder(_Row)
    with path.open("rb") as file:
        rows = [decoder.decode(line) for line in file]
    return [
        Passage(
            identity=row.identity,
            gate=row.gate,
            geometry=row.geometry,
            kind=row.kind,
            direction=row.direction,
            load=row.load,
            at_us=us_of(row.at),
            from_us=us_of(row.from_),
            until_us=us_of(row.until),
            how=row.how,
            reads_emitted=row.reads_emitted,
            not_heard=row.not_heard,
        )
        for row in rows
    ]


def write_truth(path: Path, shift: Shift, start_us: int, until_us: int) -> None:
    """`truth.jsonl`: what was planned to go wrong, as far as it happened."""
    encode = msgspec.json.encode
    with path.open("wb") as file:
        for number, fault in enumerate(shift.faults):
            if fault.occurred_us > until_us:
                continue
            cause = fault.consequence_of
            row: dict[str, str | int | list[str] | None] = {
                "fault_id": f"F-{number + 1}",
                "kind": fault.cause,
                "problem": fault.problem,
                "item": fault.item,
                "identities": fault.identities,
                "quantity": fault.quantity,
                "load": fault.load,
                "location": fault.location,
                "at_load": fault.at_load or None,
                "step": "loading" if fault.load.startswith("S") else "receiving",
                "person": None,
                "device": None,
                "occurred_at": rfc3339(start_us + fault.occurred_us),
                "consequence_of": None if cause is None else f"F-{cause + 1}",
            }
            file.write(encode(row) + b"\n")


def _csv(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    return text.getvalue()

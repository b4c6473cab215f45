"""How a client wants single antennas to read: AntennaConfiguration and what is inside.

A wish that this reader cannot fulfil is refused with an LLRP status; nothing is silently softened.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from firmware_sim.core.llrp_makers import NOBODY, Maker
from firmware_sim.core.llrp_wire import Kind, Parameter, Refused, Status, fields, parameters

POWER_STEP_DB = 0.25
"""Steps of the transmit power table."""
HOP_TABLE = 1
EPC_BANK = 1
EPC_OFFSET_BITS = 32
INVENTORY_SEARCH_MODE = 23
"""Impinj's parameter."""
SEARCH_MODE_MAX = 6
QUIETING = (1, 3, 5)
"""Impinj's search modes that leave a tag quiet after it was read; dual target (2) and dual target
with reset (6) read it again and again."""
SELECTED = 0
"""Target of a state-aware filter: the selected flag."""
UNAWARE = ((1, 0), (1, None), (None, 0), (0, None), (0, 1), (None, 1))
"""By action: what becomes of tags that match and of the others; 1 selected, 0 not, None as was."""
AWARE = ((1, 0), (1, None), (None, 0), None, (0, 1), (0, None), (None, 1))
"""The same for state-aware actions on the selected flag; negation is not supported."""


@dataclass(frozen=True, slots=True)
class TagFilter:
    """One C1G2Filter on EPC memory."""

    offset: int
    """In bits, from the EPC's first."""
    bits: str
    matching: int | None
    others: int | None


@dataclass(frozen=True, slots=True)
class AntennaWish:
    """How one antenna shall read."""

    power_dbm: float
    session: int
    population: int
    search_mode: int = 0
    """Impinj's; 0: the reader's own choice."""
    rate: float = 1.0
    """How many reads the mode gives, as a share of the reader's best."""
    filters: tuple[TagFilter, ...] = ()
    flag: int | None = None
    """Which inventoried flag is asked for: 0 A, 1 B; None: the reader's business."""
    selected: bool = False
    """With `flag`: only tags that filters have selected."""

    def wants(self, epc: bytes) -> bool:
        """Whether a tag passes the filters."""
        if not self.filters:
            return not self.selected
        bits = format(int.from_bytes(epc, "big"), f"0{len(epc) * 8}b")
        chosen = 0
        for one in self.filters:
            matches = bits.startswith(one.bits, one.offset)
            action = one.matching if matches else one.others
            chosen = chosen if action is None else action
        # A state-aware query that asks for tags that are not selected gets just these.
        return bool(chosen) if self.flag is None or self.selected else not chosen


@dataclass(slots=True)
class Abilities:
    """What decides whether a wish can be fulfilled."""

    antennas: tuple[int, ...]
    inputs: int
    version: int
    power_min_dbm: float
    power_max_dbm: float
    wishes: dict[int, AntennaWish] = field(default_factory=dict)
    """The reader's present configuration, by antenna."""
    maker: Maker = NOBODY
    extended: bool = False
    """Whether the maker's extensions may be used now."""

    @property
    def powers(self) -> list[float]:
        """The transmit power table, from index 1."""
        steps = round((self.power_max_dbm - self.power_min_dbm) / POWER_STEP_DB)
        return [self.power_min_dbm + POWER_STEP_DB * step for step in range(steps + 1)]


def refuse_parameter(kind: int, where: str) -> Refused:
    """A parameter that has no business there."""
    return Refused(Status.UNSUPPORTED_PARAMETER, f"parameter {kind} in {where} is not supported")


def read_custom(part: Parameter, able: Abilities, where: str) -> tuple[int, bytes]:
    """Number and content of one of this maker's own parameters. Raises Refused."""
    vendor, subtype = fields("II", part.body, "Custom")
    if not able.extended or vendor != able.maker.number:
        words = f"parameter {subtype} of vendor {vendor} in {where} is not supported"
        raise Refused(Status.UNSUPPORTED_PARAMETER, words)
    return subtype, part.body[8:]


def read_antenna(
    body: bytes, able: Abilities, wishes: dict[int, AntennaWish]
) -> dict[int, AntennaWish]:
    """What an AntennaConfiguration changes, by antenna. Raises Refused."""
    (asked,) = fields("H", body, "AntennaConfiguration")
    if asked != 0 and asked not in able.antennas:
        raise Refused(Status.OUT_OF_RANGE, f"there is no antenna {asked}")
    changed = {antenna: wishes[antenna] for antenna in (able.antennas if asked == 0 else (asked,))}
    for part in parameters(body, 2):
        if part.kind == Kind.RF_TRANSMITTER:
            power_dbm = _power(part.body, able)
            changed = {
                antenna: replace(wish, power_dbm=power_dbm) for antenna, wish in changed.items()
            }
        elif part.kind == Kind.C1G2_INVENTORY_COMMAND:
            changed = {
                antenna: _command(part.body, able, wish) for antenna, wish in changed.items()
            }
        elif part.kind != Kind.RF_RECEIVER:
            raise refuse_parameter(part.kind, "AntennaConfiguration")
    return changed


def _power(body: bytes, able: Abilities) -> float:
    hops, _, index = fields("HHH", body, "RFTransmitter")
    powers = able.powers
    if not 1 <= index <= len(powers):
        raise Refused(Status.OUT_OF_RANGE, f"transmit power index {index} is not there")
    if hops != HOP_TABLE:
        raise Refused(Status.OUT_OF_RANGE, f"hop table {hops} is not there")
    return powers[index - 1]


def _command(body: bytes, able: Abilities, wish: AntennaWish) -> AntennaWish:
    """C1G2InventoryCommand over what was set up before."""
    (flags,) = fields("B", body, "C1G2InventoryCommand")
    aware = bool(flags & 0x80)
    if aware and not able.maker.state_aware:
        raise Refused(Status.FIELD_ERROR, "this reader cannot be told inventoried flags")
    filters: list[TagFilter] = []
    wish = replace(wish, flag=None, selected=False, search_mode=0)
    for part in parameters(body, 1):
        if part.kind == Kind.C1G2_FILTER:
            filters.append(_filter(part.body, aware=aware))
        elif part.kind == Kind.C1G2_RF_CONTROL:
            wish = replace(wish, rate=_rate(part.body, able))
        elif part.kind == Kind.C1G2_SINGULATION_CONTROL:
            wish = _singulation(part.body, wish, aware=aware)
        elif part.kind == Kind.CUSTOM:
            subtype, content = read_custom(part, able, "C1G2InventoryCommand")
            if not able.maker.search_modes or subtype != INVENTORY_SEARCH_MODE:
                raise refuse_parameter(subtype, "C1G2InventoryCommand")
            (mode,) = fields("H", content, "ImpinjInventorySearchMode")
            if mode > SEARCH_MODE_MAX:
                raise Refused(Status.OUT_OF_RANGE, f"search mode {mode} is not there")
            wish = replace(wish, search_mode=mode)
        else:
            raise refuse_parameter(part.kind, "C1G2InventoryCommand")
    if len(filters) > able.maker.filters_max:
        words = f"{len(filters)} filters are more than {able.maker.filters_max}"
        raise Refused(Status.OVERFLOW_PARAMETER, words)
    return replace(wish, filters=tuple(filters))


def _rate(body: bytes, able: Abilities) -> float:
    number, tari_ns = fields("HH", body, "C1G2RFControl")
    for mode in able.maker.modes:
        if mode.number == number:
            lowest, highest = mode.tari_ns
            if tari_ns and not lowest <= tari_ns <= highest:
                raise Refused(Status.OUT_OF_RANGE, f"Tari {tari_ns} is not in mode {number}")
            return mode.rate
    raise Refused(Status.OUT_OF_RANGE, f"mode {number} is not there")


def _singulation(body: bytes, wish: AntennaWish, *, aware: bool) -> AntennaWish:
    session, population, _ = fields("BHI", body, "C1G2SingulationControl")
    wish = replace(wish, session=session >> 6, population=population)
    for part in parameters(body, struct.calcsize(">BHI")):
        if part.kind != Kind.C1G2_STATE_AWARE_SINGULATION or not aware:
            raise refuse_parameter(part.kind, "C1G2SingulationControl")
        (bits,) = fields("B", part.body, "C1G2TagInventoryStateAwareSingulationAction")
        wish = replace(wish, flag=bits >> 7, selected=not bits & 0x40)
    return wish


def _filter(body: bytes, *, aware: bool) -> TagFilter:
    inside = parameters(body, 1)
    masks = [part.body for part in inside if part.kind == Kind.C1G2_INVENTORY_MASK]
    wanted = Kind.C1G2_AWARE_FILTER_ACTION if aware else Kind.C1G2_UNAWARE_FILTER_ACTION
    actions = [part.body for part in inside if part.kind == wanted]
    if len(masks) != 1 or len(actions) != 1:
        raise Refused(Status.MISSING_PARAMETER, "C1G2Filter needs a mask and an action")
    bank, pointer, count = fields("BHH", masks[0], "C1G2TagInventoryMask")
    data = masks[0][5:]
    if bank >> 6 != EPC_BANK or pointer < EPC_OFFSET_BITS or len(data) != (count + 7) // 8:
        raise Refused(Status.FIELD_ERROR, "only masks on the EPC are supported")
    bits = format(int.from_bytes(data, "big"), f"0{len(data) * 8}b")[:count] if data else ""
    table: tuple[tuple[int | None, int | None] | None, ...] = AWARE if aware else UNAWARE
    target, action = (*actions[0][:1], *actions[0][-1:]) if aware else (SELECTED, actions[0][0])
    found = table[action] if action < len(table) else None
    if found is None or target != SELECTED:
        raise Refused(Status.FIELD_ERROR, f"filter action {action} is not supported")
    return TagFilter(pointer - EPC_OFFSET_BITS, bits, *found)

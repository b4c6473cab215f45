"""Which tags are wanted, by how their EPC begins: as LLRP filters, and as a test of our own.

The reader is asked to leave out what is not wanted, so that it spends its time on the others. Not
every reader takes as many filters, or any: what comes all the same is left out here.
"""

from typing import Final

import msgspec

from edge_agent.core.llrp.codec import Parameter, parameter

EPC_BANK: Final = 1
EPC_OFFSET_BITS: Final = 32
"""In the EPC bank, the EPC comes after its CRC and protocol control bits."""
DIGIT_BITS: Final = 4
_SELECT_ELSE_UNSELECT: Final = 0
_SELECT: Final = 1
_UNSELECT: Final = 3
_UNSELECT_ELSE_SELECT: Final = 4
_AWARE: Final = {
    _SELECT_ELSE_UNSELECT: 0,
    _SELECT: 1,
    _UNSELECT: 5,
    _UNSELECT_ELSE_SELECT: 4,
}
"""The same for readers that are told flags: assert or deassert the selected flag."""
_TARGET_SELECTED: Final = 0


class EpcFilters(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted: EPCs that begin with any of `include` (all, if empty), none of `exclude`."""

    include: tuple[str, ...] = ()
    """Hexadecimal digits, lower case, 4 bits each."""
    exclude: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.include or self.exclude)

    @property
    def count(self) -> int:
        """How many filters of a reader they take."""
        return len(self.include) + len(self.exclude)

    def wants(self, epc: bytes) -> bool:
        """Whether a tag is wanted."""
        digits = epc.hex()
        if self.include and not digits.startswith(self.include):
            return False
        return not (self.exclude and digits.startswith(self.exclude))

    def parameters(self, *, state_aware: bool) -> tuple[Parameter, ...]:
        """C1G2Filters, in the order in which they are to be applied."""
        actions = [(prefix, _SELECT) for prefix in self.include]
        actions += [(prefix, _UNSELECT) for prefix in self.exclude]
        return tuple(
            _filter(prefix, _first(action) if place == 0 else action, state_aware=state_aware)
            for place, (prefix, action) in enumerate(actions)
        )


def _first(action: int) -> int:
    """The first filter also says what becomes of all other tags."""
    return _SELECT_ELSE_UNSELECT if action == _SELECT else _UNSELECT_ELSE_SELECT


def _filter(prefix: str, action: int, *, state_aware: bool) -> Parameter:
    mask = parameter(
        "C1G2TagInventoryMask",
        MemoryBank=EPC_BANK,
        MostSignificantBit=EPC_OFFSET_BITS,
        TagMaskNumBits=len(prefix) * DIGIT_BITS,
        TagMask=bytes.fromhex(prefix + "0" * (len(prefix) % 2)),
    )
    if state_aware:
        applied = parameter(
            "C1G2TagInventoryStateAwareFilterAction",
            Target=_TARGET_SELECTED,
            FilterAction=_AWARE[action],
        )
    else:
        applied = parameter("C1G2TagInventoryStateUnawareFilterAction", FilterAction=action)
    return parameter("C1G2Filter", mask, applied, TruncateAction=0)

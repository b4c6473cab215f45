"""What lies in the warehouse: items with names, and tagged units, cases and pallets."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from firmware_sim.core import epc
from firmware_sim.core.dice import key_of, stream

PREFIXES = ("0614141", "6901234")
"""Company prefixes of the two suppliers: GS1's own example, and a Chinese one."""
SERIALS_PER_ITEM = 100_000
"""Serials of one item lie within so many numbers."""
TESTED_DEVIATIONS = 2.0
"""Standard deviations of sensitivity within which a factory lets tags go."""
LETTERED_ITEMS = (5, 17)
"""Items whose serials carry letters: their tags hold SGTIN-198, longer than 96 bits."""

CATALOGUE = (
    ("Deep-groove bearing 6204", "深沟球轴承 6204"),
    ("Hydraulic hose 12 mm", "液压软管 12 毫米"),
    ("Servo motor 400 W", "伺服电机 400 瓦"),
    ("Proximity switch M12", "接近开关 M12"),
    ("LED driver 60 W", "LED 驱动电源 60 瓦"),
    ("Frequency converter 2.2 kW", "变频器 2.2 千瓦"),
    ("Contactor 25 A", "交流接触器 25 安"),
    ("Circuit breaker C16", "断路器 C16"),
    ("Pneumatic cylinder 32x100", "气缸 32x100"),
    ("Solenoid valve 5/2", "电磁阀 5/2"),
    ("Timing belt HTD 8M", "同步带 HTD 8M"),
    ("Gear motor 1:30", "减速电机 1:30"),
    ("Pressure sensor 0-10 bar", "压力传感器 0-10 巴"),
    ("Cable gland M20", "电缆接头 M20"),
    ("Power supply 24 V", "开关电源 24 伏"),
    ("Linear guide 500 mm", "直线导轨 500 毫米"),
    ("Encoder 1024 pulses", "编码器 1024 线"),
    ("Touch panel 7 inch", "触摸屏 7 寸"),
    ("Safety relay 24 V", "安全继电器 24 伏"),
    ("Cooling fan 120 mm", "散热风扇 120 毫米"),
    ("Oil seal 35x52x7", "油封 35x52x7"),
    ("Coupling 14 mm", "联轴器 14 毫米"),
    ("Ball valve DN25", "球阀 DN25"),
    ("Flow meter DN15", "流量计 DN15"),
)
"""Names in English and Chinese."""

CASE_ITEM = "CASE"
PALLET_ITEM = "PALLET"
PACKAGING = ((CASE_ITEM, "Case", "箱"), (PALLET_ITEM, "Pallet", "托盘"))
"""Item numbers under which the lines of a load name its cases and pallets themselves."""


@dataclass(slots=True)
class Item:
    """An item of the catalogue."""

    number: str
    prefix: str
    name: str
    name_zh: str
    lettered: bool


@dataclass(slots=True, eq=False)
class Tag:
    """One tag, and the label beside it."""

    key: int
    identity: str
    epc: bytes
    item: str
    kind: str
    """`unit`, `case`, `pallet` or `foreign`."""
    sensitivity_db: float
    """How much more power it needs than an average tag."""
    label: str = ""
    """The GS1 element string of its barcode, group separators included; empty for none."""


@dataclass(slots=True, eq=False)
class Case:
    """A case and what is in it."""

    tag: Tag
    units: list[Tag]

    @property
    def tags(self) -> list[Tag]:
        """The case's own tag and its units'."""
        return [self.tag, *self.units]


@dataclass(slots=True, eq=False)
class Pallet:
    """A pallet and the cases on it."""

    tag: Tag
    cases: list[Case]

    @property
    def tags(self) -> list[Tag]:
        """All tags on it."""
        return [self.tag, *(tag for case in self.cases for tag in case.tags)]


@dataclass(slots=True)
class Goods:
    """A source of tagged goods: each call takes new ones until the units are used up."""

    seed: int
    units_left: int
    sensitivity_spread_db: float
    items: list[Item] = field(default_factory=list)
    tags: list[Tag] = field(default_factory=list)
    _dice: Random = field(default_factory=Random)
    _serials: dict[str, int] = field(default_factory=dict)
    _logistic: int = 0

    def __post_init__(self) -> None:
        """Write the catalogue."""
        self._dice = stream(self.seed, "goods")
        for place, (name, name_zh) in enumerate(CATALOGUE):
            prefix = PREFIXES[place % len(PREFIXES)]
            number = epc.gtin14(place % 2, prefix, 10_001 + 137 * place)
            self.items.append(Item(number, prefix, name, name_zh, place in LETTERED_ITEMS))

    def unit(self, item: Item | None = None) -> Tag:
        """A new unit, of a random item where none is named."""
        assert self.units_left > 0, "the warehouse has no units left"
        self.units_left -= 1
        item = item or self._dice.choice(self.items)
        number = self._serials.get(item.number, self._dice.randrange(1, SERIALS_PER_ITEM))
        self._serials[item.number] = number + 1 + self._dice.randrange(3)
        digits = len(item.prefix)
        serial = f"LOT{number:X}-{number % 97}" if item.lettered else str(number)
        if item.lettered:
            code = epc.sgtin_198(item.number, digits, serial)
        else:
            code = epc.sgtin_96(item.number, digits, number)
        identity = epc.gtin_identity(item.number, serial)
        label = f"01{item.number}21{serial}"
        return self._tag(identity, code, item.number, "unit", label)

    def case(self, units: int) -> Case:
        """A new case with units of one item."""
        item = self._dice.choice(self.items)
        return Case(self._logistic_unit(CASE_ITEM, "case"), [self.unit(item) for _ in range(units)])

    def pallet(self) -> Pallet:
        """A new pallet: 6 to 8 cases of 4 to 6 units."""
        dice = self._dice
        cases = [self.case(dice.randint(4, 6)) for _ in range(dice.randint(6, 8))]
        return Pallet(self._logistic_unit(PALLET_ITEM, "pallet"), cases)

    def foreign(self) -> Tag:
        """A tag of others: 64 bits of their own, or 96 that are no GS1 key."""
        length = self._dice.choice((8, 12))
        code = b"\xe2\x80" + self._dice.randbytes(length - 2)
        return self._tag(epc.raw_identity(code), code, "", "foreign", "")

    def _logistic_unit(self, item: str, kind: str) -> Tag:
        self._logistic += 1
        prefix = PREFIXES[self._logistic % len(PREFIXES)]
        extension = 3 if kind == "pallet" else 1
        sscc = epc.sscc18(extension, prefix, self.seed % 1000 * 100_000 + self._logistic)
        code = epc.sscc_96(sscc, len(prefix))
        return self._tag(epc.sscc_identity(sscc), code, item, kind, f"00{sscc}")

    def _tag(self, identity: str, code: bytes, item: str, kind: str, label: str) -> Tag:
        tag = Tag(
            key=key_of(self.seed, identity),
            identity=identity,
            epc=code,
            item=item,
            kind=kind,
            sensitivity_db=_within(self._dice.gauss(0.0, 1.0)) * self.sensitivity_spread_db,
            label=label,
        )
        self.tags.append(tag)
        return tag


def _within(deviations: float) -> float:
    """Tags further off than this do not leave their factory."""
    return max(-TESTED_DEVIATIONS, min(TESTED_DEVIATIONS, deviations))

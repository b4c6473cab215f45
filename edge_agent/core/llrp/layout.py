"""The words in which the tables of LLRP parameters and messages are written.

A layout lists the fields of one parameter or message in wire order, then the parameters that it may
hold. One table of layouts drives decoding, encoding and the JSON view, so the three cannot drift
apart. A field keeps what it does not understand (reserved bits) and writes it back, so that bytes
survive a round trip. A value of another kind than its layout says is our own mistake.
"""

import base64
from collections.abc import Iterator

import msgspec

Value = int | str | bytes | tuple[int, ...]
"""What one field holds; a flag is a `bool`, which is an `int`."""
Fields = dict[str, Value]
"""Field values by name. Names that start with `RESERVED` hold reserved bits that are not zero."""
Json = None | bool | int | str | list["Json"] | dict[str, "Json"]

RESERVED = "reserved:"


class Malformed(ValueError):  # noqa: N818 - named for what the bytes are; it never leaves the codec's callers.
    """These bytes are not what LLRP allows here; the text says where and why."""


def take(data: bytes, offset: int, octets: int, end: int, what: str) -> int:
    """Return the offset after `octets` bytes, or say that the bytes end too early."""
    after = offset + octets
    if after > end:
        raise Malformed(f"{what} needs {octets} bytes, {end - offset} are left of {len(data)}")
    return after


class Number(msgspec.Struct, frozen=True):
    """A whole number of some bytes, most significant byte first."""

    name: str
    octets: int
    signed: bool = False

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Read one value at `offset` and return the offset after it."""
        after = take(data, offset, self.octets, end, self.name)
        into[self.name] = int.from_bytes(data[offset:after], "big", signed=self.signed)
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append the value to `out`."""
        out += number(fields, self.name).to_bytes(self.octets, "big", signed=self.signed)

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:
        """Yield the value by name; 0 where there is none."""
        yield self.name, number(fields, self.name)


class Bits(msgspec.Struct, frozen=True):
    """Some bits inside a `Flags` field; without a name they are reserved."""

    name: str
    width: int
    flag: bool = False


class Flags(msgspec.Struct, frozen=True):
    """Bit fields packed from the most significant bit down; what follows the last is reserved."""

    octets: int
    bits: tuple[Bits, ...]

    @property
    def reserved_name(self) -> str:
        """Under which name reserved bits that are not zero are kept."""
        return RESERVED + next((bits.name for bits in self.bits if bits.name), "")

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Read all bits at `offset` and return the offset after them."""
        after = take(data, offset, self.octets, end, self.reserved_name.removeprefix(RESERVED))
        left = int.from_bytes(data[offset:after], "big")
        shift = self.octets * 8
        for bits in self.bits:
            shift -= bits.width
            if not bits.name:
                continue
            value = left >> shift & (1 << bits.width) - 1
            into[bits.name] = bool(value) if bits.flag else value
            left &= ~(value << shift)
        if left:
            into[self.reserved_name] = left
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append all bits to `out`, reserved ones as they were read."""
        packed = number(fields, self.reserved_name)
        shift = self.octets * 8
        for bits in self.bits:
            shift -= bits.width
            if bits.name:
                packed |= number(fields, bits.name) << shift
        out += packed.to_bytes(self.octets, "big")

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:
        """Yield each named bit field, flags as true or false."""
        for bits in self.bits:
            if bits.name:
                value = number(fields, bits.name)
                yield bits.name, bool(value) if bits.flag else value


class Reserved(msgspec.Struct, frozen=True):
    """Bytes without a meaning; kept when they are not zero."""

    octets: int
    label: str = RESERVED + "bytes"

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Skip the bytes and return the offset after them."""
        after = take(data, offset, self.octets, end, "reserved space")
        if any(data[offset:after]):
            into[self.label] = data[offset:after]
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append the bytes as they were read, else zeros."""
        out += octets_of(fields, self.label) or bytes(self.octets)

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:  # noqa: ARG002 - one shape for all fields.
        """Yield nothing: reserved bytes mean nothing."""
        yield from ()


class Text(msgspec.Struct, frozen=True):
    """UTF-8 text after its length in bytes; bytes that are no UTF-8 survive as surrogates."""

    name: str

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Read the text at `offset` and return the offset after it."""
        start, after = counted(data, offset, end, self.name, 1)
        into[self.name] = data[start:after].decode("utf-8", "surrogateescape")
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append length and text to `out`."""
        encoded = text(fields, self.name).encode("utf-8", "surrogateescape")
        out += len(encoded).to_bytes(2, "big") + encoded

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:
        """Yield readable text: what is no UTF-8 shows as replacement characters."""
        encoded = text(fields, self.name).encode("utf-8", "surrogateescape")
        yield self.name, encoded.decode("utf-8", "replace")


class Octets(msgspec.Struct, frozen=True):
    """Bytes: after their count, or a fixed number of them, or all that remain."""

    name: str
    fixed: int | None = None
    remaining: bool = False

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Read the bytes at `offset` and return the offset after them."""
        if self.remaining:
            start, after = offset, end
        elif self.fixed is not None:
            start, after = offset, take(data, offset, self.fixed, end, self.name)
        else:
            start, after = counted(data, offset, end, self.name, 1)
        into[self.name] = data[start:after]
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append the bytes to `out`, after their count where the layout has one."""
        value = octets_of(fields, self.name)
        assert self.fixed is None or len(value) == self.fixed, self.name
        if self.fixed is None and not self.remaining:
            out += len(value).to_bytes(2, "big")
        out += value

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:
        """Yield base64, or null for no bytes."""
        yield self.name, in_base64(octets_of(fields, self.name))


class BitString(msgspec.Struct, frozen=True):
    """Bits after their count, padded to bytes: `name` holds these, `name` + NumBits the count."""

    name: str

    @property
    def count_name(self) -> str:
        """Name of the bit count."""
        return self.name + "NumBits"

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Read count and bits at `offset` and return the offset after them."""
        start = take(data, offset, 2, end, self.count_name)
        count = int.from_bytes(data[offset:start], "big")
        after = take(data, start, (count + 7) // 8, end, self.name)
        into[self.count_name] = count
        into[self.name] = data[start:after]
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append count and bits to `out`."""
        count = number(fields, self.count_name)
        value = octets_of(fields, self.name)
        assert len(value) == (count + 7) // 8, self.name
        out += count.to_bytes(2, "big") + value

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:
        """Yield the count and the bits in base64."""
        yield self.count_name, number(fields, self.count_name)
        yield self.name, in_base64(octets_of(fields, self.name))


class Numbers(msgspec.Struct, frozen=True):
    """Whole numbers of equal size after their count."""

    name: str
    octets: int

    def read(self, data: bytes, offset: int, end: int, into: Fields) -> int:
        """Read all numbers at `offset` and return the offset after them."""
        start, after = counted(data, offset, end, self.name, self.octets)
        into[self.name] = tuple(
            int.from_bytes(data[at : at + self.octets], "big")
            for at in range(start, after, self.octets)
        )
        return after

    def write(self, fields: Fields, out: bytearray) -> None:
        """Append count and numbers to `out`."""
        values = numbers(fields, self.name)
        out += len(values).to_bytes(2, "big")
        for value in values:
            out += value.to_bytes(self.octets, "big")

    def json(self, fields: Fields) -> Iterator[tuple[str, Json]]:
        """Yield the numbers as a list, or null for none; single bytes in base64."""
        values = numbers(fields, self.name)
        if self.octets == 1:
            yield self.name, in_base64(bytes(values))
        else:
            yield self.name, list(values) or None


Field = Number | Flags | Reserved | Text | Octets | BitString | Numbers


class Slot(msgspec.Struct, frozen=True):
    """A place for a parameter inside another or inside a message."""

    parameter: str
    """Name of the parameter's layout."""
    name: str
    """Name of the place in the JSON view."""
    many: bool = False
    required: bool = False


class Layout(msgspec.Struct, frozen=True):
    """The shape of one parameter or message."""

    number: int
    name: str
    fields: tuple[Field, ...] = ()
    slots: tuple[Slot, ...] = ()

    @property
    def scalar(self) -> bool:
        """Whether it is one plain value: the JSON view shows that value instead of an object."""
        match self.fields:
            case (Number(),) | (Flags(bits=(_,)),):
                return not self.slots
            case _:
                return False


def counted(data: bytes, offset: int, end: int, name: str, octets: int) -> tuple[int, int]:
    """Return where a counted array starts and ends."""
    start = take(data, offset, 2, end, f"length of {name}")
    count = int.from_bytes(data[offset:start], "big")
    return start, take(data, start, count * octets, end, name)


def in_base64(value: bytes) -> str | None:
    """Return bytes as base64, none as None."""
    return base64.b64encode(value).decode("ascii") if value else None


def number(fields: Fields, name: str) -> int:
    """Return a number by name, 0 where there is none."""
    value = fields.get(name, 0)
    assert isinstance(value, int), name
    return value


def text(fields: Fields, name: str) -> str:
    """Return a text by name, empty where there is none."""
    value = fields.get(name, "")
    assert isinstance(value, str), name
    return value


def octets_of(fields: Fields, name: str) -> bytes:
    """Return bytes by name, empty where there are none."""
    value = fields.get(name, b"")
    assert isinstance(value, bytes), name
    return value


def numbers(fields: Fields, name: str) -> tuple[int, ...]:
    """Return an array by name, empty where there is none."""
    value = fields.get(name, ())
    assert isinstance(value, tuple), name
    return value


def u8(name: str) -> Number:
    """One byte, unsigned."""
    return Number(name, 1)


def u16(name: str) -> Number:
    """Two bytes, unsigned."""
    return Number(name, 2)


def u32(name: str) -> Number:
    """Four bytes, unsigned."""
    return Number(name, 4)


def u64(name: str) -> Number:
    """Eight bytes, unsigned."""
    return Number(name, 8)


def i8(name: str) -> Number:
    """One byte, signed."""
    return Number(name, 1, signed=True)


def i16(name: str) -> Number:
    """Two bytes, signed."""
    return Number(name, 2, signed=True)


def flag(name: str) -> Flags:
    """One flag in the top bit of its own byte."""
    return Flags(1, (Bits(name, 1, flag=True),))


def flags(octets: int, *names: str) -> Flags:
    """Flags from the top bit down; an empty name is one reserved bit."""
    return Flags(octets, tuple(Bits(name, 1, flag=True) for name in names))


def top_bits(name: str, width: int) -> Flags:
    """Return a number in the top bits of its own byte."""
    return Flags(1, (Bits(name, width),))


def one(parameter: str, name: str = "") -> Slot:
    """Exactly one parameter."""
    return Slot(parameter, name or parameter, required=True)


def maybe(parameter: str, name: str = "") -> Slot:
    """At most one parameter."""
    return Slot(parameter, name or parameter)


def many(parameter: str, name: str = "") -> Slot:
    """Any number of parameters."""
    return Slot(parameter, name or parameter, many=True)

"""Message bodies to values and back, driven by the tables in `parameters` and `messages`.

Whatever the tables do not know is kept as bytes and written back as it came. Decoding answers with
a message or raises `Malformed`; nothing else, whatever the bytes.
"""

from typing import Final

import msgspec

from edge_agent.core.llrp.layout import Fields, Json, Layout, Malformed, Slot, Value, number, text
from edge_agent.core.llrp.messages import MESSAGES, STATUS_NAMES
from edge_agent.core.llrp.parameters import PARAMETER_NUMBERS, PARAMETERS

PARAMETER_DEPTH_MAX: Final = 16
"""How deep parameters may nest. LLRP's own reach 8; hostile nesting must not exhaust the stack."""
PARAMETER_BYTES_MAX: Final = 0xFFFF
"""The length field of a TLV parameter has 16 bits."""

_TLV_NUMBER_MIN: Final = 128
_TLV_NUMBER_MAX: Final = 0x3FF
_TLV_HEADER_BYTES: Final = 4


class Parameter(msgspec.Struct, frozen=True):
    """One parameter: its number, its fields by name and the parameters inside it, in wire order."""

    number: int
    fields: Fields = msgspec.field(default_factory=dict)
    parameters: tuple["Parameter", ...] = ()

    def integer(self, name: str) -> int:
        """Return a number or flag by name, 0 where there is none."""
        return number(self.fields, name)

    def text(self, name: str) -> str:
        """Return a text by name, empty where there is none."""
        return text(self.fields, name)

    def first(self, name: str) -> "Parameter | None":
        """Return the first parameter of that name inside this one."""
        return next(iter(self.all(name)), None)

    def all(self, name: str) -> list["Parameter"]:
        """Return all parameters of that name inside this one."""
        wanted = PARAMETER_NUMBERS[name]
        return [inner for inner in self.parameters if inner.number == wanted]


class Message(Parameter, frozen=True):
    """One message: its number, fields and parameters, and what its header says."""

    id: int = 0
    """Chosen by whoever asks; an answer repeats it."""
    version: int = 1
    """LLRP version of the header: 1 is 1.0.1, 2 is 1.1."""


def parameter(name: str, *parameters: Parameter, **fields: Value) -> Parameter:
    """Build a parameter by name."""
    return Parameter(PARAMETER_NUMBERS[name], fields, parameters)


def decode_body(
    message_type: int, body: bytes, *, message_id: int = 0, version: int = 1
) -> Message:
    """Decode what follows a message's header; raises `Malformed`."""
    layout = MESSAGES.get(message_type)
    if layout is None:
        raise Malformed(f"unknown message {message_type}")
    try:
        fields, parameters = decode_content(layout, body, 0, len(body), 0)
    except Malformed as error:
        raise Malformed(f"{layout.name}: {error}") from error
    return Message(message_type, fields, parameters, message_id, version)


def encode_body(message: Message) -> bytes:
    """Encode a message without its header."""
    out = bytearray()
    encode_content(MESSAGES[message.number], message, out)
    return bytes(out)


def to_json_values(message: Message) -> dict[str, Json]:
    """Return the message as JSON values: places without a parameter are null, bytes are base64."""
    return _json_object(MESSAGES[message.number], message)


def decode_parameter(data: bytes, offset: int, end: int, depth: int = 0) -> tuple[Parameter, int]:
    """Decode one parameter and return it with the offset after it; raises `Malformed`."""
    if depth > PARAMETER_DEPTH_MAX:
        raise Malformed(f"parameters nest deeper than {PARAMETER_DEPTH_MAX}")
    if data[offset] & 0x80:
        return _decode_tv(data, offset, end)
    length_end = offset + _TLV_HEADER_BYTES
    if length_end > end:
        raise Malformed(f"{end - offset} bytes are left, too few for a parameter")
    kind = int.from_bytes(data[offset : offset + 2], "big")
    after = offset + int.from_bytes(data[offset + 2 : length_end], "big")
    if not _TLV_NUMBER_MIN <= kind <= _TLV_NUMBER_MAX:
        raise Malformed(f"no parameter has the type {kind:#06x}")
    if not length_end <= after <= end:
        raise Malformed(
            f"parameter {kind} says it has {after - offset} bytes, {end - offset} are left"
        )
    layout = PARAMETERS.get(kind)
    if layout is None:
        return Parameter(kind, {"Data": data[length_end:after]}), after
    try:
        fields, parameters = decode_content(layout, data, length_end, after, depth)
    except Malformed as error:
        raise Malformed(f"{layout.name}: {error}") from error
    return Parameter(kind, fields, parameters), after


def encode_parameter(value: Parameter, out: bytearray) -> None:
    """Append one parameter to `out`."""
    if value.number < _TLV_NUMBER_MIN:
        out.append(0x80 | value.number)
        encode_content(PARAMETERS[value.number], value, out)
        return
    start = len(out)
    out += value.number.to_bytes(2, "big") + b"\0\0"
    layout = PARAMETERS.get(value.number)
    if layout is None:
        data = value.fields["Data"]
        assert isinstance(data, bytes)
        out += data
    else:
        encode_content(layout, value, out)
    length = len(out) - start
    assert length <= PARAMETER_BYTES_MAX
    out[start + 2 : start + 4] = length.to_bytes(2, "big")


def status_text(status: Parameter) -> str:
    """Say what an LLRPStatus says, with the reader's own words and what it names as wrong."""
    code = status.integer("Status")
    words = [STATUS_NAMES.get(code, f"status {code}")]
    if description := status.text("ErrorDescription"):
        words.append(description.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    inner: Parameter | None = status
    while inner is not None:
        if field := inner.first("FieldError"):
            error = field.integer("ErrorCode")
            words.append(f"field {field.integer('FieldIndex')}: {STATUS_NAMES.get(error, error)}")
        inner = inner.first("ParameterError")
        if inner is not None:
            kind = inner.integer("ParameterType")
            name = PARAMETERS[kind].name if kind in PARAMETERS else str(kind)
            error = inner.integer("ErrorCode")
            words.append(f"parameter {name}: {STATUS_NAMES.get(error, error)}")
    return ", ".join(words)


def _decode_tv(data: bytes, offset: int, end: int) -> tuple[Parameter, int]:
    kind = data[offset] & 0x7F
    layout = PARAMETERS.get(kind)
    if layout is None:
        raise Malformed(f"unknown parameter {kind} has no length of its own")
    fields: Fields = {}
    offset += 1
    for field in layout.fields:
        offset = field.read(data, offset, end, fields)
    return Parameter(kind, fields), offset


def decode_content(
    layout: Layout, data: bytes, offset: int, end: int, depth: int
) -> tuple[Fields, tuple[Parameter, ...]]:
    """Decode fields and then parameters up to `end`; raises `Malformed`."""
    fields: Fields = {}
    for field in layout.fields:
        offset = field.read(data, offset, end, fields)
    parameters: list[Parameter] = []
    while offset < end:
        inner, offset = decode_parameter(data, offset, end, depth + 1)
        parameters.append(inner)
    return fields, tuple(parameters)


def encode_content(layout: Layout, value: Parameter, out: bytearray) -> None:
    """Append fields and parameters to `out`."""
    for field in layout.fields:
        field.write(value.fields, out)
    for inner in value.parameters:
        encode_parameter(inner, out)


def _json_object(layout: Layout, value: Parameter) -> dict[str, Json]:
    shown: dict[str, Json] = {}
    for field in layout.fields:
        shown.update(field.json(value.fields))
    left = list(value.parameters)
    for slot in layout.slots:
        shown[slot.name] = _json_slot(slot, left)
    return shown


def _json_slot(slot: Slot, left: list[Parameter]) -> Json:
    """Show what fills a place and take it out of `left`: places of one kind share in order."""
    kind = PARAMETER_NUMBERS[slot.parameter]
    layout = PARAMETERS[kind]
    found = [inner for inner in left if inner.number == kind]
    if not slot.many:
        del found[1:]
    for inner in found:
        left.remove(inner)
    if slot.many:
        values: list[Json] = [_json_parameter(layout, inner) for inner in found]
        return values or None
    if found:
        return _json_parameter(layout, found[0])
    return _json_parameter(layout, Parameter(kind)) if slot.required else None


def _json_parameter(layout: Layout, value: Parameter) -> Json:
    shown = _json_object(layout, value)
    return next(iter(shown.values())) if layout.scalar else shown

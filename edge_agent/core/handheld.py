"""What handhelds say over HTTP, judged: bodies to sign-ins and scans, scans to reads or rejects.

A scan is judged by itself: one that cannot be used never holds up the others of its request, or a
handheld that keeps its scans until they are taken would be stuck for ever. It becomes a reject with
its content, and the answer says why.

*Time.* A handheld's clock may be off by anything. Each request tells that clock's time of sending,
so the agent knows how far it is off and brings the scans' times to its own. *Person.* A scan
belongs to the sign-in during which it was made. What was made outside of it, by those times, is
taken without a person: nobody is named for what somebody else may have done. *Replays.* A scan
with an id that was seen before is told to be known; the same id for another content is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple, Self, TypeVar
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from contracts.codec import reject as make_reject
from contracts.reads import Read, Reject, Scan
from contracts.site_handheld import CODE_CHARACTERS_MAX
from edge_agent.core.identity import identity_of_code, identity_of_epc

SCANS_MAX = 500
"""A request with more is refused: a handheld that was offline sends several."""
CODE_BYTES_MAX = 4_096
"""The largest QR code holds 4,296 digits or 2,953 bytes."""
EPC_BYTES_MAX = 62
"""What a tag's protocol control word can announce."""
SIGN_IN_TOLERANCE_US = 30_000_000
"""A scan this much beside its sign-in still belongs to it: clocks drift while offline."""
MISTAKES_MAX = 50
"""More mistakes of one body help nobody."""
GROUP_SEPARATOR = "\x1d"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Label = Annotated[str, Field(min_length=1, max_length=CODE_CHARACTERS_MAX)]
Secret = Annotated[str, Field(min_length=1, max_length=256)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, hide_input_in_errors=True)


class SignInBody(_Body):
    """`POST /v1/sign-in`."""

    client: Label
    secret: Secret
    person: Label
    pin: Secret


class ScansBody(_Body):
    """`POST /v1/scans`; each scan is judged by itself."""

    sent_at: AwareDatetime
    """The handheld's clock as it sends: told anew with each attempt."""
    scans: Annotated[list[JsonValue], Field(min_length=1, max_length=SCANS_MAX)]


class ScanBody(_Body):
    """One scan."""

    id: UUID
    """Made by the handheld when it scans, and kept for every attempt to send it."""
    scanned_at: AwareDatetime
    """By the handheld's clock."""
    code: Annotated[str, Field(min_length=1, max_length=CODE_BYTES_MAX)] | None = None
    """A code's text; FNC1 between element strings is U+001D."""
    symbology: Annotated[str, Field(pattern=r"^\]?[A-Za-z][0-9A-Za-z]$")] | None = None
    """The code's AIM identifier, such as `]d2`, where it is not part of the text."""
    epc: (
        Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2})+$", max_length=2 * EPC_BYTES_MAX)] | None
    ) = None
    """A tag's EPC memory in hexadecimal."""
    location: Label | None = None
    """Where: a zone's or gate's id, or the text of a label at a bin."""
    document: Label | None = None
    """For which document."""

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if (self.code is None) == (self.epc is None):
            raise ValueError("a scan has either 'code' or 'epc'")
        if self.symbology is not None and self.code is None:
            raise ValueError("'symbology' goes with 'code'")
        for name in ("location", "document"):
            if not (getattr(self, name) or "").isprintable():
                raise ValueError(f"{name!r} holds a character that cannot be shown")
        return self


class BodyMistake(NamedTuple):
    """One mistake in a body."""

    field: str
    """Such as `scans[3].code`; empty for the body as a whole."""
    problem: str


Model = TypeVar("Model", bound=BaseModel)


def read_body(model: type[Model], raw: bytes) -> Model | list[BodyMistake]:
    """A body as a model, or all mistakes in it. Never repeats what stands in a field."""
    try:
        return model.model_validate_json(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        return [
            BodyMistake(_path(one["loc"]), one["msg"].removeprefix("Value error, "))
            for one in found[:MISTAKES_MAX]
        ]


def _path(location: tuple[int | str, ...]) -> str:
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


class SignIn(NamedTuple):
    """Who uses which handheld, and when."""

    client: str
    person: str
    from_us: int
    """Since then, domain time."""
    until_us: int
    """Scans made later are not this person's."""


class Request(NamedTuple):
    """What the scans of one request have in common."""

    source: str
    """`{gateway}/{device}`, for rejects."""
    device: str
    sign_in: SignIn
    skew_us: int
    """What to add to the handheld's times to have the agent's."""
    received_us: int
    oldest_us: int
    """Scans made before this are refused: it may be forgotten that they came already."""
    places: Mapping[str, str]
    """Label or id to zone or gate."""
    has_place: bool
    """Whether the interface has a place of its own, for scans that tell none."""


class Judged(NamedTuple):
    """What one scan comes to."""

    told_id: str | None
    """Its id as the handheld wrote it, where it did."""
    key: bytes
    """16 bytes that are equal for equal scans of one handheld."""
    digest: bytes
    """16 bytes that differ where the content does."""
    thing: Read | Reject
    person: str | None
    reason: str
    """Why it is refused, or taken without a person; empty where all is well."""


def judge_scan(value: JsonValue, request: Request) -> Judged:
    """One element of a request's scans: a read, or a reject and why."""
    raw = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(raw).digest()[:16]
    body = read_body(ScanBody, raw)
    told = value.get("id") if isinstance(value, dict) else None
    told_id = told if isinstance(told, str) else None
    if isinstance(body, ScanBody):
        key = body.id.bytes
        found = _read_of(body, request)
        if isinstance(found, Read):
            person = found.scan.person if found.scan else None
            reason = "" if person else "taken without a person: it was not made in this sign-in"
            return Judged(told_id, key, digest, found, person, reason)
        reason = found
    else:
        key = digest
        reason = "; ".join(f"{one.field}: {one.problem}".removeprefix(": ") for one in body)
    thing = make_reject(request.source, f"scan refused: {reason}", raw, request.received_us)
    return Judged(told_id, key, digest, thing, None, reason)


def other_content(judged: Judged, request: Request, value: JsonValue) -> Judged:
    """The refusal of a scan whose id stands for another scan already."""
    reason = "its id was used for another scan: make a new id for each"
    raw = json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
    thing = make_reject(request.source, f"scan refused: {reason}", raw, request.received_us)
    return judged._replace(key=judged.digest, thing=thing, person=None, reason=reason)


def _read_of(body: ScanBody, request: Request) -> Read | str:
    """The read, or why there is none."""
    content = _content(body)
    if isinstance(content, str):
        return content
    location = None
    if body.location is not None:
        location = request.places.get(body.location)
        if location is None:
            return f"location {body.location!r} is no zone, gate or label of the site file"
    elif not request.has_place:
        return "it tells no location, and this interface has none of its own"
    told_us = microseconds(body.scanned_at)
    at_us = min(told_us + request.skew_us, request.received_us)
    if at_us < request.oldest_us:
        return "it is too old: whether it came before is no longer known"
    sign_in = request.sign_in
    earliest_us = sign_in.from_us - SIGN_IN_TOLERANCE_US
    is_own = earliest_us <= at_us <= sign_in.until_us + SIGN_IN_TOLERANCE_US
    scan = Scan(
        id=str(body.id),
        client=sign_in.client,
        person=sign_in.person if is_own else None,
        told_us=told_us,
        location=location,
        place=body.location,
        document=body.document,
    )
    identity = identity_of_epc(content) if body.epc is not None else identity_of_code(content)
    return Read(
        identity=identity,
        device=request.device,
        antenna=0,
        first_us=at_us,
        last_us=at_us,
        received_us=request.received_us,
        count=1,
        evidence=content,
        scan=scan,
    )


def _content(body: ScanBody) -> bytes | str:
    """The bytes scanned, or why they are no code."""
    if body.epc is not None:
        return bytes.fromhex(body.epc)
    code = body.code or ""
    if not code.strip() or not code.replace(GROUP_SEPARATOR, "").isprintable():
        return "code: it holds nothing, or a character that no label has"
    if body.symbology is not None and not code.startswith("]"):
        code = f"]{body.symbology.removeprefix(']')}{code}"
    content = code.encode()
    if len(content) > CODE_BYTES_MAX:
        return f"code: it is longer than {CODE_BYTES_MAX} bytes"
    return content


def microseconds(moment: datetime) -> int:
    """UTC microseconds since 1970."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_text(at_us: int) -> str:
    """A time in RFC 3339."""
    return (EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")

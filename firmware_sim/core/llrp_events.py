"""What a reader notices, as the events of READER_EVENT_NOTIFICATION."""

from __future__ import annotations

import struct

from firmware_sim.core.llrp_radio import Noticed
from firmware_sim.core.llrp_wire import Kind, text, tlv

EVENT_OF = {"input": 1, "rospec": 2, "warning": 3, "exception": 4, "antenna": 8}
"""What is noticed to the event type that a client switches on; an overflow is always told."""


def event_of(notice: Noticed) -> bytes:
    """The event's parameter."""
    number, state = notice.number, notice.state
    match notice.kind:
        case "input":
            return tlv(Kind.GPI_EVENT, struct.pack(">HB", number, 0x80 * state))
        case "rospec":
            return tlv(Kind.RO_SPEC_EVENT, struct.pack(">BII", 0 if state else 1, number, 0))
        case "warning":
            return tlv(Kind.REPORT_BUFFER_WARNING, bytes([number]))
        case "overflow":
            return tlv(Kind.REPORT_BUFFER_OVERFLOW)
        case "exception":
            return tlv(Kind.READER_EXCEPTION, text(f"simulated exception {number}"))
        case _:
            return tlv(Kind.ANTENNA_EVENT, struct.pack(">BH", int(state), number))

"""What is asked of a reader: powers, hop tables, held reports, and an independent client's word."""

import struct

import pytest
import sllurp.llrp

from edge_agent.core.llrp.capabilities import ReaderCapabilities
from edge_agent.core.llrp.codec import decode_body, encode_body
from edge_agent.core.llrp.events import Agreed
from edge_agent.core.llrp.profiles import GENERIC
from edge_agent.core.llrp.rospec import Extent, Reading, add_rospec, reader_config
from edge_agent.core.llrp.session import Session
from tests.unit.edge_agent.llrp_bytes import (
    answers,
    capabilities,
    frame,
    greeting,
    split,
    status,
    tlv,
)
from tests.unit.edge_agent.llrp_talk import SETTINGS, Talk


@pytest.mark.parametrize(
    ("target", "index"), [(2500, 2), (3000, 3), (9999, 3), (1000, 1), (500, 1)]
)
def test_the_power_is_the_highest_at_most_the_target(target: int, index: int) -> None:
    agreed = next(event for event in Talk().to_reading().events if isinstance(event, Agreed))
    assert agreed.capabilities.power_index(target) == index


def reading(capabilities: ReaderCapabilities) -> Reading:
    return Reading(settings=SETTINGS, capabilities=capabilities, profile=GENERIC, version=1)


def agreed_capabilities(body: bytes) -> Agreed:
    events = Talk(changed={1: (11, body)}).to_reading().events
    return next(event for event in events if isinstance(event, Agreed))


def test_the_requests_of_an_independent_client_read_as_meant() -> None:
    """Another client asks for the same reading: its bytes decode to the same values as ours."""
    sent: list[bytes] = []
    config = sllurp.llrp.LLRPReaderConfig(
        {"antennas": [1, 2], "tag_population": 60, "session": 2, "tx_power": {1: 2, 2: 2}}
    )
    client = sllurp.llrp.LLRPClient(config, transport_tx_write=sent.append)
    client.handleMessage(sllurp.llrp.LLRPMessage(msgbytes=greeting()))
    for asked in sent:  # Each answer makes the client append its next request.
        for _, number, message_id, body in split(answers(asked, {2: (12, status())})):
            said = frame(number, body, message_id=message_id)
            client.handleMessage(sllurp.llrp.LLRPMessage(msgbytes=said))
    theirs = {number: body for _, number, _, body in split(b"".join(sent))}
    assert {1, 2, 3, 20, 21, 24, 41, 64} <= set(theirs)
    for number, body in theirs.items():
        assert encode_body(decode_body(number, body)) == body
    capable = agreed_capabilities(capabilities()).capabilities
    (other,) = decode_body(20, theirs[20]).all("ROSpec")
    (own,) = add_rospec(reading(capable), Extent.WHOLE).all("ROSpec")
    assert own.fields == other.fields
    assert own.first("ROBoundarySpec") == other.first("ROBoundarySpec")
    (our_reading,) = own.all("AISpec")
    (their_reading,) = other.all("AISpec")
    assert our_reading.fields == their_reading.fields
    (our_antennas,) = our_reading.all("InventoryParameterSpec")
    (their_antennas,) = their_reading.all("InventoryParameterSpec")
    # The other client does not look up the hop table; all else is the same.
    assert [antenna.first("C1G2InventoryCommand") for antenna in our_antennas.parameters] == [
        antenna.first("C1G2InventoryCommand") for antenna in their_antennas.parameters
    ]


def test_hold_on_reconnect_is_asked_for_where_the_reader_has_it() -> None:
    hold = tlv(226, b"\x80")
    for can in (True, False):
        agreed = agreed_capabilities(capabilities(holds_reports=can))
        sent = Session(SETTINGS, 0.0)._connection.send(reader_config(SETTINGS, agreed.capabilities))
        assert (hold in sent) is can


def test_the_hop_table_is_the_first_one_of_the_reader() -> None:
    for hopping, expected in ((True, (7, 1, 2)), (False, (0, 1, 2))):
        agreed = agreed_capabilities(capabilities(hopping=hopping))
        message = add_rospec(reading(agreed.capabilities), Extent.COUNTED)
        sent = Session(SETTINGS, 0.0)._connection.send(message)
        assert sent.count(tlv(224, struct.pack(">HHH", *expected))) == 2

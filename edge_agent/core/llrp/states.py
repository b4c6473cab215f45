"""The states of an LLRP session, as a table: what each waits for, and where its outcomes lead.

An outcome that is missing in `TRANSITIONS` ends the session.
"""

from enum import StrEnum
from typing import Final

from edge_agent.core.llrp import messages
from edge_agent.core.llrp.rospec import Extent


class State(StrEnum):
    """What the session waits for."""

    GREETING = "greeting"
    ASKING_VERSION = "asking for the version"
    SETTING_VERSION = "setting the version"
    ASKING_CAPABILITIES = "asking for capabilities"
    ENABLING_EXTENSIONS = "enabling the maker's extensions"
    CONFIGURING = "configuring"
    CONFIGURING_KEEPALIVES = "configuring keepalives only"
    DELETING_ROSPECS = "deleting old ROSpecs"
    DELETING_ACCESSSPECS = "deleting old AccessSpecs"
    ADDING_WHOLE_ROSPEC = "adding the ROSpec"
    ADDING_COUNTED_ROSPEC = "adding the ROSpec, reports by count"
    ADDING_PLAIN_ROSPEC = "adding the ROSpec without extras"
    ADDING_LEAST_ROSPEC = "adding the least ROSpec"
    ENABLING_ROSPEC = "enabling the ROSpec"
    READING = "reading"
    ENDED = "ended"


class Outcome(StrEnum):
    """How a state ended."""

    DONE = "done"
    OLDER = "the reader has nothing newer than what is spoken"
    EXTENDED = "the reader has extensions that want to be enabled"
    FAILED = "the reader said no"
    SILENT = "the reader said nothing in time"


TRANSITIONS: Final = {
    (State.GREETING, Outcome.DONE): State.ASKING_VERSION,
    (State.GREETING, Outcome.OLDER): State.ASKING_CAPABILITIES,
    (State.ASKING_VERSION, Outcome.DONE): State.SETTING_VERSION,
    (State.ASKING_VERSION, Outcome.OLDER): State.ASKING_CAPABILITIES,
    (State.ASKING_VERSION, Outcome.FAILED): State.ASKING_CAPABILITIES,
    (State.SETTING_VERSION, Outcome.DONE): State.ASKING_CAPABILITIES,
    (State.SETTING_VERSION, Outcome.FAILED): State.ASKING_CAPABILITIES,
    (State.ASKING_CAPABILITIES, Outcome.DONE): State.CONFIGURING,
    (State.ASKING_CAPABILITIES, Outcome.EXTENDED): State.ENABLING_EXTENSIONS,
    (State.ENABLING_EXTENSIONS, Outcome.DONE): State.CONFIGURING,
    (State.ENABLING_EXTENSIONS, Outcome.FAILED): State.CONFIGURING,
    (State.CONFIGURING, Outcome.DONE): State.DELETING_ROSPECS,
    (State.CONFIGURING, Outcome.FAILED): State.CONFIGURING_KEEPALIVES,
    (State.CONFIGURING_KEEPALIVES, Outcome.DONE): State.DELETING_ROSPECS,
    (State.DELETING_ROSPECS, Outcome.DONE): State.DELETING_ACCESSSPECS,
    # Some readers say no when there is nothing to delete.
    (State.DELETING_ROSPECS, Outcome.FAILED): State.DELETING_ACCESSSPECS,
    (State.DELETING_ACCESSSPECS, Outcome.DONE): State.ADDING_WHOLE_ROSPEC,
    (State.DELETING_ACCESSSPECS, Outcome.FAILED): State.ADDING_WHOLE_ROSPEC,
    (State.ADDING_WHOLE_ROSPEC, Outcome.DONE): State.ENABLING_ROSPEC,
    (State.ADDING_WHOLE_ROSPEC, Outcome.FAILED): State.ADDING_COUNTED_ROSPEC,
    (State.ADDING_COUNTED_ROSPEC, Outcome.DONE): State.ENABLING_ROSPEC,
    (State.ADDING_COUNTED_ROSPEC, Outcome.FAILED): State.ADDING_PLAIN_ROSPEC,
    (State.ADDING_PLAIN_ROSPEC, Outcome.DONE): State.ENABLING_ROSPEC,
    (State.ADDING_PLAIN_ROSPEC, Outcome.FAILED): State.ADDING_LEAST_ROSPEC,
    (State.ADDING_LEAST_ROSPEC, Outcome.DONE): State.ENABLING_ROSPEC,
    (State.ENABLING_ROSPEC, Outcome.DONE): State.READING,
}

ANSWERS: Final = {
    State.ASKING_VERSION: messages.GET_SUPPORTED_VERSION_RESPONSE,
    State.SETTING_VERSION: messages.SET_PROTOCOL_VERSION_RESPONSE,
    State.ASKING_CAPABILITIES: messages.GET_READER_CAPABILITIES_RESPONSE,
    State.ENABLING_EXTENSIONS: messages.CUSTOM_MESSAGE,
    State.CONFIGURING: messages.SET_READER_CONFIG_RESPONSE,
    State.CONFIGURING_KEEPALIVES: messages.SET_READER_CONFIG_RESPONSE,
    State.DELETING_ROSPECS: messages.DELETE_ROSPEC_RESPONSE,
    State.DELETING_ACCESSSPECS: messages.DELETE_ACCESSSPEC_RESPONSE,
    State.ADDING_WHOLE_ROSPEC: messages.ADD_ROSPEC_RESPONSE,
    State.ADDING_COUNTED_ROSPEC: messages.ADD_ROSPEC_RESPONSE,
    State.ADDING_PLAIN_ROSPEC: messages.ADD_ROSPEC_RESPONSE,
    State.ADDING_LEAST_ROSPEC: messages.ADD_ROSPEC_RESPONSE,
    State.ENABLING_ROSPEC: messages.ENABLE_ROSPEC_RESPONSE,
}
"""Which message answers the request of a state."""

EXTENTS: Final = {
    State.ADDING_WHOLE_ROSPEC: Extent.WHOLE,
    State.ADDING_COUNTED_ROSPEC: Extent.COUNTED,
    State.ADDING_PLAIN_ROSPEC: Extent.PLAIN,
    State.ADDING_LEAST_ROSPEC: Extent.LEAST,
}
"""How much of what is wished each of these states asks for."""

"""The parameters of LLRP 1.0.1 and 1.1 as a table: what each one holds, in wire order.

Numbers below 128 are TV parameters (one type byte, no length), the others TLV. Transmit power and
gains are in 1/100 dB, RSSI in dBm, times in microseconds or milliseconds.
"""

from typing import Final

from edge_agent.core.llrp.reader_parameters import READER_PARAMETERS
from edge_agent.core.llrp.tag_parameters import TAG_PARAMETERS

TAG_REPORT_DATA: Final = 240
EPC_DATA: Final = 241
CUSTOM: Final = 1023

PARAMETERS: Final = {layout.number: layout for layout in (*TAG_PARAMETERS, *READER_PARAMETERS)}
"""Every parameter's layout by its number."""

PARAMETER_NUMBERS: Final = {layout.name: layout.number for layout in PARAMETERS.values()}
"""Every parameter's number by its name."""

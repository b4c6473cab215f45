"""A placed label as ZPL II: what it shows, what its tag gets, and what the printer shall answer."""

from __future__ import annotations

from contracts.element_strings import SEPARATOR
from tallygate.labels.code_128 import zpl_field
from tallygate.labels.layout import Placed, PlacedBars, PlacedMatrix, PlacedText
from tallygate.labels.template import Template

ANSWER = "EPC="
"""In front of the EPC that the printer read back from the tag."""
_HEX_MARK = "\\"
"""Announces a byte in hexadecimal in text fields."""
_BX_MARK = "_"
"""Announces FNC1 in a Data Matrix field."""
_COMMANDS = "^~" + _HEX_MARK


def zpl(placed: Placed, template: Template) -> bytes:
    """One label. Where the printer encodes tags it answers with the EPC that it read back."""
    dots = template.dots_per_mm
    parts = [
        "^XA^CI28^LH0,0",
        f"^PW{_dots(placed.width_mm, dots)}^LL{_dots(placed.height_mm, dots)}",
    ]
    if template.rfid:
        parts.append(_tag(placed, template))
    parts += [_text(text, template) for text in placed.texts]
    parts += [_matrix(matrix, dots) for matrix in placed.matrices]
    parts += [_bars(bars, dots) for bars in placed.bars]
    parts += [
        f"^FO{_dots(line.x_mm, dots)},{_dots(line.y_mm, dots)}"
        f"^GB{_dots(line.width_mm, dots)},{_dots(line.height_mm, dots)}"
        f",{_dots(min(line.width_mm, line.height_mm), dots)}^FS"
        for line in placed.lines
    ]
    parts.append("^PQ1^XZ\n")
    return "\n".join(parts).encode("utf-8")


def _tag(placed: Placed, template: Template) -> str:
    """Write the EPC and its length (bank A does both), read it back, and tell it."""
    epc = placed.label.epc
    attempts = template.rfid_attempts
    return (
        f"^RS8,,,{attempts},N\n"
        f"^RFW,H,,,A^FD{epc.hex().upper()}^FS\n"
        f"^RFR,H,2,{len(epc)},1^FN1^FS\n"
        f"^FH_^HV1,{2 * len(epc)},{ANSWER},_0D_0A,L^FS"
    )


def _text(text: PlacedText, template: Template) -> str:
    dots = template.dots_per_mm
    height = _dots(text.height_mm, dots)
    font = f"^A@N,{height},{height},{template.chinese_font}" if text.wide else f"^A0N,{height}"
    said = "".join(
        f"{_HEX_MARK}{ord(letter):02X}" if letter in _COMMANDS or letter < " " else letter
        for letter in text.text
    )
    return f"^FO{_dots(text.x_mm, dots)},{_dots(text.y_mm, dots)}{font}^FH{_HEX_MARK}^FD{said}^FS"


def _matrix(matrix: PlacedMatrix, dots: int) -> str:
    origin = f"^FO{_dots(matrix.x_mm, dots)},{_dots(matrix.y_mm, dots)}"
    if matrix.symbol == "qr":
        return f"{origin}^BQN,2,{matrix.module_dots}^FH{_HEX_MARK}^FDMA,{matrix.data}^FS"
    said = matrix.data.replace(_BX_MARK, 2 * _BX_MARK).replace(SEPARATOR, f"{_BX_MARK}1")
    side = len(matrix.dark)
    size = f"{matrix.module_dots},200,{side},{side},,{_BX_MARK}"
    return f"{origin}^BXN,{size}^FD{_BX_MARK}1{said}^FS"


def _bars(bars: PlacedBars, dots: int) -> str:
    return (
        f"^FO{_dots(bars.x_mm, dots)},{_dots(bars.y_mm, dots)}^BY{bars.module_dots}"
        f"^BCN,{_dots(bars.height_mm, dots)},N,N,N,N^FD{zpl_field(bars.data)}^FS"
    )


def _dots(millimetres: float, dots: int) -> int:
    return round(millimetres * dots)

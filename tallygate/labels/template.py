"""Label templates: what a person writes in TOML, checked before anything is printed.

Lengths are millimetres from the label's upper left corner. Texts name the label's fields in braces;
a text all of whose fields are empty is left out.
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contracts.labels import Packing

FIELDS = frozenset({
    "kind", "kind_zh", "name", "name_zh", "item", "serial", "sscc", "batch", "expiry", "quantity",
    "parent", "readable", "identity", "epc",
})  # fmt: skip
"""What a text may name."""
FIELD = re.compile(r"\{(\w*)\}")
MM_MAX = 300
TEMPLATE_BYTES_MAX = 100_000

Position = Annotated[float, Field(ge=0, le=MM_MAX)]
Length = Annotated[float, Field(gt=0, le=MM_MAX)]


class TemplateError(ValueError):
    """A template that cannot be used; the message names every mistake and its place."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TextBox(_Strict):
    """A line of text; what is too long for its width is written smaller."""

    x_mm: Position
    y_mm: Position
    width_mm: Length
    height_mm: Annotated[float, Field(ge=1, le=60)]
    value: Annotated[str, Field(min_length=1, max_length=200)]

    @field_validator("value")
    @classmethod
    def _names_fields(cls, value: str) -> str:
        unknown = sorted(set(FIELD.findall(value)) - FIELDS)
        if unknown:
            raise ValueError(
                f"{', '.join(unknown)}: no field of a label; there are {', '.join(sorted(FIELDS))}"
            )
        return value


class SymbolBox(_Strict):
    """A symbol, as large as fits in its place in whole dots."""

    x_mm: Position
    y_mm: Position
    width_mm: Length
    height_mm: Length
    symbol: Literal["gs1_datamatrix", "gs1_128", "qr"]
    """GS1 DataMatrix with all element strings; GS1-128 with the key (and serial) alone; a QR code
    with the GS1 Digital Link."""


class Line(_Strict):
    """A filled bar."""

    x_mm: Position
    y_mm: Position
    width_mm: Length
    height_mm: Length


class Sheet(_Strict):
    """The label of one packing."""

    width_mm: Length
    height_mm: Length
    texts: tuple[TextBox, ...] = ()
    symbols: tuple[SymbolBox, ...]
    lines: tuple[Line, ...] = ()

    @model_validator(mode="after")
    def _fits(self) -> Sheet:
        if not self.symbols:
            raise ValueError("symbols: a label without one cannot be scanned")
        for name in ("texts", "symbols", "lines"):
            for place, box in enumerate(getattr(self, name)):
                over = box.x_mm + box.width_mm > self.width_mm
                if over or box.y_mm + box.height_mm > self.height_mm:
                    raise ValueError(
                        f"{name}.{place} goes beyond the label of {self.width_mm:g} mm"
                        f" x {self.height_mm:g} mm"
                    )
        return self


class Template(_Strict):
    """The labels of a pallet and what is on it, and the printer that they are for."""

    dots_per_mm: Literal[6, 8, 12, 24] = 8
    """Of the label printer: 8 is 203 dpi, 12 is 300 dpi."""
    rfid: bool = True
    """Whether the label printer encodes tags."""
    rfid_attempts: Annotated[int, Field(ge=1, le=10)] = 3
    """How many labels it may spoil on the way to a good tag."""
    chinese_font: Annotated[str, Field(pattern=r"^[A-Z]:[A-Z0-9_]{1,16}\.(TTF|FNT|TTE)$")] = (
        "E:SIMSUN.TTF"
    )
    """The font in the label printer's memory for Chinese text."""
    pdf_font: Path | None = None
    """A TrueType font for Chinese text in PDFs, put into the file; without one the viewer's own
    Song font is used, which not every viewer has."""
    unit: Sheet
    case: Sheet
    pallet: Sheet

    def sheet(self, packing: Packing) -> Sheet:
        """The label of a packing."""
        sheets = {Packing.UNIT: self.unit, Packing.CASE: self.case, Packing.PALLET: self.pallet}
        return sheets[packing]


def default_template() -> Template:
    """The template that ships."""
    text = (resources.files(__package__) / "default.toml").read_text("utf-8")
    return template_of(text, "default.toml")


def read_template(path: Path) -> Template:
    """A template from a file. Raises TemplateError."""
    try:
        raw = path.read_bytes()
        if len(raw) > TEMPLATE_BYTES_MAX:
            raise TemplateError(f"{path}: larger than {TEMPLATE_BYTES_MAX:,} bytes")
        text = raw.decode("utf-8")
    except OSError as error:
        raise TemplateError(f"{path} cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        raise TemplateError(f"{path} is not UTF-8: {error}") from error
    return template_of(text, str(path))


def template_of(text: str, name: str) -> Template:
    """A template from its text. Raises TemplateError."""
    try:
        return Template.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise TemplateError(f"{name}: not TOML: {error}") from error
    except ValidationError as error:
        mistakes = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'template'}: {one['msg']}"
            for one in error.errors()
        )
        raise TemplateError(f"{name}: {mistakes}") from error

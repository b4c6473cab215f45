"""The words of EPCIS 2.0 and the Core Business Vocabulary 2.0 (GS1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
"""A value of JSON."""


_CHARACTERS = r"A-Za-z0-9\-._~!$&'()*+,;=:@"
_URI = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]*:"
    rf"(?://(?:[{_CHARACTERS}]*@)?\[[0-9A-Fa-f:.v]+\](?::[0-9]*)?(?=[/?#]|\Z))?"
    rf"(?:[{_CHARACTERS}/?]|%[0-9A-Fa-f]{{2}})*(?:#(?:[{_CHARACTERS}/?]|%[0-9A-Fa-f]{{2}})*)?\Z"
)
"""RFC 3986: brackets only around an address, other characters than these only as %41."""


def is_uri(text: str) -> bool:
    """Whether a text is a URI with a scheme, in ASCII."""
    return _URI.match(text) is not None


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


CBV = "https://ref.gs1.org/cbv/"
VOC = "https://gs1.org/voc/"
CONTEXT: Mapping[str, str] = MappingProxyType(
    {
        "cbv": CBV,
        "cbvmda": "urn:epcglobal:cbv:mda:",
        "epcis": "https://ref.gs1.org/epcis/",
        "gs1": VOC,
        "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
        "owl": "http://www.w3.org/2002/07/owl#",
        "xsd": "http://www.w3.org/2001/XMLSchema#",
        "dcterms": "http://purl.org/dc/terms/",
    }
)
"""Prefixes that every document has."""

EVENT_TYPES = frozenset(
    {"ObjectEvent", "AggregationEvent", "TransactionEvent", "TransformationEvent"}
    | {"AssociationEvent"}
)
ACTIONS = frozenset({"ADD", "OBSERVE", "DELETE"})
BUSINESS_STEPS = words(
    "accepting arriving assembling collecting commissioning consigning"
    " creating_class_instance cycle_counting decommissioning departing destroying"
    " disassembling dispensing encoding entering_exiting holding inspecting installing killing"
    " loading other packing picking receiving removing repackaging repairing replacing"
    " reserving retail_selling shipping staging_outbound stock_taking stocking storing"
    " transporting unloading unpacking void_shipping sensor_reporting sampling"
)
DISPOSITIONS = words(
    "active container_closed damaged destroyed dispensed disposed encoded expired in_progress"
    " in_transit inactive no_pedigree_match non_sellable_other partially_dispensed recalled"
    " reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unknown"
    " available completeness_verified completeness_inferred conformant container_open"
    " mismatch_instance mismatch_class mismatch_quantity needs_replacement non_conformant"
    " unavailable"
)
TRANSACTION_TYPES = words(
    "bol cert desadv inv pedigree po poc prodorder recadv rma testprd testres upevt"
)
PARTY_TYPES = frozenset({"owning_party", "possessing_party", "location"})
ERROR_REASONS = frozenset({"did_not_occur", "incorrect_data"})
SENSOR_EXCEPTIONS = frozenset({"ALARM_CONDITION", "ERROR_CONDITION"})
COMPONENTS = words(
    "x y z axial_distance azimuth height spherical_radius polar_angle elevation_angle easting"
    " northing latitude longitude altitude"
)
MEASUREMENTS = words(
    "AbsoluteHumidity AbsorbedDose AbsorbedDoseRate Acceleration Radioactivity Altitude"
    " AmountOfSubstance AmountOfSubstancePerUnitVolume Angle AngularAcceleration"
    " AngularMomentum AngularVelocity Area Capacitance Conductance Conductivity Count Density"
    " Dimensionless DoseEquivalent DoseEquivalentRate DynamicViscosity ElectricCharge"
    " ElectricCurrent ElectricCurrentDensity ElectricFieldStrength Energy Exposure Force"
    " Frequency Illuminance Inductance Irradiance KinematicViscosity Length LinearMomentum"
    " Luminance LuminousFlux LuminousIntensity MagneticFlux MagneticFluxDensity"
    " MagneticVectorPotential Mass MassConcentration MassFlowRate MassPerAreaTime"
    " MemoryCapacity MolalityOfSolute MolarEnergy MolarMass MolarVolume Power Pressure"
    " RadiantFlux RadiantIntensity RelativeHumidity Resistance Resistivity SolidAngle"
    " SpecificVolume Speed SurfaceDensity SurfaceTension Temperature Time Torque Voltage"
    " Volume VolumeFlowRate VolumeFraction VolumetricFlux Wavenumber"
)

_KINDS: Mapping[str, tuple[frozenset[str], str, str]] = MappingProxyType(
    {
        "bizStep": (BUSINESS_STEPS, f"{CBV}BizStep-", "urn:epcglobal:cbv:bizstep:"),
        "disposition": (DISPOSITIONS, f"{CBV}Disp-", "urn:epcglobal:cbv:disp:"),
        "set": (DISPOSITIONS, f"{CBV}Disp-", "urn:epcglobal:cbv:disp:"),
        "unset": (DISPOSITIONS, f"{CBV}Disp-", "urn:epcglobal:cbv:disp:"),
    }
)
_TYPES = (
    (TRANSACTION_TYPES, f"{CBV}BTT-", "urn:epcglobal:cbv:btt:"),
    (PARTY_TYPES, f"{CBV}SDT-", "urn:epcglobal:cbv:sdt:"),
)
_MEASURED = frozenset({"type", "exception"})
"""Fields of sensor reports whose bare words are GS1 web vocabulary."""


def vocabulary_uri(name: str, text: str, context: Mapping[str, str] = CONTEXT) -> str | None:
    """A field's value as the web URI of its vocabulary; None where it is no vocabulary's word."""
    kinds = [_KINDS[name]] if name in _KINDS else list(_TYPES) if name == "type" else []
    for words, uri, urn in kinds:
        if text in words:
            return uri + text
        if text.startswith(urn):
            return uri + text.removeprefix(urn)
    if name in _MEASURED and text.isidentifier():
        return VOC + text
    if name == "component" and text.isidentifier():
        return f"{CBV}Comp-{text}"
    return _expanded(text, context)


def _expanded(text: str, context: Mapping[str, str]) -> str | None:
    """A compact URI in full."""
    prefix, colon, local = text.partition(":")
    if colon and prefix in context and local and not local.startswith("//"):
        return context[prefix] + local
    return None


def prefixes(context: Json, base: Mapping[str, str] = CONTEXT) -> dict[str, str]:
    """The namespaces of a document's or an event's `@context`, beside those around it."""
    found = dict(base)
    for one in context if isinstance(context, list) else [context]:
        if isinstance(one, dict):
            for key, value in one.items():
                namespace = value.get("@id") if isinstance(value, dict) else value
                if isinstance(namespace, str):
                    found[key] = namespace
    return found

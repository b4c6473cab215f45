"""Messages of Zebra's fixed readers (IoT Connector) and handhelds (RFD40, RFD90)."""

from __future__ import annotations

from collections.abc import Mapping

from firmware_sim.core.vendors.wording import as_json, time_text

ZONE = "+0000"
"""Without a colon, as the fixed readers write it."""
MODES: Mapping[str, tuple[str, ...]] = {
    "SIMPLE": (),
    "CUSTOM": (),
    "CONVEYOR": ("antenna",),
    "INVENTORY": ("antenna", "peakRssi", "reads"),
    "PORTAL": ("antenna", "peakRssi", "reads"),
}
"""Operating mode to the fields that come beside number, format and `idHex`."""


def tag_event(
    epc: bytes,
    *,
    mode: str,
    number: int,
    told_us: int,
    antenna: int,
    rssi_dbm: int,
    reads: int = 1,
) -> bytes:
    """A tag event in an operating mode."""
    all_fields: dict[str, object] = {"antenna": antenna, "peakRssi": rssi_dbm, "reads": reads}
    data: dict[str, object] = {"eventNum": number, "format": "epc", "idHex": epc.hex()}
    data |= {name: all_fields[name] for name in MODES[mode]}
    return as_json({"data": data, "timestamp": fixed_time(told_us), "type": mode})


def management_event(kind: str, number: int, told_us: int, data: Mapping[str, object]) -> bytes:
    """What the reader tells of itself: `heartbeat`, `gpi`, `error`, `warning`, ..."""
    return as_json(
        {
            "component": "RG",
            "data": data,
            "eventNum": number,
            "timestamp": fixed_time(told_us),
            "type": kind,
        }
    )


def heartbeat(
    number: int,
    told_us: int,
    *,
    antennas: Mapping[int, bool],
    reads: Mapping[int, int],
    inputs: Mapping[int, bool],
    temperature_c: int,
    dropped: int = 0,
) -> bytes:
    """The reader's figures. Flash is null, as newer firmware sends it."""
    states = {str(port): "connected" if on else "disconnected" for port, on in antennas.items()}
    radio = {
        "antennas": states,
        "cpu": 0.1,
        "numErrors": 0,
        "numTagReads": sum(reads.values()),
        "numTagReadsPerAntenna": {str(port): reads.get(port, 0) for port in antennas},
        "numWarnings": 0,
        "radioActivity": "active",
        "radioConnection": "connected",
        "ram": 2.2,
        "status": "running",
        "uptime": "05:19:28",
    }
    gateway = {
        "cpu": 0.4,
        "dataPathStatistics": [
            {"numDataMessagesDropped": dropped, "numDataMessagesRetained": 0},
        ],
        "numErrors": 0,
        "ram": 2.9,
        "uptime": "5:19:29",
    }
    system = {
        "GPI": {str(pin): "HIGH" if high else "LOW" for pin, high in inputs.items()},
        "cpu": {"system": 7, "user": 2},
        "flash": None,
        "ntp": {"offset": -1, "reach": 377},
        "powerSource": "DC",
        "ram": {"free": 108_285_952, "total": 252_334_080, "used": 144_048_128},
        "systemtime": time_text(told_us, zone=ZONE),
        "temperature": {"ambient": temperature_c - 2, "pa": temperature_c},
        "uptime": "5:21:9",
    }
    data: dict[str, object] = {
        "radio_control": radio,
        "reader_gateway": gateway,
        "system": system,
        "userapps": [],
    }
    return management_event("heartbeat", number, told_us, data)


def fixed_time(at_us: int) -> str:
    """A fixed reader's time."""
    return time_text(at_us, zone=ZONE)


def handheld_data(
    told_us: int,
    tags: list[tuple[bytes, int, int]],
    codes: list[str],
    *,
    first_number: int,
) -> bytes:
    """A `dataEVT`: tags as EPC, signal in dBm and time, and codes without their symbology."""
    data: dict[str, object] = {}
    if tags:
        data["tagData"] = [
            {
                "EPCid": epc.hex().upper(),
                "eventNum": first_number + place,
                "format": "epc",
                "peakRssi": rssi_dbm,
                "phase": 0,
                "seenCount": 1,
                "lastSeenTime": seen_us // 1_000,
            }
            for place, (epc, rssi_dbm, seen_us) in enumerate(tags)
        ]
    if codes:
        data["barcodeData"] = [{"symbology": "CODE_128", "decodedBarcode": code} for code in codes]
    return as_json({"type": "BALANCED_PERFORMANCE", "timestamp": time_text(told_us), "data": data})


def handheld_heartbeat(number: int, told_us: int, *, tags: int, charge: int) -> bytes:
    """A `heartBeatEVT`."""
    return as_json(
        {
            "eventName": "heartbeat",
            "timestamp": time_text(told_us),
            "eventNumber": number,
            "data": {
                "inventoryStatus": {"rfidStatus": "INPROGRESS", "tagCount": tags, "scanCount": 0},
                "batteryAlert": {
                    "status": "HIGH",
                    "stateOfHealth": "FULL",
                    "chargePercentage": charge,
                },
            },
        }
    )


def handheld_connection(told_us: int, serial: str, *, connected: bool) -> bytes:
    """A `mqttConnEVT`: it tells a time of day only, and none in the last will."""
    told: dict[str, object] = {"connectionState": "CONNECTED" if connected else "DISCONNECTED"}
    if connected:
        told["timestamp"] = time_text(told_us)[11:19]
    told |= {"deviceModel": "RFD40", "deviceSerialNo": serial, "apiVersion": "1.1"}
    return as_json(told | {"mqttVersion": "3.1.1"})

"""Master data of the sample company: a small maker and distributor of pumps."""

from __future__ import annotations

from typing import Any, NamedTuple

SETTINGS = {
    "base_currency": "CNY",
    "money_decimals": 2,
    "mode": "standalone",
    "chart": "china",
    "rules": "default",
    "receipt": "goods_received_not_invoiced",
    "shipment": "revenue_at_acceptance",
}
TAXES = {
    "VAT13": {"rate": "0.13", "name": "VAT 13 %"},
    "VAT9": {"rate": "0.09", "name": "VAT 9 %"},
    "VAT0": {"rate": "0", "name": "VAT 0 %, imports and exports"},
}
PARTIES = {
    "SUP-CASTINGS": ("Castings and Shafts", "铸件与轴材供应商"),
    "SUP-MOTORS": ("Motors and Bearings", "电机与轴承供应商"),
    "SUP-SEALS": ("Seals and Chemicals", "密封与化学品供应商"),
    "SUP-PACIFIC": ("Pacific Instruments", "太平洋仪表供应商"),
    "CUS-WATER": ("Municipal Water Works", "市政供水客户"),
    "CUS-FARM": ("Farm Irrigation", "农业灌溉客户"),
    "CUS-CHEM": ("Chemical Plant", "化工厂客户"),
    "CUS-SHOP": ("Pump Retail", "水泵零售客户"),
    "DEP-MAINTENANCE": ("Maintenance", "设备维修部"),
    "DEP-QUALITY": ("Quality", "质量部"),
}
PLACES = {
    "SZ-RECEIVING": ("zone", "WH-SZ"),
    "SZ-QUARANTINE": ("zone", "WH-SZ"),
    "SZ-SHIPPING": ("zone", "WH-SZ"),
    "SZ-A-01": ("bin", "WH-SZ"),
    "SZ-A-02": ("bin", "WH-SZ"),
    "SZ-A-03": ("bin", "WH-SZ"),
    "SZ-A-04": ("bin", "WH-SZ"),
    "SZ-B-01": ("bin", "WH-SZ"),
    "SZ-B-02": ("bin", "WH-SZ"),
    "WX-RECEIVING": ("zone", "WH-WX"),
    "WX-A-01": ("bin", "WH-WX"),
    "WX-A-02": ("bin", "WH-WX"),
    "supplier": ("supplier", ""),
    "customer": ("customer", ""),
    "production": ("production", ""),
    "in_transit": ("in_transit", ""),
    "scrap": ("scrap", ""),
    "adjustment": ("adjustment", ""),
    "missing": ("missing", ""),
    "opening": ("opening", ""),
}
METHODS = {"A": "moving_average", "F": "fifo"}


class Item(NamedTuple):
    """A row of the table below."""

    number: str
    name: str
    name_zh: str
    unit: str
    decimals: str
    tracking: str
    method: str
    """A: moving average, F: FIFO, -: quantities only."""
    stock_class: str
    home: str
    """Where it usually lies."""
    cost: str
    """What one base unit usually costs."""


TABLE = """
R-100 | Cast iron housing DN50 | 铸铁泵壳 DN50 | each | 0 | none | A | raw | SZ-A-01 | 186.40
R-101 | Cast iron housing DN80 | 铸铁泵壳 DN80 | each | 0 | none | A | raw | SZ-A-01 | 298.75
R-110 | Impeller 120 mm | 叶轮 120 mm | each | 0 | none | A | raw | SZ-A-01 | 64.20
R-111 | Impeller 160 mm | 叶轮 160 mm | each | 0 | none | F | raw | SZ-A-01 | 97.35
R-120 | Shaft steel 25 mm | 轴用圆钢 25 mm | m | 3 | none | A | raw | SZ-A-02 | 48.37
R-121 | Steel plate 6 mm | 钢板 6 mm | kg | 3 | none | F | raw | SZ-A-02 | 5.83
R-130 | Mechanical seal 25 mm | 机械密封 25 mm | each | 0 | batch | F | raw | SZ-A-03 | 41.90
R-131 | O-ring set NBR | 丁腈 O 形圈套件 | each | 0 | batch | A | raw | SZ-A-03 | 7.15
R-140 | Ball bearing 6305 | 深沟球轴承 6305 | each | 0 | none | A | raw | SZ-A-03 | 12.64
R-150 | Motor 1.1 kW | 电机 1.1 kW | each | 0 | serial | A | raw | SZ-A-04 | 538
R-151 | Motor 2.2 kW | 电机 2.2 kW | each | 0 | serial | F | raw | SZ-A-04 | 812.5
R-160 | Hexagon bolt M8x30 | 六角螺栓 M8x30 | each | 0 | none | A | raw | SZ-A-03 | 0.3175
R-170 | Paint RAL 5010 | 油漆 RAL 5010 | kg | 3 | batch | F | raw | SZ-A-02 | 31.48
R-180 | Bearing grease | 轴承润滑脂 | kg | 2 | batch | A | raw | SZ-A-02 | 26.90
S-200 | Pump head DN50 | 泵头总成 DN50 | each | 0 | none | A | finished | SZ-A-01 | 352
S-201 | Pump head DN80 | 泵头总成 DN80 | each | 0 | none | F | finished | SZ-A-01 | 508.6
F-300 | Pump DN50 1.1 kW | 离心泵 DN50 1.1 kW | each | 0 | serial | A | finished | SZ-B-01 | 992
F-301 | Pump DN80 2.2 kW | 离心泵 DN80 | each | 0 | batch_serial | F | finished | SZ-B-01 | 1466.2
F-302 | Repair kit DN50 | 维修包 DN50 | each | 0 | batch | F | finished | SZ-B-01 | 74.55
M-400 | Pressure gauge 10 bar | 压力表 10 bar | each | 0 | none | F | merchandise | SZ-B-02 | 23.80
M-401 | Check valve DN50 | 止回阀 DN50 | each | 0 | none | A | merchandise | SZ-B-02 | 88.10
M-402 | Ball valve DN50 | 球阀 DN50 | each | 0 | none | F | merchandise | SZ-B-02 | 56.45
M-403 | Suction hose 25 mm | 吸水软管 25 mm | m | 2 | none | F | merchandise | SZ-B-02 | 11.27
M-404 | Pump oil 5 l | 水泵专用油 5 升 | each | 0 | batch | A | merchandise | SZ-B-02 | 63.70
M-405 | Gasket sheet | 密封垫片 | each | 0 | none | A | merchandise | SZ-B-02 | 9.05
M-406 | Flow meter DN50 | 流量计 DN50 | each | 0 | none | A | merchandise | SZ-B-02 | 642.3
M-407 | Sample flange | 样品法兰 | each | 0 | none | - | - | SZ-B-02 | 0
"""
ITEMS = {
    item.number: item
    for item in (
        Item(*(cell.strip() for cell in row.split("|"))) for row in TABLE.strip().splitlines()
    )
}
NEGATIVE = {"M-403", "M-405"}
"""A physical read may go ahead of the book."""
UNITS: dict[str, list[dict[str, str]]] = {
    "R-140": [
        {"unit": "box", "contains": "10"},
        {"unit": "case", "contains": "12", "of": "box"},
    ],
    "R-160": [{"unit": "box", "contains": "200"}],
    "M-400": [{"unit": "case", "contains": "20"}],
    "M-403": [{"unit": "roll", "contains": "50"}],
    "M-404": [{"unit": "carton", "contains": "4"}],
}
BILLS: dict[str, dict[str, Any]] = {
    "S-200": {
        "components": [
            {"item": "R-100", "quantity": "1"},
            {"item": "R-110", "quantity": "1"},
            {"item": "R-120", "quantity": "0.4", "scrap_rate": "0.025"},
            {"item": "R-130", "quantity": "1"},
            {"item": "R-140", "quantity": "2"},
        ],
        "conversion_cost": "38.5",
    },
    "S-201": {
        "components": [
            {"item": "R-101", "quantity": "1"},
            {"item": "R-111", "quantity": "1"},
            {"item": "R-120", "quantity": "0.61"},
            {"item": "R-121", "quantity": "3.2"},
            {"item": "R-130", "quantity": "1"},
            {"item": "R-140", "quantity": "2"},
        ],
        "conversion_cost": "52.75",
    },
    "F-300": {
        "components": [
            {"item": "S-200", "quantity": "1"},
            {"item": "R-150", "quantity": "1"},
            {"item": "R-160", "quantity": "8"},
            {"item": "R-170", "quantity": "0.35"},
        ],
        "conversion_cost": "61.2",
    },
    "F-301": {
        "components": [
            {"item": "S-201", "quantity": "1"},
            {"item": "R-151", "quantity": "1"},
            {"item": "R-160", "quantity": "12"},
            {"item": "R-170", "quantity": "0.55"},
        ],
        "conversion_cost": "84.9",
    },
    "F-302": {
        "lot": "10",
        "components": [
            {"item": "R-130", "quantity": "10"},
            {"item": "R-131", "quantity": "10"},
            {"item": "R-140", "quantity": "1", "unit": "box"},
            {"item": "R-180", "quantity": "0.5"},
        ],
        "conversion_cost": "4.35",
    },
}
# Number: safety stock, reorder point, lot size, smallest lot, days, supplier.
PLANS: dict[str, tuple[str, str | None, str | None, str, int, str]] = {
    "R-100": ("10", "60", "20", "20", 10, "SUP-CASTINGS"),
    "R-110": ("10", "60", None, "30", 10, "SUP-CASTINGS"),
    "R-120": ("5", "150", "6", "12", 10, "SUP-CASTINGS"),
    "R-130": ("20", "600", "50", "50", 14, "SUP-SEALS"),
    "R-140": ("40", "800", "120", "120", 14, "SUP-MOTORS"),
    "R-160": ("400", "9000", "200", "1000", 7, "SUP-MOTORS"),
    "M-400": ("20", "600", "20", "40", 30, "SUP-PACIFIC"),
    "M-401": ("10", "60", None, "20", 21, "SUP-PACIFIC"),
    "M-402": ("10", None, None, "10", 21, "SUP-PACIFIC"),
    "M-403": ("0", "40", "50", "50", 14, "SUP-PACIFIC"),
    "M-405": ("0", "25", None, "30", 14, "SUP-PACIFIC"),
    "S-200": ("0", "40", "10", "10", 3, ""),
    "F-302": ("10", "30", "10", "10", 5, ""),
}


def master() -> dict[str, Any]:
    """All but the batches and documents."""
    return {
        "settings": SETTINGS,
        "items": [_item(number) for number in ITEMS],
        "places": [
            {"location": location, "kind": kind, "warehouse": warehouse}
            for location, (kind, warehouse) in PLACES.items()
        ],
        "taxes": TAXES,
        "parties": {
            party: {"name": name, "name_zh": name_zh}
            | ({"is_department": True} if party.startswith("DEP-") else {})
            for party, (name, name_zh) in PARTIES.items()
        },
    }


def _item(number: str) -> dict[str, Any]:
    item = ITEMS[number]
    category = {"R": "raw", "S": "assembly", "F": "pump", "M": "merchandise"}[number[0]]
    made: dict[str, Any] = {
        "item": number,
        "base_unit": item.unit,
        "decimals": int(item.decimals),
        "tracking": item.tracking,
        "negative": "alarm" if number in NEGATIVE else "refuse",
        "card": {"name": item.name, "name_zh": item.name_zh, "category": category},
    }
    if item.method in METHODS:
        made["costing"] = {"method": METHODS[item.method], "stock_class": item.stock_class}
    if number in UNITS:
        made["units"] = UNITS[number]
    if number in PLANS:
        safety, point, size, least, days, supplier = PLANS[number]
        planning = {
            "safety_stock": safety,
            "reorder_point": point,
            "lot_size": size,
            "lot_min": least,
            "lead_time_days": days,
            "supplier": supplier,
        }
        made["planning"] = {name: value for name, value in planning.items() if value}
    if number in BILLS:
        made["bill_of_materials"] = BILLS[number]
    return made

"""The board `flow`: passages, latency, rejects, lag.

Queries are InfluxQL, which InfluxDB 1, 2 and 3 share, and SQL for what the ledger alone knows.
The names in them are constants of this file.
"""

from __future__ import annotations

from typing import TypedDict

INFLUX = {"type": "influxdb", "uid": "tallygate-influxdb"}
LEDGER = {"type": "grafana-postgresql-datasource", "uid": "tallygate-ledger"}
WIDTH = 12
HEIGHT = 8
COLUMNS = 24


class Source(TypedDict):
    """A data source as a panel names it."""

    type: str
    uid: str


class Target(TypedDict, total=False):
    """One query of a panel."""

    refId: str
    query: str
    rawQuery: bool
    resultFormat: str
    alias: str
    rawSql: str
    format: str


class Panel:
    """One panel: a title, a unit, and its queries with their aliases."""

    def __init__(
        self, title: str, unit: str, queries: dict[str, str], *, kind: str = "timeseries"
    ) -> None:
        """`queries`: alias to InfluxQL, or to SQL for a table of the ledger."""
        self.title = title
        self.unit = unit
        self.queries = queries
        self.kind = kind

    @property
    def of_ledger(self) -> bool:
        """Whether its queries are SQL."""
        return self.kind == "table"

    def targets(self) -> list[Target]:
        """The queries as Grafana keeps them."""
        found: list[Target] = []
        for place, (alias, query) in enumerate(self.queries.items()):
            reference = chr(ord("A") + place)
            if self.of_ledger:
                found.append({"refId": reference, "rawSql": query, "format": "table"})
            else:
                found.append(
                    {
                        "refId": reference,
                        "query": query,
                        "rawQuery": True,
                        "resultFormat": "time_series",
                        "alias": alias,
                    }
                )
        return found


def _count(measurement: str, field: str, tag: str) -> str:
    return (  # The names are constants of this file, never input.
        f'SELECT sum("{field}") FROM "{measurement}" WHERE $timeFilter'  # noqa: S608
        f' GROUP BY time($__interval), "{tag}" fill(0)'
    )


def _highest(measurement: str, field: str) -> str:
    return (
        f'SELECT max("{field}") FROM "{measurement}" WHERE $timeFilter'  # noqa: S608
        " GROUP BY time($__interval) fill(null)"
    )


PANELS = (
    Panel(
        "Passages by gate / 过门次数",
        "short",
        {"$tag_gate": _count("passages", "count", "gate")},
    ),
    Panel(
        "Read to ledger entry / 从读取到入账",
        "µs",
        {
            "p50": _highest("latency", "p50_us"),
            "p99": _highest("latency", "p99_us"),
            "decision window, mean": _highest("latency", "window_us"),
        },
    ),
    Panel(
        "Rejects by source / 拒收输入",
        "short",
        {"$tag_source": _count("rejects", "count", "source")},
    ),
    Panel(
        "Lag / 积压",
        "short",
        {
            "outputs waiting": _highest("lag", "waiting"),
            "slowest gateway behind, us": _highest("lag", "gateways_us"),
        },
    ),
    Panel(
        "Discrepancies opened / 新账实差异",
        "short",
        {"$tag_problem": _count("discrepancies", "opened", "problem")},
    ),
    Panel(
        "Open discrepancies / 未结账实差异",
        "short",
        {
            "open": (
                "select to_timestamp(found_us / 1e6) as found, load, problem, location, item,"
                " quantity from ledger.discrepancies where closed_us is null"
                " order by found_us desc limit 50"
            )
        },
        kind="table",
    ),
)


def board() -> dict[str, object]:
    """The board as Grafana's JSON."""
    panels = []
    for place, panel in enumerate(PANELS):
        source = LEDGER if panel.of_ledger else INFLUX
        panels.append(
            {
                "id": place + 1,
                "title": panel.title,
                "type": panel.kind,
                "datasource": source,
                "gridPos": {
                    "h": HEIGHT,
                    "w": WIDTH,
                    "x": place * WIDTH % COLUMNS,
                    "y": place * WIDTH // COLUMNS * HEIGHT,
                },
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "targets": [{"datasource": source, **target} for target in panel.targets()],
            }
        )
    return {
        "uid": "tallygate-flow",
        "title": "Tallygate: flow / 实时流",
        "tags": ["tallygate"],
        "timezone": "browser",
        "refresh": "5s",
        "time": {"from": "now-1h", "to": "now"},
        "schemaVersion": 39,
        "version": 1,
        "panels": panels,
    }

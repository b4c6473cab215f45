"""Boards and data sources as code. `python -m grafana` writes the JSON that Grafana provisions."""

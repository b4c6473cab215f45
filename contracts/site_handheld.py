"""The site file's table `[devices.handheld]`: the agent's interface for handheld scans."""

from __future__ import annotations

from contracts.site_base import Table


class HandheldTable(Table):
    """Who may send scans, and how."""

"""What the terminal says, in English and Chinese: one table, so that no word is said twice."""

from __future__ import annotations

import os

LANGUAGES = ("en", "zh")

_WORDS: dict[str, tuple[str, str]] = {
    "door": ("door", "通道门"),
    "gate": ("gate", "通道门"),
    "load": ("load", "单据"),
    "expected": ("expected", "应过"),
    "passed": ("passed", "已过"),
    "state": ("state", "状态"),
    "time": ("time", "时间"),
    "item": ("item", "物料"),
    "identity": ("identity", "身份标识"),
    "pallet": ("pallet", "托盘"),
    "case": ("case", "箱"),
    "direction": ("direction", "方向"),
    "in": ("in", "入"),
    "out": ("out", "出"),
    "turned_back": ("turned back", "折返"),
    "unknown": ("unknown", "未知"),
    "missing": ("missing", "缺少"),
    "over": ("over", "多出"),
    "stranger": ("stranger", "单外货物"),
    "wrong_door": ("wrong door", "走错门"),
    "waiting": ("waiting", "待过门"),
    "started": ("under way", "进行中"),
    "complete": ("complete", "已齐"),
    "left": ("left", "已离开"),
    "loads": ("Loads", "单据"),
    "passages": ("Newest passages", "最近过门"),
    "discrepancies": ("Discrepancies", "账实差异"),
    "device": ("device", "设备"),
    "location": ("location", "库位"),
    "quit": ("Ctrl-C ends the view.", "按 Ctrl-C 退出。"),
    "nothing": ("nothing yet", "暂无"),
}


def language(asked: str | None) -> str:
    """The language to speak: what was asked for, else what the terminal's locale says."""
    if asked in LANGUAGES:
        return str(asked)
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "zh" if locale.lower().startswith("zh") else "en"


def word(key: str, spoken: str) -> str:
    """A word in a language; a key that is no word of ours is said as it is."""
    pair = _WORDS.get(key)
    return key if pair is None else pair[LANGUAGES.index(spoken)]

"""What the terminal says, in English and Chinese: one table, so that no word is said twice."""

from __future__ import annotations

import os

from tallygate.errors import TallygateError
from tallygate.report_words import REPORT_WORDS

LANGUAGES = ("en", "zh")

_WORDS: dict[str, tuple[str, str]] = {
    # Places and things.
    "door": ("door", "通道门"),
    "gate": ("gate", "通道门"),
    "location": ("location", "库位"),
    "load": ("load", "单据"),
    "item": ("item", "物料"),
    "identity": ("identity", "身份标识"),
    "pallet": ("pallet", "托盘"),
    "case": ("case", "箱"),
    "device": ("device", "设备"),
    "unread": ("unread", "未读"),
    # Columns and titles.
    "expected": ("expected", "应过"),
    "passed": ("passed", "已过"),
    "state": ("state", "状态"),
    "time": ("time", "时间"),
    "direction": ("direction", "方向"),
    "gates": ("Gates", "通道门"),
    "loads": ("Loads", "单据"),
    "passages": ("Newest passages", "最近过门"),
    "discrepancies": ("Discrepancies", "账实差异"),
    "what": ("what", "事件"),
    "why": ("why, evidence", "依据与证据"),
    "entries": ("entries", "条账目"),
    "quit": ("Ctrl-C ends the view.", "按 Ctrl-C 退出。"),
    "nothing": ("nothing yet", "暂无"),
    "no_load": ("no load planned", "暂无单据"),
    "all_well": ("all well", "无差异"),
    "more": ("and {} more", "另有 {} 项"),
    "tags": ("{} tags", "{} 个标签"),
    "tag": ("1 tag", "1 个标签"),
    "tags_in_all": (", {} tags in all", " 等 {} 个标签"),
    "last_seen": ("last seen", "最后见于"),
    "belongs_to": ("belongs to", "属于"),
    "epcis": ("partner's event", "伙伴事件"),
    "settled": ("settled", "已解决"),
    "settled_since": (" (settled since)", " (已解决)"),
    "settled_many": ("{} settled since", "{} 项已解决"),
    "now_at": ("now", "现在"),
    "evidence_only": (
        "and {} ({}) that changed nothing",
        "另有 {} ({}) 未引起变化",
    ),
    "lost_ledger": ("the ledger does not answer; trying again", "账本无响应,正在重试"),
    "since": ("since", "自"),
    # Births and ends of identities.
    "commissioned": ("commissioned", "赋码"),
    "decommissioned": ("decommissioned", "注销"),
    "took_in": ("took in", "装入内容"),
    "replaced": ("replaced", "换标"),
    "holder_ended": ("its holder ended", "外包装注销"),
    "unit": ("unit", "单品"),
    "put_in": ("in {}", "装于 {}"),
    "holds": ("holds {}", "内装 {}"),
    "batch": ("batch {}", "批号 {}"),
    "expires": ("expires {}", "有效期 {}"),
    "instead_of": ("instead of {}", "替换 {}"),
    "now_under": ("now {}", "现为 {}"),
    "retagged": ("new tag", "换标"),
    "unpacked": ("unpacked", "拆包"),
    "consumed": ("used up", "消耗"),
    "scrapped": ("destroyed", "报废"),
    "label_lost": ("label lost", "标签遗失"),
    # Directions and what a location event says.
    "in": ("in", "入"),
    "out": ("out", "出"),
    "turned_back": ("turned back", "折返"),
    "unknown": ("unknown", "未知"),
    "passed_in": ("passed in", "过门 入"),
    "passed_out": ("passed out", "过门 出"),
    "passed_turned_back": ("turned back", "折返"),
    "passed_unknown": ("passed, no direction", "过门 方向未知"),
    "arrived": ("arrived", "到达"),
    "moved": ("moved", "移动"),
    "departed": ("departed", "离开"),
    # Discrepancies.
    "missing": ("missing", "缺少"),
    "over": ("over", "多出"),
    "stranger": ("stranger", "单外货物"),
    "wrong_door": ("wrong door", "走错门"),
    "passed_later": ("it passed later", "随后通过"),
    "came_back": ("it came back", "已返回"),
    "plan_changed": ("the plan was changed", "单据已变更"),
    # States of loads.
    "waiting": ("waiting", "待过门"),
    "started": ("under way", "进行中"),
    "complete": ("complete", "已齐"),
    "left": ("left", "已离开"),
    # States of devices.
    "reading": ("reading", "读取中"),
    "retrying": ("retrying", "重连中"),
    "refused": ("refused", "被拒绝"),
    "silent": ("silent", "无声"),
    "stopped": ("stopped", "已停止"),
    "not_heard_of": ("not heard of", "尚无消息"),
    "lost_antenna": ("lost", "失去"),
    "alarm": ("alarm:", "告警："),
    # Why a location event says what it says.
    "antenna_order": ("order of the antennas", "天线先后"),
    "photo_eye": ("photo-eye", "光电开关"),
    "neighbour": ("the zones before and after", "前后库区"),
    "companions": ("what moved with it", "同行货物"),
    "trend": ("signal trend", "信号走势"),
    "continuous": ("silence under continuous reading", "连续读取中静默"),
    "line": ("conveyor scanner", "输送线扫描"),
    "no_read": ("triggered, no code found", "已触发 未读到条码"),
    "reads": ("repeated reads", "多次读取"),
    "signal": ("stronger signal", "信号更强"),
    "late": ("late: older than what was known", "迟到: 早于已知事件"),
    "incomplete": ("a gateway was silent meanwhile", "期间网关无声"),
    "sure": ("{} % sure", "把握 {} %"),
    "antenna": ("antenna", "天线"),
    "times": ("{} reads", "读 {} 次"),
    "sighting": ("1 sighting", "1 次观测"),
    "sightings": ("{} sightings", "{} 次观测"),
    "once": ("1 read", "读 1 次"),
    "within": ("within {} s", "{} 秒内"),
    **REPORT_WORDS,
}


def language(asked: str | None) -> str:
    """The language to speak: what was asked for, else what the terminal's locale says."""
    if asked is not None and asked in LANGUAGES:
        return asked
    if asked:
        raise TallygateError(f"no language {asked!r}; there are {' and '.join(LANGUAGES)}")
    locale = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "zh" if locale.lower().startswith("zh") else "en"


def word(key: str, spoken: str, *values: object) -> str:
    """A word in a language, its gaps filled; a key that is no word of ours is said as it is."""
    pair = _WORDS.get(key)
    text = key.replace("_", " ") if pair is None else pair[LANGUAGES.index(spoken)]
    return text.format(*values) if values else text


def counted(one: str, many: str, count: int, spoken: str) -> str:
    """Such as "1 read" or "17 reads"."""
    return word(one, spoken) if count == 1 else word(many, spoken, f"{count:,}")

"""Who may do what in the schema `ledger`: a decision for each table, view and function.

A new one without a decision fails the tests: add it here, where it belongs, and grant it so. Only
a function that no role may call needs none.
"""

from __future__ import annotations

ROLES = {
    "ledger_reader": "reads everything of its sites",
    "ledger_appender": "appends entries and posts: the process engine",
    "ledger_sink": "appends what the stream says: the sink",
    "ledger_bridge": "holds the bridge's lease, opens logs, puts reference data",
    "ledger_worker": "takes epochs and loads what its partitions need",
    "ledger_auditor": "reads entries, what was made of them, and what proves them",
    "ledger_keeper": "forgets evidence that is past its time",
    "ledger_names": "reads who stands behind a pseudonym",
    "ledger_privacy": "reads that, redacts, and sets how long personal data is kept",
}

Roles = frozenset[str]


def roles(*names: str) -> Roles:
    """The roles with these names, without what they all begin with."""
    found = frozenset(f"ledger_{name}" for name in names)
    assert found <= ROLES.keys()
    return found


NOBODY = roles()
EVERYBODY = frozenset(ROLES)
READERS = roles("reader", "sink")
AUDITED = READERS | roles("auditor")
BOOKS = AUDITED | roles("appender")
PROGRAMS = READERS | roles("appender", "bridge", "worker")
PERSONAL = roles("names", "privacy")

SELECT: dict[Roles, str] = {
    AUDITED: "heads counts rejects losses discrepancies load_states device_states evidence_ids",
    BOOKS | PERSONAL: "chains entries",
    AUDITED - roles("sink") | PERSONAL: "deeds",
    BOOKS: "evidence allowed_changes balances identities book_data book_items book_periods"
    " book_places document_lines documents postings reversals valuations voucher_lines vouchers"
    " book_data_now items_now places_now unknown_tags series allocations contents"
    " document_components unpackings epcis_reversals mentions accounts_now"
    " batch_expiry bill_lines money_now order_lines planned_warehouses planning_now"
    " standing_documents stock stock_places unit_factors valuations_now variance_lines",
    PROGRAMS | roles("auditor"): "logs reference whereabouts",
    PROGRAMS: "memory positions spools stage_memory",
    READERS: "coverage latencies leases tallies",
    roles("keeper", "reader", "auditor"): "evidence_months",
    PERSONAL: "person_uses retention_times deeds_named persons_named",
    roles("auditor", "privacy"): "persons_in_clear",
    # Names by column, the salt never.
    NOBODY: "persons site_readers",
}
"""Who may read which table or view."""

MUTABLE = frozenset(
    {
        # The end of each chain, and where the programs stand.
        *("chains", "positions", "coverage", "spools", "memory", "stage_memory", "leases"),
        # What can be made anew from entries, and what is merely counted.
        *("whereabouts", "balances", "identities", "series", "tallies", "latencies"),
        *("allocations", "contents"),
        # Data that a site may add to.
        "allowed_changes",
    }
)
"""Tables that the functions change; the owner may too. All others are insert-only for him."""
REDACTED = "persons"
"""The one table from which something goes: by redaction alone."""

EXECUTE: dict[Roles, str] = {
    PROGRAMS: "acknowledged current_log memory_of position stage_memory_of whereabouts_of",
    PROGRAMS | roles("auditor"): "content_of genesis_of hash_of reference_of",
    PROGRAMS | PERSONAL | roles("auditor"): "json_of",
    BOOKS: "book_happened book_item_now book_place_now book_recorded data_now epcis_entries_of"
    " order_of settings_now valuation_now valued_quantity wrong_stock account_balance ageing"
    " ageing_layers available available_to_promise day_of expiry item_flows order_progress reorder"
    " discrepancy_identities discrepancy_of sources_of trace_back trace_forward trace_movements"
    " all_serials goods_of is_taken_back issued_for join_serials made_by moved_by parts_of"
    " used_for uses_of"
    " round_up seq_recorded stock_recorded supply_and_demand trial_balance variance_by",
    roles("auditor", "reader"): "json_text msgpack_integer msgpack_text reference_change",
    PERSONAL: "kept_until",
    EVERYBODY: "sites_read",
    roles("sink"): "add_evidence commit_partition count_latencies keep_head keep_stage_memory"
    " keep_whereabouts tally",
    roles("appender"): "allocate commission decommission post post_documents put_book stands_for",
    roles("appender", "sink"): "append capture",
    roles("keeper"): "forget_evidence",
    roles("appender", "privacy"): "name_person",
    roles("bridge"): "open_log",
    roles("appender", "bridge", "privacy"): "pseudonym_of",
    roles("appender", "bridge"): "put_reference",
    roles("privacy"): "put_retention redact_person",
    roles("bridge", "sink"): "release_lease renew_lease take_lease",
    roles("worker"): "take_epoch",
}
"""Who may call which function; those with other arguments and the same name count together. What is
not here is for nobody but the functions of the ledger."""


def decided(decisions: dict[Roles, str]) -> dict[str, Roles]:
    """The same, by name. Each name has one decision."""
    found: dict[str, Roles] = {}
    for who, names in decisions.items():
        for name in names.split():
            assert name not in found, name
            found[name] = who
    return found


def undecided(kind: str, there: set[str], decisions: dict[str, Roles]) -> str:
    """What is wrong between what is there and what was decided; empty: nothing."""
    missing = ", ".join(sorted(there - decisions.keys()))
    gone = ", ".join(sorted(decisions.keys() - there))
    return "; ".join(
        text
        for names, text in (
            (missing, f"{kind} without a decision in tests/support/rights_decisions.py: {missing}"),
            (gone, f"{kind} that are decided and not there: {gone}"),
        )
        if names
    )

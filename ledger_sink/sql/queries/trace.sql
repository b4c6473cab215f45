-- Where stock came from, went, and what it was made of; tracing.py gives the answers their types.

-- name: items_of_gtin
-- The items of the books that a GTIN-14 means: by their number, or by what their card says.
select i.item from ledger.items_now i where i.site = %(site)s and i.item = %(gtin)s
union
select b.key from ledger.book_data_now b
where b.site = %(site)s and b.what = 'item_card' and b.body ->> 'gtin' = %(gtin)s
order by 1

-- name: is_item
-- Whether the books know an item.
select exists (select from ledger.book_items i where i.site = %(site)s and i.item = %(item)s)

-- name: movements
-- What moved of an item, a batch or a piece.
select seq, happened_us, recorded_us, step, document, coalesce(kind, ''), coalesce(party, ''), person, batch, quantity,
    pieces, coalesce(from_locations, '{}'), coalesce(to_locations, '{}'), coalesce(to_dispositions, '{}'), owner,
    coalesce(containers, '{}'), is_inferred, reverses
from ledger.trace_movements(%(site)s, %(item)s, %(batch)s, %(serial)s)

-- name: back
-- What it is made of.
select depth, item, batch, coalesce(document, ''), coalesce(kind, ''), coalesce(party, ''), happened_us, quantity, used
from ledger.trace_back(%(site)s, %(item)s, %(batch)s, %(serial)s)

-- name: forward
-- What it went into, and to whom.
select depth, item, batch, coalesce(document, ''), coalesce(kind, ''), coalesce(party, ''), happened_us, quantity,
    null::numeric
from ledger.trace_forward(%(site)s, %(item)s, %(batch)s, %(serial)s)

-- Reading everything that the books hold, to recompute it. Columns stand in the order of core/check_rows.py; a seq comes
-- first, and rows in its order.

-- name: entries_of_books
-- The entries that make rows of the books.
select seq, id, kind, happened_us, recorded_us, identity, payload from ledger.entries
where site = %(site)s and kind = any (%(kinds)s) and kind <> 'location' order by seq

-- name: book_items
-- Items as the books count them.
select seq, item, base_unit, decimals::integer, tracking, negative from ledger.book_items
where site = %(site)s order by seq, item

-- name: book_places
-- Locations.
select seq, location, kind, warehouse from ledger.book_places where site = %(site)s order by seq, location

-- name: book_periods
-- Closed periods.
select seq, before_us from ledger.book_periods where site = %(site)s order by seq, before_us

-- name: book_data
-- Other master data.
select seq, what, key, body::text from ledger.book_data where site = %(site)s order by seq, what, key

-- name: postings
-- The lines of movements.
select seq, line, item, location, batch, serial, disposition, reservation, owner, container, is_inferred, quantity,
    happened_us, recorded_us, balance
from ledger.postings where site = %(site)s order by seq, line

-- name: reversals
-- Movements that were taken back.
select seq, reversed from ledger.reversals where site = %(site)s order by seq, reversed

-- name: documents
-- Documents.
select seq, id, kind, party, refers, warehouse, to_warehouse, person, happened_us, due_us, recorded_us
from ledger.documents where site = %(site)s order by seq, id

-- name: document_lines
-- Their lines.
select seq, line, item, quantity, net_base, location, to_location, batch, owner, order_line, reason
from ledger.document_lines where site = %(site)s order by seq, line

-- name: document_components
-- What production receipts used.
select seq, place, line, item, quantity, batch from ledger.document_components where site = %(site)s order by seq, place

-- name: vouchers
-- Journal vouchers.
select seq, id, document, movement, rule, occasion, happened_us, recorded_us, currency, reverses, is_proposal
from ledger.vouchers where site = %(site)s order by seq, id

-- name: voucher_lines
-- Their lines.
select seq, line, account, debit, credit, item, quantity, tax, currency, currency_amount, party, document_line
from ledger.voucher_lines where site = %(site)s order by seq, line

-- name: valuations
-- What stock was worth behind each document.
select seq, item, method, quantity, value, price, layers::text, recorded_us
from ledger.valuations where site = %(site)s order by seq, item

-- name: unpackings
-- Containers that were taken apart.
select seq, container, is_apart from ledger.unpackings where site = %(site)s order by seq, container

-- name: mentions
-- Identities that entries speak of beside their own.
select seq, identity from ledger.mentions where site = %(site)s order by seq, identity

-- name: balances
-- The present book.
select item, location, batch, serial, disposition, reservation, owner, quantity, seq from ledger.balances
where site = %(site)s

-- name: contents
-- What is in which container.
select container, item, location, batch, serial, disposition, reservation, owner, quantity, seq from ledger.contents
where site = %(site)s

-- name: allocations
-- What is allocated to which order.
select order_id, item, location, batch, serial, disposition, owner, quantity, seq from ledger.allocations
where site = %(site)s

-- name: identities
-- Identities as they stand.
select identity, packing, item, quantity, batch, expiry, parent, epc, born_seq, born_us, ended_seq, ended_us, successor
from ledger.identities where site = %(site)s

-- name: allowed_changes
-- Changes of state that movements may make, of all sites.
select axis, before, after from ledger.allowed_changes

-- name: family
-- The payloads of all that hangs together with a document by `refers`, as it was before an entry, in order.
with recursive family as (
    select d.seq, d.id, d.refers from ledger.documents d
    where d.site = %(site)s and d.seq < %(before)s and (d.id = %(refers)s or d.refers = %(refers)s)
    union
    select d.seq, d.id, d.refers
    from family f join ledger.documents d on d.site = %(site)s and d.seq < %(before)s
        and (d.id = f.refers or d.refers = f.id or (d.refers = f.refers and d.refers <> ''))
)
select e.kind, e.payload
from (
    select f.seq from family f
    union
    select v.seq from family f join ledger.vouchers v on v.site = %(site)s and v.document = f.id
) s
join ledger.entries e on e.site = %(site)s and e.seq = s.seq
order by e.seq

-- The books.

-- name: put_book
-- Whether the master data is new.
select ledger.put_book(%(site)s, %(at_us)s, %(payload)b)

-- name: post
-- What became of each movement.
select outcome, seq, problem from ledger.post(%(site)s, %(at_us)s, %(payloads)b::bytea[]) order by place

-- name: book_now
-- The present book of an item.
select item, location, batch, serial, disposition, reservation, owner, quantity from ledger.balances
where site = %(site)s and item = %(item)s and quantity <> 0

-- name: book_recorded
-- The book of an item as it was recorded by an instant.
select item, location, batch, serial, disposition, reservation, owner, quantity
from ledger.book_recorded(%(site)s, %(item)s, %(at_us)s)

-- name: book_happened
-- What had happened to an item by one instant, as recorded by another.
select item, location, batch, serial, disposition, reservation, owner, quantity
from ledger.book_happened(%(site)s, %(item)s, %(happened_us)s, %(recorded_us)s)

-- name: all_books
-- Every entry of master data, in order.
select seq, payload from ledger.entries where site = %(site)s and kind = 'book' order by seq

-- name: all_movements
-- Every movement and its postings, in order.
select e.seq, e.recorded_us, e.payload, p.line, p.item, p.location, p.batch, p.serial, p.disposition, p.reservation,
    p.owner, p.quantity, p.happened_us, p.recorded_us, p.balance
from ledger.entries e left join ledger.postings p on p.site = e.site and p.seq = e.seq
where e.site = %(site)s and e.kind = 'movement' order by e.seq, p.line

-- name: all_balances
-- The present book.
select item, location, batch, serial, disposition, reservation, owner, quantity, seq from ledger.balances
where site = %(site)s

-- name: all_made
-- Every row that an entry of the books made beside postings and balances, its columns as text.
select 'book_items', seq, array[item, base_unit, decimals::text, tracking, negative] from ledger.book_items
where site = %(site)s
union all
select 'book_places', seq, array[location, kind, warehouse] from ledger.book_places where site = %(site)s
union all
select 'book_periods', seq, array[before_us::text] from ledger.book_periods where site = %(site)s
union all
select 'reversals', seq, array[reversed] from ledger.reversals where site = %(site)s

-- name: stray_postings
-- Postings without a movement.
select distinct p.seq from ledger.postings p
where p.site = %(site)s and not exists (
    select from ledger.entries e where e.site = p.site and e.seq = p.seq and e.kind = 'movement'
) order by p.seq limit 20

-- The books.

-- name: put_book
-- Whether the master data is new.
select ledger.put_book(%(site)s, %(at_us)s, %(payload)b)

-- name: post
-- What became of each movement.
select outcome, seq, problem from ledger.post(%(site)s, %(at_us)s, %(payloads)b::bytea[]) order by place

-- name: data_now
-- The data of these kinds that counts.
select what, key, seq, body::text from ledger.book_data_now where site = %(site)s and what = any (%(what)s::text[])

-- name: held_accounts
-- Those of these accounts on which goods are open: of some item a value, or a quantity.
select l.account from ledger.voucher_lines l
where l.site = %(site)s and l.account = any (%(accounts)s::text[])
group by l.account, l.item having sum(l.debit - l.credit) <> 0 or sum(l.quantity) <> 0

-- name: bases
-- The newest valuation of each item, and under the empty name the newest document.
select i.item, coalesce(v.seq, 0) from unnest(%(items)s::text[]) i (item)
left join lateral ledger.valuation_now(%(site)s, i.item) v on true
union all
select '', coalesce(max(d.seq), 0) from ledger.documents d where d.site = %(site)s

-- name: post_documents
-- What became of each document.
select outcome, seq, problem from ledger.post_documents(
    %(site)s, %(at_us)s, %(documents)b::bytea[], %(movements)b::bytea[], %(vouchers)b::bytea[],
    %(voucher_places)s::integer[], %(valuations)b::bytea[], %(valuation_places)s::integer[], %(bases)s::jsonb
) order by place

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

-- What documents are planned from: loaded for a whole batch at once.

-- name: family
-- All that hangs together with these documents by what refers to what, in order of recording, each with its movement.
with recursive family as (
    select d.id, d.refers from ledger.documents d where d.site = %(site)s and d.id = any (%(ids)s::text[])
    union
    select o.id, o.refers
    from family f cross join lateral (
        select d.id, d.refers from ledger.documents d where d.site = %(site)s and d.id = f.refers
        union all
        select d.id, d.refers from ledger.documents d where d.site = %(site)s and d.refers = f.id and d.refers <> ''
    ) o
)
select d.seq, e.payload, m.payload
from family f
join ledger.documents d on d.site = %(site)s and d.id = f.id
join ledger.entries e on e.site = d.site and e.seq = d.seq
left join ledger.entries m on m.site = d.site and m.id = d.id || '/m' and m.kind = 'movement'
order by d.seq

-- name: vouchers
-- The vouchers of documents, in order of recording.
select e.payload
from ledger.vouchers v join ledger.entries e on e.site = v.site and e.seq = v.seq
where v.site = %(site)s and v.document = any (%(ids)s::text[]) order by v.seq

-- name: inside
-- Containers and all identities that were born in them and live, with what holds each, and whether that was taken apart
-- since.
with recursive inside as (
    select i.identity, 0 as depth from ledger.identities i
    where i.site = %(site)s and i.identity = any (%(containers)s::text[])
    union
    select c.identity, p.depth + 1
    from inside p join ledger.identities c on c.parent = p.identity and c.ended_us is null and c.site = %(site)s
    where p.depth < 8
)
select distinct i.identity, i.item, i.packing, i.quantity, i.batch,
    coalesce(i.parent, ''), coalesce(u.is_apart and u.seq > i.born_seq, false)
from inside n
join ledger.identities i on i.identity = n.identity
left join lateral (
    select p.is_apart, p.seq from ledger.unpackings p where p.site = %(site)s and p.container = i.parent
    order by p.seq desc limit 1
) u on true
order by i.identity

-- name: contents
-- What lies in containers: in the named ones, and of the named items.
select container, item, location, batch, serial, disposition, reservation, owner, quantity from ledger.contents
where site = %(site)s and quantity <> 0
    and (container = any (%(containers)s::text[]) or item = any (%(items)s::text[]))
order by container, item, location, batch, serial, disposition, reservation, owner

-- name: items
-- Items as the books count them.
select i.item, i.base_unit, i.decimals, i.tracking, i.negative
from unnest(%(items)s::text[]) g (item) cross join lateral ledger.book_item_now(%(site)s, g.item) i

-- name: places
-- All locations.
select location, kind, warehouse from ledger.places_now where site = %(site)s order by location

-- name: period
-- The first moment that is open.
select coalesce(max(before_us), 0) from ledger.book_periods where site = %(site)s

-- name: data
-- What the books know: of these kinds all, of those what these keys name.
select what, key, seq, body::text from ledger.book_data_now
where site = %(site)s and (
    what = any (%(whole)s::text[]) or what = any (%(named)s::text[]) and key = any (%(keys)s::text[])
)

-- name: item_codes
-- The items among these that a GTIN stands for, on the item or on a pack of it.
select key, code from (
    select d.key, d.body ->> 'gtin' as code from ledger.book_data_now d
    where d.site = %(site)s and d.what = 'item_card' and d.key = any (%(items)s::text[])
    union
    select d.key, u.said ->> 'gtin' from ledger.book_data_now d, jsonb_array_elements(d.body -> 'units') u (said)
    where d.site = %(site)s and d.what = 'units' and d.key = any (%(items)s::text[])
) c where code <> '' order by key, code

-- name: balances
-- What is in the house and in transit of items, and which movement first brought stock of that key.
with places as materialized (
    select p.location from ledger.places_now p where p.site = %(site)s and p.kind in ('zone', 'bin', 'in_transit')
)
select b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner, b.quantity, f.seq
from ledger.balances b
join places p on p.location = b.location
-- The first at or behind the key, in the index's order: no plan finds it in another way, before any statistics either.
cross join lateral (
    select q.* from ledger.postings q
    where (q.site, q.item, q.location, q.batch, q.serial, q.disposition, q.reservation, q.owner)
        >= (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
    order by q.site, q.item, q.location, q.batch, q.serial, q.disposition, q.reservation, q.owner, q.seq, q.line
    limit 1
) f
where b.site = %(site)s and b.item = any (%(items)s::text[]) and b.quantity <> 0
    and (f.site, f.item, f.location, f.batch, f.serial, f.disposition, f.reservation, f.owner)
        = (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
order by f.seq, b.item, b.location, b.batch, b.serial

-- name: allocations
-- What is allocated to whom: of these items, and to these orders.
select order_id, item, location, batch, serial, disposition, owner, quantity from ledger.allocations
where site = %(site)s and quantity <> 0 and (item = any (%(items)s::text[]) or order_id = any (%(ids)s::text[]))
order by order_id, item, location, batch, serial, disposition, owner

-- name: valuations
-- What items are worth now.
select v.item, v.method, v.quantity::text, v.value::text, v.price::text, v.layers::text
from unnest(%(items)s::text[]) g (item) cross join lateral ledger.valuation_now(%(site)s, g.item) v

-- name: to_release
-- Orders that hold stock beyond their time, or that are closed or taken back.
select distinct a.order_id
from ledger.allocations a join ledger.documents d on d.site = a.site and d.id = a.order_id
where a.site = %(site)s and a.quantity <> 0 and (
    d.due_us between 1 and %(at_us)s or exists (
        select from ledger.documents c
        where c.site = d.site and c.refers = d.id and c.kind in ('order_closed', 'reversal') and not exists (
            select from ledger.documents r where r.site = c.site and r.refers = c.id and r.kind = 'reversal')
    )
) order by a.order_id

-- name: releases
-- How often stock of an order was released.
select count(*) from ledger.entries e
where e.site = %(site)s and e.kind = 'movement' and starts_with(e.id, %(order_id)s || '/released/')

-- name: is_entered
-- Whether there is an entry of this id.
select true from ledger.entries where site = %(site)s and id = %(id)s

-- name: wrong_stock
-- Where contents of containers or allocations are not what the postings say.
select what, name, item, location, kept, posted from ledger.wrong_stock(%(site)s)

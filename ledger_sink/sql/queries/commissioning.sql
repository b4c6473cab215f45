-- Identities: numbers, births, ends.

-- name: allocate
-- The next numbers of a series.
select ledger.allocate(%(key)s, %(how_many)s, %(most)s, %(at_least)s)

-- name: peek
-- The next number of a series, without taking it.
select greatest(coalesce((select next from ledger.series where key = %(key)s), 1), %(at_least)s)

-- name: commission
-- How many births are new, and what is wrong.
select entered, problems from ledger.commission(%(site)s, %(at_us)s, %(ids)s::text[], %(payloads)b::bytea[])

-- name: decommission
-- How many ends are new, and what is wrong.
select entered, problems from ledger.decommission(%(site)s, %(at_us)s, %(ids)s::text[], %(payloads)b::bytea[])

-- name: contents
-- An identity and all that it holds now, each behind what holds it.
with recursive inside as (
    select i.identity, 0 as depth, array[i.born_seq] as path
    from ledger.identities i where i.site = %(site)s and i.identity = %(identity)s
    union all
    select c.identity, p.depth + 1, p.path || c.born_seq
    from inside p join ledger.identities c on c.parent = p.identity and c.ended_us is null
    -- A chain of parents is three long; a longer one is a mistake that shall not loop.
    where p.depth < 8
)
select i.identity, i.packing, i.item, i.quantity, i.batch, i.expiry, i.parent, i.epc, i.born_us, i.ended_us, i.successor
from inside n join ledger.identities i on i.identity = n.identity
order by n.path

-- name: unknown_tags
-- Tags that nobody should meet, the newest first.
select identity, problem, successor, first_us, last_us, reads, location from ledger.unknown_tags
where site = %(site)s order by last_us desc, identity limit %(most)s

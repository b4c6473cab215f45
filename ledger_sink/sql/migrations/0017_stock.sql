-- What is in which container, what is allocated to which order, and what orders have open. All of it is made from
-- entries, in the transaction that appends them.

-- What lies directly in a pallet or case, in which place and state: kept in step with the postings that name it, like
-- balances; ledger.wrong_stock proves it from them. What holds a case is known from ledger.identities.
create table if not exists ledger.contents (
    site text not null,
    container text not null,
    item text not null,
    location text not null,
    batch text not null,
    serial text not null,
    disposition text not null,
    reservation text not null,
    owner text not null,
    quantity numeric not null,
    -- The last movement.
    seq bigint not null,
    primary key (site, container, item, location, batch, serial, disposition, reservation, owner)
);
-- What of an item is in containers: the picker takes what is loose first.
create index if not exists contents_of_key on ledger.contents (
    site, item, location, batch, serial, disposition, reservation, owner
) where quantity <> 0;
-- A container's life.
create index if not exists postings_in_container on ledger.postings (site, container, seq) where container <> '';

-- Containers that were taken apart: what was born in one is in it no more.
create table if not exists ledger.unpackings (
    site text not null,
    container text not null,
    -- The document's entry.
    seq bigint not null,
    -- False: the unpacking was taken back.
    is_apart boolean not null,
    primary key (site, container, seq)
);
create or replace trigger insert_only before update or delete or truncate on ledger.unpackings
    for each statement execute function ledger.refuse_change();

-- What is allocated to an order: kept in step with the postings of its own movements, of those of documents that refer
-- to it, and of their reversals.
create table if not exists ledger.allocations (
    site text not null,
    order_id text not null,
    item text not null,
    location text not null,
    batch text not null,
    serial text not null,
    disposition text not null,
    owner text not null,
    quantity numeric not null,
    seq bigint not null,
    primary key (site, order_id, item, location, batch, serial, disposition, owner)
);
create index if not exists allocations_of_item on ledger.allocations (site, item) where quantity <> 0;

-- The order whose stock a document takes or gives back: itself, what it refers to, or what the document refers to that
-- it takes back. Of a movement without a document entry: what it says.
create or replace function ledger.order_of(of_site text, of_document text) returns text language sql stable as $$
    select case
        when d.id is null then of_document
        when d.kind = 'sales_order' then d.id
        when d.kind <> 'reversal' then d.refers
        when r.kind = 'sales_order' then r.id
        else coalesce(r.refers, d.refers)
    end
    from (values (of_site, of_document)) g (site, id)
    left join ledger.documents d on d.site = g.site and d.id = g.id
    left join ledger.documents r on r.site = d.site and r.id = d.refers and d.kind = 'reversal'
$$;

-- Whether an entry is the movement of a document, and not of something that was seen.
create or replace function ledger.is_planned(of_site text, of_seq bigint) returns boolean language sql stable as $$
    select exists (
        select from ledger.entries e cross join lateral ledger.json_of(e.payload) as j (said)
        join ledger.documents d on d.site = e.site and d.id = j.said ->> 'document'
        where e.site = of_site and e.seq = of_seq and not (j.said ->> 'is_physical')::boolean
    )
$$;

-- Keep contents and allocations in step with new postings. A document that takes more out of a container than is in it,
-- more than is loose beside it, or more than its order was promised, was planned on what is no more: it is refused,
-- unless it was seen to happen.
create or replace function ledger.keep_stock() returns trigger language plpgsql as $$
declare
    wrong record;
begin
    if exists (select from new_postings n where n.container <> '') then
        insert into ledger.contents as c (
            site, container, item, location, batch, serial, disposition, reservation, owner, quantity, seq
        )
        select n.site, n.container, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner,
            sum(n.quantity), max(n.seq)
        from new_postings n where n.container <> ''
        group by n.site, n.container, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner
        on conflict (site, container, item, location, batch, serial, disposition, reservation, owner)
            do update set quantity = c.quantity + excluded.quantity, seq = excluded.seq;
        select c.container, c.item, -c.quantity as missing into wrong
        from ledger.contents c
        join new_postings n
            on (n.site, n.container, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
            = (c.site, c.container, c.item, c.location, c.batch, c.serial, c.disposition, c.reservation, c.owner)
        join lateral ledger.book_place_now(c.site, c.location) p on p.kind in ('zone', 'bin')
        where c.quantity < 0 and ledger.is_planned(n.site, n.seq) limit 1;
        if found then
            raise exception 'container % lacks % of item % that are taken out of it', wrong.container, wrong.missing,
                wrong.item using errcode = 'check_violation';
        end if;
    end if;
    select n.item, n.location, h.quantity - b.quantity as missing into wrong
    from new_postings n
    cross join lateral (
        select sum(c.quantity) as quantity from ledger.contents c
        where (c.site, c.item, c.location, c.batch, c.serial, c.disposition, c.reservation, c.owner)
            = (n.site, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
            and c.quantity <> 0
    ) h
    join ledger.balances b on (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
        = (n.site, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
    join lateral ledger.book_place_now(n.site, n.location) p on p.kind in ('zone', 'bin')
    where n.quantity < 0 and h.quantity > 0 and h.quantity > b.quantity and ledger.is_planned(n.site, n.seq) limit 1;
    if found then
        raise exception '% of item % at % lie in containers and are not loose any more', wrong.missing, wrong.item,
            wrong.location using errcode = 'check_violation';
    end if;
    if exists (select from new_postings n where n.reservation = 'allocated') then
        insert into ledger.allocations as a (
            site, order_id, item, location, batch, serial, disposition, owner, quantity, seq
        )
        select n.site, m.order_id, n.item, n.location, n.batch, n.serial, n.disposition, n.owner, sum(n.quantity),
            max(n.seq)
        from new_postings n
        join (
            select s.site, s.seq, ledger.order_of(s.site, ledger.json_of(e.payload) ->> 'document') as order_id
            from (select distinct p.site, p.seq from new_postings p where p.reservation = 'allocated') s
            join ledger.entries e on e.site = s.site and e.seq = s.seq
        ) m on m.site = n.site and m.seq = n.seq
        where n.reservation = 'allocated'
        group by n.site, m.order_id, n.item, n.location, n.batch, n.serial, n.disposition, n.owner
        on conflict (site, order_id, item, location, batch, serial, disposition, owner)
            do update set quantity = a.quantity + excluded.quantity, seq = excluded.seq;
        select a.order_id, a.item, -a.quantity as missing into wrong
        from ledger.allocations a
        join new_postings n on n.reservation = 'allocated'
            and (n.site, n.item, n.location, n.batch, n.serial, n.disposition, n.owner)
            = (a.site, a.item, a.location, a.batch, a.serial, a.disposition, a.owner)
        join ledger.documents d on d.site = a.site and d.id = a.order_id and d.kind = 'sales_order'
        where a.quantity < 0 limit 1;
        if found then
            raise exception '% of item % are not allocated to order % any more', wrong.missing, wrong.item,
                wrong.order_id using errcode = 'check_violation';
        end if;
    end if;
    return null;
end
$$;
create or replace trigger stock_kept after insert on ledger.postings
    referencing new table as new_postings for each statement execute function ledger.keep_stock();

-- Keep which containers were taken apart.
create or replace function ledger.keep_unpackings() returns trigger language plpgsql as $$
begin
    insert into ledger.unpackings (site, container, seq, is_apart)
    select distinct new.site, l.said ->> 'container', new.seq, new.kind = 'unpacking'
    from ledger.documents d
    join ledger.entries e on e.site = d.site and e.seq = d.seq,
        jsonb_array_elements(ledger.json_of(e.payload)::jsonb -> 'lines') l (said)
    where d.site = new.site and d.kind = 'unpacking' and l.said ->> 'container' <> ''
        and d.id = case when new.kind = 'reversal' then new.refers else new.id end;
    return null;
end
$$;
create or replace trigger unpackings_kept after insert on ledger.documents
    for each row when (new.kind in ('unpacking', 'reversal')) execute function ledger.keep_unpackings();

-- Where contents or allocations are not what the postings say; no rows: nowhere.
create or replace function ledger.wrong_stock(of_site text) returns table (
    what text, name text, item text, location text, kept numeric, posted numeric
) language sql stable as $$
    select 'contents', coalesce(c.container, p.container), coalesce(c.item, p.item), coalesce(c.location, p.location),
        coalesce(c.quantity, 0), coalesce(p.quantity, 0)
    from (select * from ledger.contents where site = of_site and quantity <> 0) c
    full join (
        select q.container, q.item, q.location, q.batch, q.serial, q.disposition, q.reservation, q.owner,
            sum(q.quantity) as quantity
        from ledger.postings q where q.site = of_site and q.container <> ''
        group by q.container, q.item, q.location, q.batch, q.serial, q.disposition, q.reservation, q.owner
        having sum(q.quantity) <> 0
    ) p using (container, item, location, batch, serial, disposition, reservation, owner)
    where c.quantity is distinct from p.quantity
    union all
    select 'allocations', coalesce(a.order_id, p.order_id), coalesce(a.item, p.item), coalesce(a.location, p.location),
        coalesce(a.quantity, 0), coalesce(p.quantity, 0)
    from (select * from ledger.allocations where site = of_site and quantity <> 0) a
    full join (
        select ledger.order_of(of_site, ledger.json_of(e.payload) ->> 'document') as order_id, q.item, q.location,
            q.batch, q.serial, q.disposition, q.owner, sum(q.quantity) as quantity
        from ledger.postings q join ledger.entries e on e.site = q.site and e.seq = q.seq
        where q.site = of_site and q.reservation = 'allocated'
        group by 1, q.item, q.location, q.batch, q.serial, q.disposition, q.owner
        having sum(q.quantity) <> 0
    ) p using (order_id, item, location, batch, serial, disposition, owner)
    where a.quantity is distinct from p.quantity
$$;

grant select on ledger.contents, ledger.allocations, ledger.unpackings to ledger_reader, ledger_appender, ledger_sink;
revoke all on function
    ledger.order_of(text, text), ledger.is_planned(text, bigint), ledger.keep_stock(), ledger.keep_unpackings(),
    ledger.wrong_stock(text) from public;
grant execute on function ledger.order_of(text, text), ledger.wrong_stock(text)
    to ledger_reader, ledger_appender, ledger_sink;

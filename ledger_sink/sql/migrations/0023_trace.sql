-- Trace: where an item, a batch or one piece came from, went, and what it was made of; each answer a few looks into
-- indexes, however long the ledger is.

-- Postings of one batch; those of one piece have an index already.
create index if not exists postings_of_batch on ledger.postings (site, item, batch, seq) where batch <> '';

-- The identities of a discrepancy's payload, and the discrepancy that an entry opens or closes. Not parallel safe: see
-- 0028_parallel.
create or replace function ledger.discrepancy_identities(payload bytea) returns text[]
    language plpgsql immutable as $$
begin
    return array(select jsonb_array_elements_text(convert_from(payload, 'UTF8')::jsonb -> 'identities'));
exception when others then
    return '{}';
end
$$;
create or replace function ledger.discrepancy_of(payload bytea) returns text
    language plpgsql immutable as $$
begin
    return convert_from(payload, 'UTF8')::jsonb ->> 'discrepancy';
exception when others then
    return null;
end
$$;
create index if not exists entries_of_discrepant on ledger.entries
    using gin (ledger.discrepancy_identities(payload)) where kind = 'discrepancy_opened';
create index if not exists entries_that_close on ledger.entries (site, ledger.discrepancy_of(payload))
    where kind = 'discrepancy_closed';

-- The movements of an item, of one batch ('' : any) or of one piece ('' : any), oldest first: what moved, from where to
-- where, by which document and step, who, and in which container.
create or replace function ledger.trace_movements(of_site text, of_item text, of_batch text, of_serial text)
    returns table (
        seq bigint, happened_us bigint, recorded_us bigint, step text, document text, kind text, party text,
        person text, batch text, quantity numeric, pieces bigint, from_locations text[], to_locations text[],
        to_dispositions text[], owner text, containers text[], is_inferred boolean, reverses text
    ) language plpgsql stable as $$
begin
    return query
    with moved as (
        select p.seq, p.batch, p.owner, min(p.happened_us) as happened_us, min(p.recorded_us) as recorded_us,
            sum(p.quantity) filter (where p.quantity > 0) as quantity,
            count(distinct p.serial) filter (where p.serial <> '') as pieces,
            array_agg(distinct p.location) filter (where p.quantity < 0) as from_locations,
            array_agg(distinct p.location) filter (where p.quantity > 0) as to_locations,
            array_agg(distinct p.disposition) filter (where p.quantity > 0) as to_dispositions,
            array_agg(distinct p.container) filter (where p.container <> '') as containers,
            bool_or(p.is_inferred) as is_inferred
        from ledger.postings p
        where p.site = of_site and p.item = of_item
            and (of_batch = '' or p.batch = of_batch) and (of_serial = '' or p.serial = of_serial)
        group by p.seq, p.batch, p.owner
    )
    select m.seq, m.happened_us, m.recorded_us, j.said ->> 'step', j.said ->> 'document', d.kind, d.party,
        j.said ->> 'person', m.batch, m.quantity, m.pieces, m.from_locations, m.to_locations, m.to_dispositions,
        m.owner, m.containers, m.is_inferred, j.said ->> 'reverses'
    from moved m
    join ledger.entries e on e.site = of_site and e.seq = m.seq
    cross join lateral ledger.json_of(e.payload) as j (said)
    left join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
    order by m.happened_us, m.seq;
end
$$;

-- All pieces of several sets; {} stands for any, so that one of those makes it all.
create or replace function ledger.join_serials(before text[], more text[]) returns text[]
    language sql immutable parallel safe as $$
    select case
        when before is null then more
        when before = '{}' or more = '{}' then '{}'
        else array(select distinct s from unnest(before || more) s order by s)
    end
$$;
create or replace aggregate ledger.all_serials(text[]) (sfunc = ledger.join_serials, stype = text[]);

-- What a document moved of an item: its own movement, which it names by its id. (An order's expiry has another.)
create or replace function ledger.moved_by(of_site text, of_document text, of_item text)
    returns table (batch text, serial text, location text, quantity numeric) language plpgsql stable as $$
begin
    return query
    select p.batch, p.serial, p.location, p.quantity
    from ledger.entries e join ledger.postings p on p.site = e.site and p.seq = e.seq and p.item = of_item
    where e.site = of_site and e.id = of_document || '/m' and e.kind = 'movement';
end
$$;

-- Whether a document was taken back.
create or replace function ledger.is_taken_back(of_site text, of_document text) returns boolean
    language plpgsql stable as $$
begin
    return exists (
        select from ledger.documents r where r.site = of_site and r.refers = of_document and r.kind = 'reversal'
    );
end
$$;

-- What was issued of an item for an order: into production, by batch, with its pieces where those have numbers.
create or replace function ledger.issued_for(of_site text, of_order text, of_item text)
    returns table (batch text, serials text[]) language plpgsql stable as $$
begin
    return query
    select m.batch, coalesce(array_agg(distinct m.serial) filter (where m.serial <> ''), '{}')
    from ledger.documents d
    cross join lateral ledger.moved_by(of_site, d.id, of_item) m
    join lateral ledger.book_place_now(of_site, m.location) w on w.kind = 'production'
    where d.site = of_site and d.refers = of_order and of_order <> '' and d.kind = 'goods_issue' and m.quantity > 0
        and not ledger.is_taken_back(of_site, d.id)
    group by m.batch;
end
$$;

-- What a production receipt used for one of its lines. A component whose batch the receipt does not say is of the
-- batches, and is among the pieces, that were issued for its order; how much of each is known where it is one alone.
create or replace function ledger.used_for(of_site text, of_seq bigint, of_line integer)
    returns table (place integer, item text, batch text, serials text[], used numeric) language plpgsql stable as $$
begin
    return query
    select c.place, c.item, coalesce(i.batch, c.batch), coalesce(i.serials, '{}'),
        case when count(*) over (partition by c.place) = 1 then c.quantity end
    from ledger.documents d
    join ledger.document_components c on c.site = d.site and c.seq = d.seq and c.line = of_line
    left join lateral ledger.issued_for(of_site, d.refers, c.item) i on c.batch in ('', i.batch)
    where d.site = of_site and d.seq = of_seq;
end
$$;

-- What a line of a production receipt made: the batch, and the pieces where those have numbers.
create or replace function ledger.made_by(of_site text, of_seq bigint, of_line integer)
    returns table (item text, batch text, serials text[]) language plpgsql stable as $$
begin
    return query
    select l.item, l.batch, array(
        select distinct m.serial from ledger.moved_by(of_site, d.id, l.item) m
        where m.batch = l.batch and m.serial <> '' order by m.serial
    )
    from ledger.documents d join ledger.document_lines l on l.site = d.site and l.seq = d.seq and l.line = of_line
    where d.site = of_site and d.seq = of_seq;
end
$$;

-- The documents that brought a batch, or pieces ({} : any), into the house: receipts, production, opening stock.
-- Reversed ones are left out.
create or replace function ledger.sources_of(of_site text, of_item text, of_batch text, of_serials text[])
    returns table (seq bigint, document text, kind text, party text, happened_us bigint, quantity numeric)
    language plpgsql stable as $$
begin
    return query
    select d.seq, d.id, d.kind, d.party, d.happened_us, -sum(p.quantity)
    from ledger.postings p
    join lateral ledger.book_place_now(of_site, p.location) w on w.kind in ('supplier', 'production', 'opening')
    join ledger.entries e on e.site = p.site and e.seq = p.seq
    cross join lateral ledger.json_of(e.payload) as j (said)
    join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
    where p.site = of_site and p.item = of_item and p.quantity < 0
        and (of_batch = '' or p.batch = of_batch) and (of_serials = '{}' or p.serial = any (of_serials))
        and d.kind in ('goods_receipt', 'production_receipt', 'opening') and not ledger.is_taken_back(of_site, d.id)
    group by d.seq, d.id, d.kind, d.party, d.happened_us;
end
$$;

-- The lines of production receipts that used a batch, or pieces ({} : any): those that say so, and those of the orders
-- for which it was issued. Reversed ones are left out.
create or replace function ledger.uses_of(of_site text, of_item text, of_batch text, of_serials text[])
    returns table (seq bigint, line integer) language plpgsql stable as $$
begin
    return query
    select d.seq, c.line
    from ledger.document_components c
    join ledger.documents d on d.site = c.site and d.seq = c.seq
    where c.site = of_site and c.item = of_item and c.batch = of_batch and of_batch <> ''
        and not ledger.is_taken_back(of_site, d.id)
        -- Of a batch's pieces, those that were issued for an order are in nothing else.
        and (of_serials = '{}' or not exists (
            select from ledger.issued_for(of_site, d.refers, of_item) i
            where i.batch = of_batch and i.serials <> '{}' and not i.serials && of_serials
        ))
    union
    select r.seq, c.line
    from (
        select distinct d.refers
        from ledger.postings p
        join lateral ledger.book_place_now(of_site, p.location) w on w.kind = 'production'
        join ledger.entries e on e.site = p.site and e.seq = p.seq
        cross join lateral ledger.json_of(e.payload) as j (said)
        join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
        where p.site = of_site and p.item = of_item and p.quantity > 0
            and (of_batch = '' or p.batch = of_batch) and (of_serials = '{}' or p.serial = any (of_serials))
            and d.kind = 'goods_issue' and d.refers <> '' and not ledger.is_taken_back(of_site, d.id)
    ) o
    join ledger.documents r on r.site = of_site and r.refers = o.refers and r.kind = 'production_receipt'
    join ledger.document_components c on c.site = of_site and c.seq = r.seq and c.item = of_item and c.batch = ''
    where not ledger.is_taken_back(of_site, r.id);
end
$$;

-- What a batch or pieces are made of directly: by which receipt, at which place of it. Of what has neither batch nor
-- number nobody knows.
create or replace function ledger.parts_of(of_site text, of_item text, of_batch text, of_serials text[])
    returns table (seq bigint, place integer, item text, batch text, serials text[], used numeric)
    language plpgsql stable as $$
begin
    return query
    select s.seq, u.place, u.item, u.batch, u.serials, u.used
    from ledger.sources_of(of_site, of_item, of_batch, of_serials) s
    join ledger.document_lines l on l.site = of_site and l.seq = s.seq and l.item = of_item
        and (of_batch = '' or l.batch in (of_batch, ''))
    cross join lateral ledger.used_for(of_site, s.seq, l.line) u
    where s.kind = 'production_receipt' and (of_batch <> '' or of_serials <> '{}');
end
$$;

-- What a batch or pieces went into directly: by which line of which receipt.
create or replace function ledger.goods_of(of_site text, of_item text, of_batch text, of_serials text[])
    returns table (seq bigint, line integer, item text, batch text, serials text[]) language plpgsql stable as $$
begin
    return query
    select u.seq, u.line, m.item, m.batch, m.serials
    from ledger.uses_of(of_site, of_item, of_batch, of_serials) u
    cross join lateral ledger.made_by(of_site, u.seq, u.line) m
    where of_batch <> '' or of_serials <> '{}';
end
$$;

-- Backward: what a batch or a piece is made of, down to what suppliers brought. depth 0 is the thing itself; what comes
-- in on several ways is told once, where it is nearest. A component without batch or number is named, and not followed:
-- it could be any. Each is looked up once, however often batches were mixed into each other.
create or replace function ledger.trace_back(of_site text, of_item text, of_batch text, of_serial text)
    returns table (
        depth integer, item text, batch text, document text, kind text, party text, happened_us bigint,
        quantity numeric, used numeric
    ) language plpgsql stable as $$
declare
    depth_max constant integer := 30;
    pieces constant text[] := case when of_serial = '' then '{}' else array[of_serial] end;
begin
    return query
    with recursive nodes as (
        select of_item as item, of_batch as batch, pieces as serials
        union
        select p.item, p.batch, p.serials
        from nodes n cross join lateral ledger.parts_of(of_site, n.item, n.batch, n.serials) p
    ), ways as materialized (
        select n.item as from_item, n.batch as from_batch, n.serials as from_serials, p.*
        from nodes n cross join lateral ledger.parts_of(of_site, n.item, n.batch, n.serials) p
    ), depths as (
        select 0 as depth, of_item as item, of_batch as batch, pieces as serials
        union
        select d.depth + 1, w.item, w.batch, w.serials
        from depths d join ways w on w.from_item = d.item and w.from_batch = d.batch and w.from_serials = d.serials
        where d.depth < depth_max
    ), found as (
        select min(d.depth) as depth, d.item, d.batch, ledger.all_serials(d.serials) as serials
        from depths d group by d.item, d.batch
    ), amounts as (
        select w.item, w.batch, case when count(*) = count(w.used) then sum(w.used) end as used
        from (select distinct w.seq, w.place, w.item, w.batch, w.serials, w.used from ways w) w group by w.item, w.batch
    )
    select f.depth, f.item, f.batch, s.document, s.kind, s.party, s.happened_us, s.quantity, a.used
    from found f
    left join amounts a on a.item = f.item and a.batch = f.batch
    left join lateral (
        select s.* from ledger.sources_of(of_site, f.item, f.batch, f.serials) s
        where f.batch <> '' or f.serials <> '{}'
    ) s on true
    order by f.depth, f.item, f.batch, s.happened_us, s.seq;
end
$$;

-- Forward: what a batch or a piece went into, and where that went: shipped, sent back, destroyed, issued. depth 0 is
-- the thing itself; what it is in on several ways is told once. What was made without batch or number is named with the
-- receipt that made it, and not followed.
create or replace function ledger.trace_forward(of_site text, of_item text, of_batch text, of_serial text)
    returns table (
        depth integer, item text, batch text, document text, kind text, party text, happened_us bigint, quantity numeric
    ) language plpgsql stable as $$
declare
    depth_max constant integer := 30;
    pieces constant text[] := case when of_serial = '' then '{}' else array[of_serial] end;
begin
    return query
    with recursive nodes as (
        select of_item as item, of_batch as batch, pieces as serials
        union
        select g.item, g.batch, g.serials
        from nodes n cross join lateral ledger.goods_of(of_site, n.item, n.batch, n.serials) g
    ), ways as materialized (
        select n.item as from_item, n.batch as from_batch, n.serials as from_serials, g.*
        from nodes n cross join lateral ledger.goods_of(of_site, n.item, n.batch, n.serials) g
    ), depths as (
        select 0 as depth, of_item as item, of_batch as batch, pieces as serials
        union
        select d.depth + 1, w.item, w.batch, w.serials
        from depths d join ways w on w.from_item = d.item and w.from_batch = d.batch and w.from_serials = d.serials
        where d.depth < depth_max
    ), found as (
        select min(d.depth) as depth, d.item, d.batch, ledger.all_serials(d.serials) as serials
        from depths d group by d.item, d.batch
    ), makings as (
        select distinct w.item, w.batch, w.seq, w.line from ways w
    ), told as (
        select m.item, m.batch, d.seq, d.id, d.kind, d.party, d.happened_us, sum(l.quantity) as quantity
        from makings m
        join ledger.documents d on d.site = of_site and d.seq = m.seq
        join ledger.document_lines l on l.site = of_site and l.seq = m.seq and l.line = m.line
        group by m.item, m.batch, d.seq, d.id, d.kind, d.party, d.happened_us
        union all
        select f.item, f.batch, d.seq, d.id, d.kind, d.party, d.happened_us, sum(p.quantity)
        from found f
        join ledger.postings p on p.site = of_site and p.item = f.item and (f.batch = '' or p.batch = f.batch)
            and (f.serials = '{}' or p.serial = any (f.serials))
        join lateral ledger.book_place_now(of_site, p.location) w
            on w.kind in ('customer', 'supplier', 'scrap', 'production')
        join ledger.entries e on e.site = p.site and e.seq = p.seq
        cross join lateral ledger.json_of(e.payload) as j (said)
        join ledger.documents d on d.site = of_site and d.id = j.said ->> 'document'
        where (f.batch <> '' or f.serials <> '{}')
            and d.kind in ('sales_shipment', 'customer_return', 'supplier_return', 'scrap', 'goods_issue')
            and not ledger.is_taken_back(of_site, d.id)
        group by f.item, f.batch, d.seq, d.id, d.kind, d.party, d.happened_us
    )
    select f.depth, f.item, f.batch, t.id, t.kind, t.party, t.happened_us, t.quantity
    from found f left join told t on t.item = f.item and t.batch = f.batch
    order by f.depth, f.item, f.batch, t.happened_us, t.seq;
end
$$;

revoke all on function
    ledger.discrepancy_identities(bytea), ledger.discrepancy_of(bytea), ledger.join_serials(text[], text[]),
    ledger.all_serials(text[]), ledger.trace_movements(text, text, text, text), ledger.moved_by(text, text, text),
    ledger.is_taken_back(text, text), ledger.issued_for(text, text, text), ledger.used_for(text, bigint, integer),
    ledger.made_by(text, bigint, integer), ledger.sources_of(text, text, text, text[]),
    ledger.uses_of(text, text, text, text[]), ledger.parts_of(text, text, text, text[]),
    ledger.goods_of(text, text, text, text[]), ledger.trace_back(text, text, text, text),
    ledger.trace_forward(text, text, text, text)
    from public;
grant execute on function
    ledger.discrepancy_identities(bytea), ledger.discrepancy_of(bytea), ledger.join_serials(text[], text[]),
    ledger.all_serials(text[]), ledger.trace_movements(text, text, text, text), ledger.moved_by(text, text, text),
    ledger.is_taken_back(text, text), ledger.issued_for(text, text, text), ledger.used_for(text, bigint, integer),
    ledger.made_by(text, bigint, integer), ledger.sources_of(text, text, text, text[]),
    ledger.uses_of(text, text, text, text[]), ledger.parts_of(text, text, text, text[]),
    ledger.goods_of(text, text, text, text[]), ledger.trace_back(text, text, text, text),
    ledger.trace_forward(text, text, text, text)
    to ledger_reader, ledger_appender, ledger_sink;

do $$ begin perform ledger.close_rights(); end $$;

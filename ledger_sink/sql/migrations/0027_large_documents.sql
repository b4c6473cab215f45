-- Documents with many serial numbers: a movement has up to 25,000 lines.

-- What a payload says, or why it is no movement. Strict, because what is entered is for ever and every reader must read
-- it alike: each field once, texts short enough for an index, quantities exact and in digits.
create or replace function ledger.read_movement(in payload bytea, out said jsonb, out problem text)
    language plpgsql stable as $$
declare
    lines_max constant integer := 25000;
    raw json;
begin
    select r.raw, r.said, r.problem into raw, said, problem from ledger.read_json(payload) r;
    if problem is not null then
        return;
    end if;
    problem := case
        when json_typeof(raw) <> 'object' then 'it is no JSON object'
        when raw ->> 'type' is distinct from 'movement' then 'its type is not movement'
        when raw ->> 'schema' is distinct from '1' or json_typeof(raw -> 'schema') <> 'number'
            then 'its schema is not 1'
        when ledger.fields_of(raw)
            <> '{document,happened_us,id,is_physical,person,postings,reverses,schema,step,type}'
            then 'its fields are not type, schema, id, document, step, happened_us, postings, person, is_physical and '
                || 'reverses, each once'
        when not ledger.is_short_text(raw -> 'id') or raw ->> 'id' = '' then 'id is not 1 to 200 bytes of text'
        when not ledger.is_short_text(raw -> 'document') then 'document is not up to 200 bytes of text'
        when not ledger.is_short_text(raw -> 'step') then 'step is not up to 200 bytes of text'
        when not ledger.is_short_text(raw -> 'person') then 'person is not up to 200 bytes of text'
        when not ledger.is_short_text(raw -> 'reverses') then 'reverses is not up to 200 bytes of text'
        when not ledger.is_whole(raw -> 'happened_us') then 'happened_us is not a whole number from 0 to 2^53'
        when json_typeof(raw -> 'is_physical') <> 'boolean' then 'is_physical is neither true nor false'
        when json_typeof(raw -> 'postings') <> 'array' then 'postings is no list'
        when json_array_length(raw -> 'postings') > lines_max then format('it has more than %s lines', lines_max)
    end;
    if problem is null then
        select string_agg(format('line %s: %s', m.line, m.problem), '; ' order by m.line) into problem
        from (
            select l.line, ledger.mistake_in_line(l.raw) as problem
            from json_array_elements(raw -> 'postings') with ordinality as l (raw, line)
        ) m where m.problem is not null;
    end if;
end
$$;

-- The lines of movements (null: none), the movements' ids and times; is_usual is false where anything about one of them
-- needs a closer look. Each is written again from what was read: where that gives other bytes, a field is missing,
-- comes twice or is of another kind. Raises where one is no JSON.
create or replace function ledger.read_movement_set(
    in of_site text, in at_us bigint, in payloads bytea[],
    out lines ledger.set_line[], out ids text[], out documents text[], out happened bigint[], out is_usual boolean
) language sql stable set enable_nestloop = off as $$
    with given as materialized (
        select g.place::integer as place, convert_from(g.payload, 'UTF8') as text,
            convert_from(g.payload, 'UTF8')::jsonb as said
        from unnest(payloads) with ordinality as g (payload, place) where g.payload is not null
    ), read as materialized (
        select g.place, l.line::integer as line, l.item, l.batch, l.serial, l.location, l.disposition, l.reservation,
            l.owner, l.container, l.is_inferred, l.quantity, (g.said ->> 'happened_us')::bigint as happened_us
        from given g, rows from (
            jsonb_to_recordset(g.said -> 'postings') as (
                item text, batch text, serial text, location text, disposition text, reservation text, owner text,
                container text, is_inferred boolean, quantity text
            )
        ) with ordinality as l (
            item, batch, serial, location, disposition, reservation, owner, container, is_inferred, quantity, line
        )
    ), items as materialized (
        select d.item, i.decimals, i.tracking
        from (select distinct r.item from read r) d cross join lateral (
            select b.decimals, b.tracking from ledger.book_items b where b.site = of_site and b.item = d.item
            order by b.seq desc limit 1
        ) i
    ), places as materialized (
        select d.location, p.kind
        from (select distinct r.location from read r) d cross join lateral (
            select b.kind from ledger.book_places b where b.site = of_site and b.location = d.location
            order by b.seq desc limit 1
        ) p
    ), judged as materialized (
        select r.*, r.quantity::numeric as amount, p.kind as place_kind,
            coalesce(
                r.quantity ~ '^-?[0-9]{1,15}(\.[0-9]{1,6})?$' and r.quantity::numeric <> 0
                and r.quantity::numeric = round(r.quantity::numeric, i.decimals)
                and (r.batch <> '') = (i.tracking in ('batch', 'batch_serial'))
                and (r.serial <> '') = (i.tracking in ('serial', 'batch_serial'))
                and (r.serial = '' or abs(r.quantity::numeric) = 1)
                and r.disposition in ('inspection', 'available', 'frozen', 'damaged', 'expired')
                and r.reservation in ('none', 'allocated', 'picked')
                and greatest(
                    octet_length(r.batch), octet_length(r.serial), octet_length(r.owner), octet_length(r.container)
                ) <= 200 and p.kind is not null, false
            ) as is_right,
            concat(
                '{"item":', ledger.json_text(r.item), ',"location":', ledger.json_text(r.location), ',"quantity":"',
                r.quantity, '","batch":', ledger.json_text(r.batch), ',"serial":', ledger.json_text(r.serial),
                ',"disposition":"', r.disposition, '","reservation":"', r.reservation, '","owner":',
                ledger.json_text(r.owner), ',"container":', ledger.json_text(r.container), ',"is_inferred":',
                r.is_inferred::text, '}'
            ) as text
        from read r left join items i on i.item = r.item left join places p on p.location = r.location
    ), whole as (
        select j.place, string_agg(j.text, ',' order by j.line) as text,
            bool_and(j.is_right) and count(*) <= 25000 as is_right
        from judged j group by j.place
    ), heads as (
        select g.place, g.said ->> 'id' as id, g.said ->> 'document' as document,
            (g.said ->> 'happened_us')::bigint as happened_us,
            coalesce(
                w.is_right and g.text = concat(
                    '{"type":"movement","schema":1,"id":', ledger.json_text(g.said ->> 'id'), ',"document":',
                    ledger.json_text(g.said ->> 'document'), ',"step":', ledger.json_text(g.said ->> 'step'),
                    ',"happened_us":', g.said ->> 'happened_us', ',"postings":[', w.text, '],"person":',
                    ledger.json_text(g.said ->> 'person'), ',"is_physical":', g.said ->> 'is_physical',
                    ',"reverses":""}'
                )
                and octet_length(g.said ->> 'id') between 1 and 200 and greatest(
                    octet_length(g.said ->> 'document'), octet_length(g.said ->> 'step'),
                    octet_length(g.said ->> 'person')
                ) <= 200
                and (g.said ->> 'happened_us')::bigint between coalesce(b.before_us, 0)
                    and least(at_us + 60000000, 9007199254740992), false
            ) as is_right
        from given g left join whole w on w.place = g.place
        cross join (select max(p.before_us) as before_us from ledger.book_periods p where p.site = of_site) b
    ), left_over as (
        select from judged j group by j.place, j.item, j.batch, j.serial having sum(j.amount) <> 0
    ), states as (
        select j.place, s.axis, j.item, j.batch, j.serial, s.state, sum(j.amount) as amount
        from judged j cross join lateral (
            values ('disposition', j.disposition), ('reservation', j.reservation)
        ) as s (axis, state)
        where j.place_kind in ('zone', 'bin')
        group by j.place, s.axis, j.item, j.batch, j.serial, s.state having sum(j.amount) <> 0
    ), changes as (
        select from states l join states g
            on (g.place, g.axis, g.item, g.batch, g.serial) = (l.place, l.axis, l.item, l.batch, l.serial)
        where l.amount < 0 and g.amount > 0 and not exists (
            select from ledger.allowed_changes c where (c.axis, c.before, c.after) = (l.axis, l.state, g.state))
    )
    select
        (select array_agg(row(
            j.place, j.line, j.item, j.batch, j.serial, j.location, j.disposition, j.reservation, j.owner, j.container,
            j.is_inferred, j.amount, j.happened_us, j.place_kind
        )::ledger.set_line order by j.place, j.line) from judged j),
        array_agg(h.id order by g.place), array_agg(h.document order by g.place),
        array_agg(h.happened_us order by g.place),
        bool_and(coalesce(h.is_right, g.payload is null))
            and not exists (select from left_over) and not exists (select from changes)
    from unnest(payloads) with ordinality as g (payload, place) left join heads h on h.place = g.place
$$;

-- What is wrong with a movement, line by line, before the book is asked; no rows: nothing.
create or replace function ledger.mistakes_in(of_site text, at_us bigint, movement jsonb)
    returns table (line integer, problem text) language sql stable as $$
    with lines as (
        select l.*, i.decimals, i.tracking, i.base_unit, p.kind as place_kind, l.quantity::numeric as amount
        from ledger.lines_of(movement) l
        left join lateral ledger.book_item_now(of_site, l.item) i on true
        left join lateral ledger.book_place_now(of_site, l.location) p on true
    ), states as (
        -- How much more or less of each state the house has afterwards, whoever owns it and wherever it lies. An exact
        -- reversal only takes back, so any change is open to it.
        select s.axis, l.item, l.batch, l.serial, s.state, min(l.line) as line, sum(l.amount) as amount
        from lines l, lateral (values ('disposition', l.disposition), ('reservation', l.reservation)) as s (axis, state)
        where l.place_kind in ('zone', 'bin') and movement ->> 'reverses' = ''
        group by s.axis, l.item, l.batch, l.serial, s.state having sum(l.amount) <> 0
    ), changes as (
        -- What each becomes, side by side: a join of as many pieces with themselves may be planned as a loop in a loop.
        select s.axis, array_agg(s.line) filter (where s.amount < 0) as lines,
            array_agg(s.state) filter (where s.amount < 0) as befores,
            array_agg(s.state) filter (where s.amount > 0) as afters
        from states s group by s.axis, s.item, s.batch, s.serial
    )
    select 0, 'it has no lines' where not exists (select from lines)
    union all
    select l.line, format('item %s is not known', l.item) from lines l where l.base_unit is null
    union all
    select l.line, format('location %s is not known', l.location) from lines l where l.place_kind is null
    union all
    select l.line, format('%s is no quantity', l.quantity) from lines l where l.amount = 0
    union all
    select l.line, format('%s %s of item %s: at most %s decimals', l.quantity, l.base_unit, l.item, l.decimals)
    from lines l where l.amount <> round(l.amount, l.decimals)
    union all
    select l.line, format('item %s needs a batch', l.item) from lines l
    where l.tracking in ('batch', 'batch_serial') and l.batch = ''
    union all
    select l.line, format('item %s has no batches', l.item) from lines l
    where l.tracking in ('none', 'serial') and l.batch <> ''
    union all
    select l.line, format('item %s needs a serial number', l.item) from lines l
    where l.tracking in ('serial', 'batch_serial') and l.serial = ''
    union all
    select l.line, format('item %s has no serial numbers', l.item) from lines l
    where l.tracking in ('none', 'batch') and l.serial <> ''
    union all
    select l.line, format('a serial number stands for one piece, not %s', l.quantity) from lines l
    where l.serial <> '' and abs(l.amount) <> 1
    union all
    select min(l.line), format('%s of item %s%s%s is left over: lines must sum to zero', sum(l.amount), l.item,
        nullif(' batch ' || l.batch, ' batch '), nullif(' serial ' || l.serial, ' serial '))
    from lines l group by l.item, l.batch, l.serial having sum(l.amount) <> 0
    union all
    select l.line, format('stock may not go from %s to %s', l.before, g.after)
    from changes s, unnest(s.lines, s.befores) as l (line, before), unnest(s.afters) as g (after)
    where not exists (
        select from ledger.allowed_changes c where (c.axis, c.before, c.after) = (s.axis, l.before, g.after))
    union all
    select 0, 'its time has not come yet' where (movement ->> 'happened_us')::bigint > at_us + 60000000
    union all
    select 0, format('the period before %s is closed', to_char(to_timestamp(b.before_us / 1e6) at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS') || ' UTC')
    from (select max(p.before_us) as before_us from ledger.book_periods p where p.site = of_site) b
    where (movement ->> 'happened_us')::bigint < b.before_us
$$;

-- What valuations say, and why one of them cannot be read; see ledger.read_bundle.
create or replace function ledger.read_valuations(in valuations bytea[], out parts jsonb[], out problem text)
    language sql stable as $$
    select array_agg(r.said order by g.place),
        string_agg(format('valuation %s: %s', g.place, r.problem), '; ' order by g.place)
            filter (where r.problem is not null)
    from unnest(valuations) with ordinality as g (payload, place), lateral ledger.read_valuation(g.payload) r
$$;

-- Judge one document, and enter it where it is right. `undone` is what documents of the same call are about that became
-- nothing, and grows where this one becomes nothing; `bases` grows by what it leads to.
create or replace function ledger.post_document(
    in of_site text, in at_us bigint, in began bigint, in document bytea, in movement bytea, in vouchers bytea[],
    in valuations bytea[], inout bases jsonb, inout undone text[], out outcome text, out seq bigint, out problem text
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    was_read record;
    b ledger.bundle;
    parts jsonb[];
    known record;
    short ledger.shortage[];
    last_seq bigint;
begin
    outcome := 'refused';
    -- An item's valuation may hold a thousand layers: it is read where nothing else decides.
    select r.* into was_read from ledger.read_bundle(document, movement, vouchers, '{}') r;
    b := was_read.b;
    problem := was_read.problem;
    if b.document ->> 'id' is not null then
        select e.kind, e.payload, e.seq into known from ledger.entries e
        where e.site = of_site and e.id = b.document ->> 'id';
        if known.kind = 'document' and known.payload = document then
            outcome := 'known';
            seq := known.seq;
            problem := null;
        elsif problem is null and known.seq is null and undone && ledger.subjects_of(b) then
            outcome := 'skipped';
        elsif problem is null and known.seq is null and ledger.is_stale(of_site, b, bases, began) then
            outcome := 'stale';
        end if;
    end if;
    if outcome = 'refused' and b.document ->> 'id' is not null then
        if problem is null then
            -- All else was read already: a movement may have thousands of lines.
            select v.parts, v.problem into parts, problem from ledger.read_valuations(valuations) v;
            b.valuations := parts;
        else
            select r.* into was_read from ledger.read_bundle(document, movement, vouchers, valuations) r;
            b := was_read.b;
            problem := was_read.problem;
        end if;
        if problem is null and known.seq is null and undone && ledger.subjects_of(b) then
            outcome := 'skipped';
        elsif problem is null and known.seq is null and ledger.is_stale(of_site, b, bases, began) then
            outcome := 'stale';
        elsif problem is null then
            select j.problem, j.short into problem, short from ledger.judge_bundle(of_site, at_us, b) j;
            if problem is null then
                outcome := 'entered';
                select e.seq, e.last_seq into seq, last_seq
                from ledger.enter_bundle(of_site, at_us, document, movement, vouchers, b, short) e;
                bases := bases || coalesce(
                    (select jsonb_object_agg(v.said ->> 'item', last_seq) from unnest(b.valuations) v (said)), '{}'
                );
            end if;
        end if;
    end if;
    if outcome <> 'entered' then
        undone := undone || ledger.subjects_of(b);
    end if;
end
$$;

-- Keep contents and allocations in step with new postings. A document that takes more out of a container than is in it,
-- more than is loose beside it, or more than its order was promised, was planned on what is no more: it is refused,
-- unless it was seen to happen. Whether it was is in the movement's payload: that is read once for a movement that
-- lacks something, never line by line. Planned each time, for as many lines as there are: what names a variable is.
create or replace function ledger.keep_stock() returns trigger language plpgsql
set plan_cache_mode = force_custom_plan as $$
declare
    in_the_house constant text[] := '{zone,bin}';
    promised constant text := 'allocated';
    wrong record;
begin
    if exists (select from new_postings n where n.container <> '') then
        with kept as (
            insert into ledger.contents as c (
                site, container, item, location, batch, serial, disposition, reservation, owner, quantity, seq
            )
            select n.site, n.container, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner,
                sum(n.quantity), max(n.seq)
            from new_postings n where n.container <> ''
            group by n.site, n.container, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner
            on conflict (site, container, item, location, batch, serial, disposition, reservation, owner)
                do update set quantity = c.quantity + excluded.quantity, seq = excluded.seq
            returning c.*
        ), lacking as materialized (
            select distinct on (n.site, n.seq) n.site, n.seq, k.container, k.item, -k.quantity as missing
            from kept k
            join new_postings n
                on (n.site, n.container, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
                = (k.site, k.container, k.item, k.location, k.batch, k.serial, k.disposition, k.reservation, k.owner)
            join lateral ledger.book_place_now(k.site, k.location) p on p.kind = any (in_the_house)
            where k.quantity < 0 order by n.site, n.seq
        )
        select l.container, l.item, l.missing into wrong
        from lacking l where ledger.is_planned(l.site, l.seq) limit 1;
        if found then
            raise exception 'container % lacks % of item % that are taken out of it', wrong.container, wrong.missing,
                wrong.item using errcode = 'check_violation';
        end if;
    end if;
    with lacking as materialized (
        select distinct on (n.site, n.seq) n.site, n.seq, n.item, n.location, h.quantity - b.quantity as missing
        from new_postings n
        cross join lateral (
            select sum(c.quantity) as quantity from ledger.contents c
            where (c.site, c.item, c.location, c.batch, c.serial, c.disposition, c.reservation, c.owner)
                = (n.site, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
                and c.quantity <> 0
        ) h
        join ledger.balances b on (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
            = (n.site, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
        join lateral ledger.book_place_now(n.site, n.location) p on p.kind = any (in_the_house)
        where n.quantity < 0 and h.quantity > 0 and h.quantity > b.quantity order by n.site, n.seq
    )
    select l.item, l.location, l.missing into wrong
    from lacking l where ledger.is_planned(l.site, l.seq) limit 1;
    if found then
        raise exception '% of item % at % lie in containers and are not loose any more', wrong.missing, wrong.item,
            wrong.location using errcode = 'check_violation';
    end if;
    if exists (select from new_postings n where n.reservation = promised) then
        with movements as materialized (
            select s.site, s.seq, ledger.order_of(s.site, ledger.json_of(e.payload) ->> 'document') as order_id
            from (select distinct p.site, p.seq from new_postings p where p.reservation = promised) s
            join ledger.entries e on e.site = s.site and e.seq = s.seq
        ), kept as (
            insert into ledger.allocations as a (
                site, order_id, item, location, batch, serial, disposition, owner, quantity, seq
            )
            select n.site, m.order_id, n.item, n.location, n.batch, n.serial, n.disposition, n.owner, sum(n.quantity),
                max(n.seq)
            from new_postings n join movements m on m.site = n.site and m.seq = n.seq
            where n.reservation = promised
            group by n.site, m.order_id, n.item, n.location, n.batch, n.serial, n.disposition, n.owner
            on conflict (site, order_id, item, location, batch, serial, disposition, owner)
                do update set quantity = a.quantity + excluded.quantity, seq = excluded.seq
            returning a.*
        )
        select k.order_id, k.item, -k.quantity as missing into wrong
        from kept k
        join ledger.documents d on d.site = k.site and d.id = k.order_id and d.kind = 'sales_order'
        where k.quantity < 0 limit 1;
        if found then
            raise exception '% of item % are not allocated to order % any more', wrong.missing, wrong.item,
                wrong.order_id using errcode = 'check_violation';
        end if;
    end if;
    return null;
end
$$;

-- Where contents or allocations are not what the postings say; no rows: nowhere. What a movement belongs to is in its
-- payload: that is read once, not line by line.
create or replace function ledger.wrong_stock(of_site text) returns table (
    what text, name text, item text, location text, kept numeric, posted numeric
) language sql stable as $$
    with orders as materialized (
        select e.seq, ledger.order_of(of_site, ledger.json_of(e.payload) ->> 'document') as order_id
        from (
            select distinct q.seq from ledger.postings q where q.site = of_site and q.reservation = 'allocated'
        ) m
        join ledger.entries e on e.site = of_site and e.seq = m.seq
    )
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
        select o.order_id, q.item, q.location, q.batch, q.serial, q.disposition, q.owner, sum(q.quantity) as quantity
        from ledger.postings q join orders o on o.seq = q.seq
        where q.site = of_site and q.reservation = 'allocated'
        group by o.order_id, q.item, q.location, q.batch, q.serial, q.disposition, q.owner
        having sum(q.quantity) <> 0
    ) p using (order_id, item, location, batch, serial, disposition, owner)
    where a.quantity is distinct from p.quantity
$$;

do $$
begin
    perform ledger.close_rights();
end
$$;

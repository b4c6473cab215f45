-- Posting many at once. What is usual (written as our programs write it, nothing known, short, late or taken back) is
-- judged and entered as one set; of everything else ledger.post_one and ledger.post_document are the judges, one by
-- one. Both ways lead to the same rows: what is entered here passed every check that they make.

do $$
begin
    -- A line of a movement, with what the books know of its item and location.
    create type ledger.set_line as (
        -- The movement's place in the call, and the line in it, both from 1.
        place integer,
        line integer,
        item text,
        batch text,
        serial text,
        location text,
        disposition text,
        reservation text,
        owner text,
        container text,
        is_inferred boolean,
        quantity numeric,
        happened_us bigint,
        place_kind text
    );
exception when duplicate_object then
    null;
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
            bool_and(j.is_right) and count(*) <= 1000 as is_right
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

-- Whether the book takes these movements, one after the other, without a word: none makes a real place fall below zero,
-- brings a serial number to a second place, or comes late. A key's balance is one look into the index. Planned each
-- time, for the tables as large as they are then.
create or replace function ledger.is_usual_book(of_site text, lines ledger.set_line[]) returns boolean
    language sql stable set enable_nestloop = off set plan_cache_mode = force_custom_plan as $$
    with real as materialized (
        select l.* from unnest(lines) l where l.place_kind in ('zone', 'bin')
    ), keys as (
        select r.place, r.item, r.location, r.batch, r.serial, r.disposition, r.reservation, r.owner,
            sum(r.quantity) as quantity,
            sum(sum(r.quantity)) over (
                partition by r.item, r.location, r.batch, r.serial, r.disposition, r.reservation, r.owner
                order by r.place
            ) as so_far
        from real r
        group by r.place, r.item, r.location, r.batch, r.serial, r.disposition, r.reservation, r.owner
    ), serials as (
        select r.item, r.serial, count(distinct r.place) as movements, sum(r.quantity) as quantity
        from real r where r.serial <> '' group by r.item, r.serial
    )
    select not exists (
        select from keys k
        where k.quantity < 0 and k.so_far + coalesce((
            select b.quantity from ledger.balances b
            where (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
                = (of_site, k.item, k.location, k.batch, k.serial, k.disposition, k.reservation, k.owner)
        ), 0) < 0
    ) and not exists (
        select from serials s
        where s.movements > 1 or s.quantity > 1 or s.quantity > 0 and exists (
            select from ledger.balances b
            join lateral ledger.book_place_now(of_site, b.location) p on p.kind in ('zone', 'bin')
            where b.site = of_site and b.item = s.item and b.serial = s.serial and b.serial <> '' and b.quantity <> 0
        )
    ) and not exists (
        select from (
            select r.item, r.location, r.happened_us, r.quantity, max(r.happened_us) over (
                partition by r.item, r.location order by r.place, r.line
            ) as latest
            from real r
        ) r
        where r.quantity < 0 and (r.latest > r.happened_us or (
            select true from ledger.postings p
            where p.site = of_site and p.item = r.item and p.location = r.location and p.happened_us > r.happened_us
            limit 1
        ))
    )
$$;

-- Enter the lines of movements whose entries are there: balances, and postings. `seqs` holds each movement's entry. The
-- statement is planned each time, for as many lines as there are.
create or replace function ledger.enter_lines(
    of_site text, lines ledger.set_line[], seqs bigint[], recorded bigint
) returns void language plpgsql set plan_cache_mode = force_custom_plan as $$
begin
    with kept as (
        insert into ledger.balances as b (
            site, item, location, batch, serial, disposition, reservation, owner, quantity, seq
        )
        select of_site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner, sum(l.quantity),
            seqs[max(l.place)]
        from unnest(lines) l
        group by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner
        on conflict (site, item, location, batch, serial, disposition, reservation, owner)
            do update set quantity = b.quantity + excluded.quantity, seq = excluded.seq
        returning b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner, b.quantity
    )
    insert into ledger.postings (
        site, seq, line, item, batch, serial, location, disposition, reservation, owner, container, is_inferred,
        quantity, happened_us, recorded_us, balance
    )
    select of_site, seqs[l.place], l.line, l.item, l.batch, l.serial, l.location, l.disposition, l.reservation, l.owner,
        l.container, l.is_inferred, l.quantity, l.happened_us, recorded,
        -- The balance is kept already: behind the last line of a key it is whole, before it what follows is missing.
        k.quantity - coalesce(sum(l.quantity) over (
            partition by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner
            order by l.place, l.line rows between 1 following and unbounded following
        ), 0)
    from unnest(lines) l
    join kept k on (k.item, k.location, k.batch, k.serial, k.disposition, k.reservation, k.owner)
        = (l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner);
end
$$;

-- By how much these movements change the valued quantity of each item that is valued, movement by movement.
create or replace function ledger.valued_changes_of(of_site text, lines ledger.set_line[])
    returns table (place integer, item text, quantity numeric) language sql stable as $$
    select l.place, l.item, sum(l.quantity)
    from unnest(lines) l
    join (
        select d.item from (select distinct l.item from unnest(lines) l) d
        where ledger.data_now(of_site, 'costing', d.item) is not null
    ) v on v.item = l.item
    where l.owner = '' and l.place_kind in ('zone', 'bin', 'in_transit')
    group by l.place, l.item having sum(l.quantity) <> 0
$$;

-- Enter movements as one set, where all of them are usual. Gives the first one's entry; null: they are not, and nothing
-- is entered; nor where the checks did not foresee an error.
create or replace function ledger.post_set(of_site text, at_us bigint, payloads bytea[]) returns bigint
    language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    s record;
    count constant integer := cardinality(payloads);
    recorded bigint;
    last_seq bigint;
begin
    select r.* into s from ledger.read_movement_set(of_site, at_us, payloads) r;
    if not s.is_usual or array_position(payloads, null) is not null
        or (select count(distinct i collate "C") from unnest(s.ids) i) < count
        or exists (
            select from unnest(s.ids) i where (select true from ledger.entries e where e.site = of_site and e.id = i)
        )
        or not ledger.is_usual_book(of_site, s.lines)
        or exists (select from ledger.valued_changes_of(of_site, s.lines))
            and ledger.settings_now(of_site) ->> 'mode' = 'standalone'
    then
        return null;
    end if;
    select a.last_seq into last_seq from ledger.append_any(
        of_site, at_us, s.ids, array_fill('movement'::text, array[count]), s.happened,
        array_fill(null::text, array[count]), array_fill(null::text, array[count]), payloads,
        array_fill(null::bigint, array[count]), array_fill(0::bigint, array[count])
    ) a;
    select c.recorded_us into recorded from ledger.chains c where c.site = of_site;
    perform ledger.enter_lines(
        of_site, s.lines, array(select n from generate_series(last_seq - count + 1, last_seq) n), recorded
    );
    return last_seq - count + 1;
exception when others then
    if ledger.is_world_down(sqlstate) then
        raise;
    end if;
    return null;
end
$$;

do $$
begin
    -- By how much stock on the accounts, and valuations, change with one document.
    create type ledger.set_value as (
        place integer,
        item text,
        quantity numeric,
        value numeric
    );
exception when duplicate_object then
    null;
end
$$;

-- Valuations, as the table holds them but for seq, which holds the document's place in the call, and by how much they
-- change one behind the other; is_usual is false where anything about one of them needs a closer look, or the first of
-- an item does not stand on what it was made from.
create or replace function ledger.read_valuation_set(
    in of_site text, in payloads bytea[], in places integer[], in bases jsonb,
    out valuations ledger.valuations[], out changes ledger.set_value[], out is_usual boolean
) language sql stable set enable_nestloop = off as $$
    with given as materialized (
        select g.turn, g.place, convert_from(g.payload, 'UTF8') as text, v.*
        from unnest(payloads, places) with ordinality as g (payload, place, turn), jsonb_to_record(
            convert_from(g.payload, 'UTF8')::jsonb
        ) as v (item text, method text, quantity text, value text, price text, layers jsonb)
    ), layers as materialized (
        select g.turn, sum(l.quantity::numeric) as quantity, sum(l.value::numeric) as value,
            string_agg(concat(
                '{"document":', ledger.json_text(l.document), ',"quantity":"', l.quantity, '","value":"', l.value, '"}'
            ), ',' order by l.turn) as text,
            count(*) <= 1000 and bool_and(coalesce(
                octet_length(l.document) between 1 and 200
                and concat_ws(' ', l.quantity, l.value) ~ '^(-?[0-9]{1,15}(\.[0-9]{1,6})?( |$)){2}$', false
            )) as is_right
        from given g, rows from (
            jsonb_to_recordset(g.layers) as (document text, quantity text, value text)
        ) with ordinality as l (document, quantity, value, turn)
        group by g.turn
    ), items as materialized (
        select d.item, n.quantity, n.value, coalesce(n.seq, 0) = coalesce((bases ->> d.item)::bigint, 0) as is_base,
            ledger.data_now(of_site, 'costing', d.item) ->> 'method' as method
        from (select distinct g.item from given g) d
        left join lateral ledger.valuation_now(of_site, d.item) n on true
    ), judged as (
        select g.place, g.item, g.quantity::numeric - coalesce(
                lag(g.quantity::numeric) over turns, i.quantity, 0) as quantity,
            g.value::numeric - coalesce(lag(g.value::numeric) over turns, i.value, 0) as value,
            coalesce(
                i.is_base and g.method = i.method
                and concat_ws(' ', g.quantity, g.value, g.price) ~ '^(-?[0-9]{1,15}(\.[0-9]{1,6})?( |$)){3}$'
                and (g.quantity::numeric <> 0 or g.value::numeric = 0)
                and case when g.method = 'fifo' and g.quantity::numeric > 0
                    then (l.quantity, l.value) = (g.quantity::numeric, g.value::numeric)
                    else coalesce(l.quantity, 0) = 0 and coalesce(l.value, 0) = 0 end
                and coalesce(l.is_right, true) and octet_length(g.item) between 1 and 200
                and lag(g.place) over turns is distinct from g.place
                and g.text = concat(
                    '{"type":"valuation","schema":1,"item":', ledger.json_text(g.item), ',"method":"', g.method,
                    '","quantity":"', g.quantity, '","value":"', g.value, '","price":"', g.price, '","layers":[',
                    l.text, ']}'
                ), false
            ) as is_right
        from given g join items i on i.item = g.item left join layers l on l.turn = g.turn
        window turns as (partition by g.item order by g.place, g.turn)
    )
    select
        (select array_agg(row(
            of_site, g.item, g.place, g.method, g.quantity, g.value, g.price, g.layers, 0
        )::ledger.valuations order by g.turn) from given g),
        (select array_agg(row(j.place, j.item, j.quantity, j.value)::ledger.set_value) from judged j),
        coalesce((select bool_and(j.is_right) from judged j), true)
            and (select count(*) from judged) = coalesce(cardinality(payloads), 0)
$$;

revoke all on function
    ledger.read_movement_set(text, bigint, bytea[]), ledger.is_usual_book(text, ledger.set_line[]),
    ledger.enter_lines(text, ledger.set_line[], bigint[], bigint),
    ledger.valued_changes_of(text, ledger.set_line[]), ledger.post_set(text, bigint, bytea[])
    from public;

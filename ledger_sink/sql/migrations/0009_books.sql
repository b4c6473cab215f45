-- The books: double entry for stock. A movement is an entry of kind movement; its lines are postings, and balances are
-- kept in step with them in the same transaction, under the chain's lock. See contracts/books.py for the words.

-- Items as the books count them; the newest row of an item counts.
create table if not exists ledger.book_items (
    site text not null,
    item text not null,
    -- The entry that says so.
    seq bigint not null,
    base_unit text not null,
    decimals smallint not null check (decimals between 0 and 6),
    -- none           stock is not told apart
    -- batch          by batch
    -- serial         by serial number: one piece each
    -- batch_serial   by both
    tracking text not null check (tracking in ('none', 'batch', 'serial', 'batch_serial')),
    -- refuse   a movement that would bring the present book below zero is refused
    -- alarm    it is entered and opens a discrepancy
    negative text not null check (negative in ('refuse', 'alarm')),
    primary key (site, item, seq)
);

-- Locations as the books know them; the newest row of a location counts.
create table if not exists ledger.book_places (
    site text not null,
    location text not null,
    seq bigint not null,
    -- zone, bin: real; supplier, customer, production, in_transit, scrap, adjustment, missing, opening: the outside
    kind text not null check (kind in (
        'zone', 'bin', 'supplier', 'customer', 'production', 'in_transit', 'scrap', 'adjustment', 'missing', 'opening'
    )),
    warehouse text not null,
    primary key (site, location, seq)
);

-- Closed periods; the latest moment counts.
create table if not exists ledger.book_periods (
    site text not null,
    seq bigint not null,
    -- The first moment that is open.
    before_us bigint not null,
    primary key (site, seq)
);

-- Which changes of state a movement may make on stock that stays in the house. Data: a site may add to it.
create table if not exists ledger.allowed_changes (
    -- disposition or reservation
    axis text not null check (axis in ('disposition', 'reservation')),
    before text not null,
    after text not null,
    primary key (axis, before, after)
);
insert into ledger.allowed_changes (axis, before, after)
values
    ('disposition', 'inspection', 'available'), ('disposition', 'inspection', 'frozen'),
    ('disposition', 'inspection', 'damaged'), ('disposition', 'inspection', 'expired'),
    ('disposition', 'available', 'inspection'), ('disposition', 'available', 'frozen'),
    ('disposition', 'available', 'damaged'), ('disposition', 'available', 'expired'),
    ('disposition', 'frozen', 'available'), ('disposition', 'frozen', 'inspection'),
    ('disposition', 'frozen', 'damaged'), ('disposition', 'frozen', 'expired'),
    ('disposition', 'damaged', 'inspection'), ('disposition', 'damaged', 'frozen'),
    ('disposition', 'expired', 'inspection'), ('disposition', 'expired', 'frozen'),
    ('reservation', 'none', 'allocated'), ('reservation', 'allocated', 'none'),
    ('reservation', 'allocated', 'picked'), ('reservation', 'picked', 'allocated'),
    ('reservation', 'picked', 'none')
on conflict do nothing;

-- The lines of movements, in order of recording.
create table if not exists ledger.postings (
    site text not null,
    -- The movement's entry.
    seq bigint not null,
    -- The line, from 1.
    line integer not null,
    item text not null,
    batch text not null,
    serial text not null,
    location text not null,
    disposition text not null check (disposition in ('inspection', 'available', 'frozen', 'damaged', 'expired')),
    reservation text not null check (reservation in ('none', 'allocated', 'picked')),
    owner text not null,
    quantity numeric not null check (quantity <> 0),
    happened_us bigint not null,
    recorded_us bigint not null,
    -- What the balance of this line's key is after it, in order of recording: a past recorded instant is one look.
    balance numeric not null,
    primary key (site, seq, line)
);
create index if not exists postings_of_key on ledger.postings (
    site, item, location, batch, serial, disposition, reservation, owner, seq, line
) include (recorded_us, balance);
create index if not exists postings_by_time on ledger.postings (site, item, location, happened_us) include (quantity);

-- The present book.
create table if not exists ledger.balances (
    site text not null,
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
    primary key (site, item, location, batch, serial, disposition, reservation, owner)
);

create or replace trigger insert_only before update or delete or truncate on ledger.postings
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.book_items
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.book_places
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.book_periods
    for each statement execute function ledger.refuse_change();

-- Double entry by constraint: whoever inserts postings inserts whole movements that sum to zero, or nothing.
create or replace function ledger.check_double_entry() returns trigger language plpgsql as $$
declare
    wrong record;
begin
    select n.seq, n.item, sum(n.quantity) as quantity into wrong
    from new_postings n group by n.site, n.seq, n.item, n.batch, n.serial having sum(n.quantity) <> 0 limit 1;
    if found then
        raise exception 'movement % does not balance: % of item % is left over', wrong.seq, wrong.quantity, wrong.item
            using errcode = 'check_violation';
    end if;
    select p.seq into wrong from ledger.postings p
    where (p.site, p.seq) in (select n.site, n.seq from new_postings n)
        and not exists (
            select from new_postings n where n.site = p.site and n.seq = p.seq and n.line = p.line
        ) limit 1;
    if found then
        raise exception 'movement % has its postings already', wrong.seq using errcode = 'check_violation';
    end if;
    return null;
end
$$;
create or replace trigger double_entry after insert on ledger.postings
    referencing new table as new_postings for each statement execute function ledger.check_double_entry();

-- The newest rows.
create or replace view ledger.items_now as
    select distinct on (site, item) * from ledger.book_items order by site, item, seq desc;
create or replace view ledger.places_now as
    select distinct on (site, location) * from ledger.book_places order by site, location, seq desc;

-- The newest row of one item or location: one look into the index.
create or replace function ledger.book_item_now(of_site text, of_item text) returns setof ledger.book_items
    language sql stable as $$
    select i.* from ledger.book_items i where i.site = of_site and i.item = of_item order by i.seq desc limit 1
$$;
create or replace function ledger.book_place_now(of_site text, of_location text) returns setof ledger.book_places
    language sql stable as $$
    select p.* from ledger.book_places p where p.site = of_site and p.location = of_location
    order by p.seq desc limit 1
$$;

-- Enter master data of the books: an entry of kind book, and the row that the functions below read. The same again
-- changes nothing. Gives whether it is new.
create or replace function ledger.put_book(of_site text, at_us bigint, payload bytea) returns boolean
    language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    said constant jsonb := convert_from(payload, 'UTF8')::jsonb;
    what constant text := said ->> 'type';
    subject constant text := coalesce(said ->> 'item', said ->> 'location', '');
    chain ledger.chains := ledger.lock_chain(of_site);
    newest bytea;
    place bigint;
begin
    select e.payload into newest from ledger.entries e
    where e.site = of_site and e.kind = 'book' and e.location is not distinct from what
        and e.identity is not distinct from subject
    order by e.seq desc limit 1;
    if newest = payload then
        return false;
    end if;
    select a.last_seq into place from ledger.append(
        of_site, at_us, array[left(encode(sha256(
            convert_to(concat_ws(' ', 'book', what, subject, chain.seq), 'UTF8')), 'hex'), 32)],
        array['book'], array[at_us], array[subject], array[what], array[payload], array[null::bigint], array[0::bigint]
    ) a;
    case what
        when 'book_item' then
            insert into ledger.book_items (site, item, seq, base_unit, decimals, tracking, negative)
            values (of_site, subject, place, said ->> 'base_unit', (said ->> 'decimals')::smallint,
                said ->> 'tracking', said ->> 'negative');
        when 'book_place' then
            insert into ledger.book_places (site, location, seq, kind, warehouse)
            values (of_site, subject, place, said ->> 'kind', said ->> 'warehouse');
        when 'period_closed' then
            insert into ledger.book_periods (site, seq, before_us)
            values (of_site, place, (said ->> 'before_us')::bigint);
        else
            raise exception 'no master data of the books: %', what using errcode = 'invalid_parameter_value';
    end case;
    return true;
end
$$;

-- The lines of a movement's payload.
create or replace function ledger.lines_of(movement jsonb) returns table (
    line integer, item text, batch text, serial text, location text, disposition text, reservation text, owner text,
    quantity text
) language sql immutable parallel safe as $$
    select p.place::integer, p.said ->> 'item', p.said ->> 'batch', p.said ->> 'serial', p.said ->> 'location',
        p.said ->> 'disposition', p.said ->> 'reservation', p.said ->> 'owner', p.said ->> 'quantity'
    from jsonb_array_elements(movement -> 'postings') with ordinality as p (said, place)
$$;

-- What is wrong with a movement, line by line, before the book is asked; no rows: nothing.
create or replace function ledger.mistakes_in(of_site text, at_us bigint, movement jsonb)
    returns table (line integer, problem text) language sql stable as $$
    with lines as (
        select l.*, i.decimals, i.tracking, i.base_unit, p.kind as place_kind,
            case when l.quantity ~ '^-?[0-9]{1,20}(\.[0-9]{1,20})?$' then l.quantity::numeric end as amount
        from ledger.lines_of(movement) l
        left join lateral ledger.book_item_now(of_site, l.item) i on true
        left join lateral ledger.book_place_now(of_site, l.location) p on true
    ), moves as (
        select f.line, f.disposition as before_disposition, t.disposition as after_disposition,
            f.reservation as before_reservation, t.reservation as after_reservation
        from lines f join lines t
            on t.item = f.item and t.batch = f.batch and t.serial = f.serial and t.owner = f.owner
        where f.amount < 0 and t.amount > 0 and f.place_kind in ('zone', 'bin') and t.place_kind in ('zone', 'bin')
    )
    select 0, 'it has no lines' where not exists (select from lines)
    union all
    select l.line, format('item %s is not known', l.item) from lines l where l.base_unit is null
    union all
    select l.line, format('location %s is not known', l.location) from lines l where l.place_kind is null
    union all
    select l.line, format('%s is no quantity', l.quantity) from lines l where coalesce(l.amount, 0) = 0
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
    select m.line, format('stock may not go from %s to %s', m.before_disposition, m.after_disposition) from moves m
    where m.before_disposition <> m.after_disposition and not exists (
        select from ledger.allowed_changes c where c.axis = 'disposition'
            and c.before = m.before_disposition and c.after = m.after_disposition)
    union all
    select m.line, format('stock may not go from %s to %s', m.before_reservation, m.after_reservation) from moves m
    where m.before_reservation <> m.after_reservation and not exists (
        select from ledger.allowed_changes c where c.axis = 'reservation'
            and c.before = m.before_reservation and c.after = m.after_reservation)
    union all
    select 0, 'its time has not come yet' where (movement ->> 'happened_us')::bigint > at_us + 60000000
    union all
    select 0, format('the period before %s is closed', to_char(to_timestamp(b.before_us / 1e6) at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS') || ' UTC')
    from (select max(p.before_us) as before_us from ledger.book_periods p where p.site = of_site) b
    where (movement ->> 'happened_us')::bigint < b.before_us
    union all
    select 0, format('movement %s, which it reverses, is not known', movement ->> 'reverses')
    where movement ->> 'reverses' <> '' and not exists (
        select from ledger.entries e where e.site = of_site and e.kind = 'movement' and e.id = movement ->> 'reverses')
$$;

-- An item at a location whose book is or was below zero, and by how much.
do $$
begin
    create type ledger.shortage as (item text, location text, quantity numeric);
exception when duplicate_object then
    null;
end
$$;

-- The keys that a movement would bring below zero at a real location.
create or replace function ledger.shortages(of_site text, movement jsonb)
    returns table (line integer, present numeric, policy text, short ledger.shortage) language sql stable as $$
    select k.line, k.present, i.negative, row(k.item, k.location, -k.present - k.quantity)::ledger.shortage
    from (
        select min(l.line) as line, l.item, l.location, coalesce(b.quantity, 0) as present,
            sum(l.quantity::numeric) as quantity
        from ledger.lines_of(movement) l
        left join ledger.balances b
            on (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
            = (of_site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner)
        group by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner, b.quantity
        having sum(l.quantity::numeric) < 0 and coalesce(b.quantity, 0) + sum(l.quantity::numeric) < 0
    ) k
    join lateral ledger.book_place_now(of_site, k.location) p on p.kind in ('zone', 'bin')
    join lateral ledger.book_item_now(of_site, k.item) i on true
$$;

-- Post movements, one after the other, each whole or not at all: a refused one becomes a reject entry with its reasons
-- and bytes and harms no other. The same movement again changes nothing; another one under its id is refused. Gives for
-- each place what became of it: entered, known or refused, and why.
create or replace function ledger.post(
    of_site text, at_us bigint, payloads bytea[], out place integer, out outcome text, out seq bigint, out problem text
) returns setof record language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains := ledger.lock_chain(of_site);
    said jsonb;
    given bytea;
    known bytea;
    short ledger.shortage[];
begin
    for place in 1 .. cardinality(payloads) loop
        given := payloads[place];
        said := convert_from(given, 'UTF8')::jsonb;
        seq := null;
        problem := null;
        short := null;
        select e.payload, e.seq into known, seq from ledger.entries e where e.site = of_site and e.id = said ->> 'id';
        if found then
            outcome := case when known = given then 'known' else 'refused' end;
            problem := case when known <> given then format('id %s stands for other content', said ->> 'id') end;
        else
            select string_agg(case when m.line > 0 then format('line %s: %s', m.line, m.problem) else m.problem end,
                '; ' order by m.line, m.problem) into problem
            from ledger.mistakes_in(of_site, at_us, said) m;
            if problem is null then
                select array_agg(s.short), string_agg(
                    format('line %s: %s of item %s at %s, %s asked for', s.line, s.present, (s.short).item,
                        (s.short).location, s.present + (s.short).quantity), '; ' order by s.line
                ) filter (where s.policy = 'refuse' and not (said ->> 'is_physical')::boolean)
                into short, problem from ledger.shortages(of_site, said) s;
            end if;
            outcome := case when problem is null then 'entered' else 'refused' end;
        end if;
        if outcome = 'entered' then
            seq := ledger.enter_movement(of_site, at_us, given, said, short);
        elsif outcome = 'refused' then
            perform ledger.refuse_movement(of_site, at_us, given, problem);
            seq := null;
        end if;
        return next;
    end loop;
end
$$;

-- Enter one movement that is right: its entry, its postings, the balances, and a discrepancy for each shortage.
create or replace function ledger.enter_movement(
    of_site text, at_us bigint, payload bytea, movement jsonb, short ledger.shortage[]
) returns bigint language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    happened constant bigint := (movement ->> 'happened_us')::bigint;
    place bigint;
    recorded bigint;
begin
    if short is not null then
        perform ledger.open_shortages(of_site, at_us, movement ->> 'id', short, happened);
    end if;
    select a.last_seq into place from ledger.append(
        of_site, at_us, array[movement ->> 'id'], array['movement'], array[happened], array[null::text],
        array[null::text], array[payload], array[null::bigint], array[0::bigint]
    ) a;
    select c.recorded_us into recorded from ledger.chains c where c.site = of_site;
    insert into ledger.balances as b (
        site, item, location, batch, serial, disposition, reservation, owner, quantity, seq
    )
    select of_site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner,
        sum(l.quantity::numeric), place
    from ledger.lines_of(movement) l
    group by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner
    on conflict (site, item, location, batch, serial, disposition, reservation, owner)
        do update set quantity = b.quantity + excluded.quantity, seq = excluded.seq;
    insert into ledger.postings (
        site, seq, line, item, batch, serial, location, disposition, reservation, owner, quantity, happened_us,
        recorded_us, balance
    )
    select of_site, place, l.line, l.item, l.batch, l.serial, l.location, l.disposition, l.reservation, l.owner,
        l.quantity::numeric, happened, recorded,
        -- The balance is kept already: behind the last line of a key it is whole, before it what follows is missing.
        b.quantity - coalesce(sum(l.quantity::numeric) over (
            partition by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner
            order by l.line rows between 1 following and unbounded following
        ), 0)
    from ledger.lines_of(movement) l
    join ledger.balances b on (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
        = (of_site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner);
    -- A late one: something that is known already happened after it.
    if exists (
        select from ledger.lines_of(movement) l
        where l.quantity::numeric < 0 and exists (
            select from ledger.postings q
            where q.site = of_site and q.item = l.item and q.location = l.location and q.happened_us > happened
        )
    ) then
        short := array(select s from ledger.past_shortages(of_site, place) s);
        if cardinality(short) > 0 then
            perform ledger.open_shortages(of_site, at_us, movement ->> 'id', short, happened);
        end if;
    end if;
    return place;
end
$$;

-- Keys that a late movement lowered, and whose book at some instant since then is below zero by what is known now.
create or replace function ledger.past_shortages(of_site text, place bigint)
    returns setof ledger.shortage language sql stable as $$
    select l.item, l.location, -min(t.after)
    from ledger.postings l
    join lateral ledger.book_place_now(of_site, l.location) p on p.kind in ('zone', 'bin')
    cross join lateral (
        select q.happened_us, sum(sum(q.quantity)) over (order by q.happened_us) as after
        from ledger.postings q
        where (q.site, q.item, q.location, q.batch, q.serial, q.disposition, q.reservation, q.owner)
            = (l.site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner)
        group by q.happened_us
    ) t
    where l.site = of_site and l.seq = place and l.quantity < 0 and t.happened_us >= l.happened_us and t.after < 0
        -- The present is judged by itself.
        and exists (
            select from ledger.postings n
            where (n.site, n.item, n.location, n.batch, n.serial, n.disposition, n.reservation, n.owner)
                = (l.site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner)
                and n.happened_us > l.happened_us
        )
    group by l.item, l.location
$$;

-- Discrepancies: the book of items fell below zero, and what was seen counts more than the book.
create or replace function ledger.open_shortages(
    of_site text, at_us bigint, movement text, short ledger.shortage[], happened bigint
) returns void language sql security definer set search_path = ledger, pg_temp as $$
    select ledger.append(
        of_site, at_us, array_agg(d.id), array_agg('discrepancy_opened'::text), array_agg(happened),
        array_agg(null::text), array_agg(d.location), array_agg(convert_to(concat(
            '{"type":"discrepancy_opened","schema":1,"discrepancy":', ledger.json_text(d.id),
            ',"problem":"negative_book","load":null,"expected_load":null,"location":', ledger.json_text(d.location),
            ',"identities":[],"item":', ledger.json_text(d.item), ',"quantity":', ceil(d.quantity),
            ',"at_us":', happened, ',"found_us":', at_us, ',"evidence":[', ledger.json_text(movement), ']}'
        ), 'UTF8')),
        array_agg(null::bigint), array_agg(0::bigint)
    )
    from (
        select left(encode(sha256(convert_to(
            concat_ws(' ', 'negative_book', movement, s.item, s.location), 'UTF8')), 'hex'), 32) as id,
            s.item, s.location, max(s.quantity) as quantity
        from unnest(short) s group by s.item, s.location
    ) d
$$;

-- A reject for a movement that was refused.
create or replace function ledger.refuse_movement(of_site text, at_us bigint, payload bytea, problem text)
    returns void language sql security definer set search_path = ledger, pg_temp as $$
    select ledger.append(
        of_site, at_us,
        array[left(encode(sha256(convert_to('refused movement ' || problem, 'UTF8') || payload), 'hex'), 32)],
        array['reject'], array[at_us], array[null::text], array[null::text],
        array[ledger.reject_payload('books', problem, payload, at_us)], array[null::bigint], array[0::bigint]
    )
$$;

-- The book at a past instant, by key: as it was recorded by then, or as it is known now of what had happened by then.
create or replace function ledger.book_recorded(of_site text, of_item text, at_us bigint)
    returns setof ledger.balances language sql stable as $$
    select b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner, p.balance, p.seq
    from ledger.balances b cross join lateral (
        select p.balance, p.seq from ledger.postings p
        where (p.site, p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner)
            = (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
            and p.recorded_us <= at_us
        order by p.seq desc, p.line desc limit 1
    ) p
    where b.site = of_site and b.item = of_item and p.balance <> 0
$$;
create or replace function ledger.book_happened(of_site text, of_item text, happened bigint, recorded bigint)
    returns setof ledger.balances language sql stable as $$
    select p.site, p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner, sum(p.quantity),
        max(p.seq)
    from ledger.postings p
    where p.site = of_site and p.item = of_item and p.happened_us <= happened and p.recorded_us <= recorded
    group by p.site, p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner
    having sum(p.quantity) <> 0
$$;

revoke all on function
    ledger.put_book(text, bigint, bytea), ledger.lines_of(jsonb), ledger.mistakes_in(text, bigint, jsonb),
    ledger.shortages(text, jsonb), ledger.post(text, bigint, bytea[]),
    ledger.enter_movement(text, bigint, bytea, jsonb, ledger.shortage[]),
    ledger.refuse_movement(text, bigint, bytea, text),
    ledger.open_shortages(text, bigint, text, ledger.shortage[], bigint), ledger.check_double_entry(),
    ledger.past_shortages(text, bigint), ledger.book_item_now(text, text), ledger.book_place_now(text, text),
    ledger.book_recorded(text, text, bigint), ledger.book_happened(text, text, bigint, bigint)
    from public;
grant execute on function ledger.put_book(text, bigint, bytea), ledger.post(text, bigint, bytea[]) to ledger_appender;
grant execute on function
    ledger.book_recorded(text, text, bigint), ledger.book_happened(text, text, bigint, bigint)
    to ledger_reader, ledger_appender;
grant select on
    ledger.book_items, ledger.book_places, ledger.book_periods, ledger.allowed_changes, ledger.postings,
    ledger.balances, ledger.items_now, ledger.places_now
    to ledger_reader, ledger_sink;

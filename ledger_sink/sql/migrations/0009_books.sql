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
    -- The pallet or case with which it moved; it says how, and is no dimension.
    container text not null,
    -- Its container was seen, it was not.
    is_inferred boolean not null,
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

-- Serial numbers in the house, to see at once where one is.
create index if not exists balances_of_serial on ledger.balances (site, item, serial)
    include (location, quantity) where serial <> '';

-- Movements that were taken back: each once only.
create table if not exists ledger.reversals (
    site text not null,
    -- The id of the movement that was taken back.
    reversed text not null,
    -- The entry that did it.
    seq bigint not null,
    primary key (site, reversed)
);

create or replace trigger insert_only before update or delete or truncate on ledger.reversals
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.postings
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.book_items
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.book_places
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.book_periods
    for each statement execute function ledger.refuse_change();

-- Double entry by constraint: whoever inserts postings inserts whole movements that sum to zero, or nothing.
-- Planned each time, for the table as large as it is then.
create or replace function ledger.check_double_entry() returns trigger language plpgsql
set plan_cache_mode = force_custom_plan as $$
declare
    of_site text;
    wrong record;
begin
    select n.seq, n.item, sum(n.quantity) as quantity into wrong
    from new_postings n group by n.site, n.seq, n.item, n.batch, n.serial having sum(n.quantity) <> 0 limit 1;
    if found then
        raise exception 'movement % does not balance: % of item % is left over', wrong.seq, wrong.quantity, wrong.item
            using errcode = 'check_violation';
    end if;
    for of_site in select distinct n.site from new_postings n loop
        select n.seq into wrong
        from (select g.seq, count(*) as lines from new_postings g where g.site = of_site group by g.seq) n
        where n.lines < (select count(*) from ledger.postings p where p.site = of_site and p.seq = n.seq) limit 1;
        if found then
            raise exception 'movement % has its postings already', wrong.seq using errcode = 'check_violation';
        end if;
    end loop;
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

-- The JSON in a payload, or why it is none.
create or replace function ledger.read_json(in payload bytea, out raw json, out said jsonb, out problem text)
    language plpgsql stable as $$
begin
    if payload is null then
        problem := 'it is null';
        return;
    end if;
    raw := convert_from(payload, 'UTF8')::json;
    said := raw::jsonb;
exception
    when character_not_in_repertoire then
        problem := 'it is not text in UTF-8';
    when untranslatable_character then
        problem := 'it holds the character NUL';
    when data_exception or program_limit_exceeded then
        problem := 'it is not JSON';
end
$$;

-- What bounds every text of the books: items, locations and ids stand in indexes, whose rows are small.
create or replace function ledger.is_short_text(value json) returns boolean language sql immutable parallel safe as $$
    select json_typeof(value) = 'string' and octet_length(value #>> '{}') <= 200
$$;

-- What names data of the books: up to two texts of the books with a sign between them.
create or replace function ledger.is_data_key(value json) returns boolean language sql immutable parallel safe as $$
    select json_typeof(value) = 'string' and octet_length(value #>> '{}') <= 420
$$;

-- A whole number that every reader of JSON takes for the same: 0 to 2^53, written without a point or an exponent.
create or replace function ledger.is_whole(value json) returns boolean language sql immutable parallel safe as $$
    select case when json_typeof(value) = 'number' and value #>> '{}' ~ '^[0-9]{1,16}$'
        then (value #>> '{}')::bigint <= 9007199254740992 else false end
$$;

-- The names of an object's fields, sorted, each as often as it comes: readers disagree over one that comes twice.
create or replace function ledger.fields_of(object json) returns text[] language sql immutable parallel safe as $$
    select array(select k from json_object_keys(object) k order by k collate "C")
$$;

-- What is wrong with the form of master data of the books; null: nothing.
create or replace function ledger.mistake_in_book(raw json) returns text language sql immutable parallel safe as $$
    select case
        when json_typeof(raw) <> 'object' then 'it is no JSON object'
        when raw ->> 'schema' is distinct from '1' or json_typeof(raw -> 'schema') <> 'number'
            then 'its schema is not 1'
        when raw ->> 'type' = 'book_item' then case
            when ledger.fields_of(raw) <> '{base_unit,decimals,item,negative,schema,tracking,type}'
                then 'its fields are not type, schema, item, base_unit, decimals, tracking, negative'
            when not ledger.is_short_text(raw -> 'item') or raw ->> 'item' = ''
                then 'item is not 1 to 200 bytes of text'
            when not ledger.is_short_text(raw -> 'base_unit') then 'base_unit is not up to 200 bytes of text'
            when not ledger.is_whole(raw -> 'decimals') or raw ->> 'decimals' !~ '^[0-6]$'
                then 'decimals is not a number from 0 to 6'
            when json_typeof(raw -> 'tracking') <> 'string'
                or raw ->> 'tracking' not in ('none', 'batch', 'serial', 'batch_serial')
                then format('%s is no tracking', raw ->> 'tracking')
            when json_typeof(raw -> 'negative') <> 'string' or raw ->> 'negative' not in ('refuse', 'alarm')
                then format('negative is not %s', raw ->> 'negative')
        end
        when raw ->> 'type' = 'book_place' then case
            when ledger.fields_of(raw) <> '{kind,location,schema,type,warehouse}'
                then 'its fields are not type, schema, location, kind, warehouse'
            when not ledger.is_short_text(raw -> 'location') or raw ->> 'location' = ''
                then 'location is not 1 to 200 bytes of text'
            when not ledger.is_short_text(raw -> 'warehouse') then 'warehouse is not up to 200 bytes of text'
            when json_typeof(raw -> 'kind') <> 'string' or raw ->> 'kind' not in (
                'zone', 'bin', 'supplier', 'customer', 'production', 'in_transit', 'scrap', 'adjustment', 'missing',
                'opening'
            ) then format('%s is no kind of location', raw ->> 'kind')
        end
        when raw ->> 'type' = 'period_closed' then case
            when ledger.fields_of(raw) <> '{before_us,schema,type}' then 'its fields are not type, schema, before_us'
            when not ledger.is_whole(raw -> 'before_us') then 'before_us is not a whole number from 0 to 2^53'
        end
        when raw ->> 'type' = 'book_data' then case
            when ledger.fields_of(raw) <> '{body,key,schema,type,what}'
                then 'its fields are not type, schema, what, key, body'
            when json_typeof(raw -> 'what') <> 'string' or raw ->> 'what' not in (
                'settings', 'chart', 'rules', 'tax', 'costing', 'units', 'bill_of_materials', 'planning', 'batch',
                'item_card', 'party'
            ) then format('%s is no data of the books', raw ->> 'what')
            when not ledger.is_data_key(raw -> 'key') then 'key is not up to 420 bytes of text'
            when json_typeof(raw -> 'body') <> 'object' then 'body is no JSON object'
        end
        else format('%s is no master data of the books', raw ->> 'type')
    end
$$;

-- What master data would make of stock that is there already; null: nothing wrong.
create or replace function ledger.mistake_in_change(of_site text, at_us bigint, said jsonb)
    returns text language sql stable as $$
    select case said ->> 'type'
        when 'book_item' then (
            select case
                when (said ->> 'decimals')::smallint < i.decimals then
                    format('item %s has been counted to %s decimals: fewer would not hold it', i.item, i.decimals)
                when said ->> 'tracking' <> i.tracking then
                    format('item %s has been counted by tracking %s: another would not hold it', i.item, i.tracking)
            end
            from ledger.book_item_now(of_site, said ->> 'item') i
            where exists (
                select from ledger.balances b where b.site = of_site and b.item = i.item and b.quantity <> 0
            )
        )
        when 'book_place' then (
            select format('location %s has balances as %s: it cannot become %s', p.location, p.kind, said ->> 'kind')
            from ledger.book_place_now(of_site, said ->> 'location') p
            where (p.kind in ('zone', 'bin'), p.kind = 'in_transit')
                <> (said ->> 'kind' in ('zone', 'bin'), said ->> 'kind' = 'in_transit') and exists (
                select from ledger.balances b where b.site = of_site and b.location = p.location and b.quantity <> 0
            )
        )
        when 'period_closed' then
            case when (said ->> 'before_us')::bigint > at_us then 'a period is closed up to now, not beyond' end
    end
$$;

-- Enter master data of the books: an entry of kind book, and the row that the functions of the books read. The same
-- again changes nothing. Gives whether it is new. Raises invalid_parameter_value where it is malformed, and
-- check_violation where it would turn stock that is there into something else.
create or replace function ledger.put_book(of_site text, at_us bigint, payload bytea) returns boolean
    language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    raw constant json := convert_from(payload, 'UTF8')::json;
    problem text := ledger.mistake_in_book(raw);
    said constant jsonb := raw::jsonb;
    what constant text := said ->> 'type';
    subject constant text := case what when 'book_data' then concat(said ->> 'what', '/', said ->> 'key')
        else coalesce(said ->> 'item', said ->> 'location', '') end;
    chain ledger.chains := ledger.lock_chain(of_site);
    newest bytea;
    place bigint;
begin
    if problem is not null then
        raise exception 'no master data of the books: %', problem using errcode = 'invalid_parameter_value';
    end if;
    select e.payload into newest from ledger.entries e
    where e.site = of_site and e.kind = 'book' and e.location = what and e.identity = subject
    order by e.seq desc limit 1;
    if newest = payload then
        return false;
    end if;
    problem := case what when 'book_data' then ledger.mistake_in_data(of_site, said)
        else ledger.mistake_in_change(of_site, at_us, said) end;
    if problem is not null then
        raise exception '%', problem using errcode = 'check_violation';
    end if;
    select a.last_seq into place from ledger.append_any(
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
        when 'book_data' then
            insert into ledger.book_data (site, what, key, seq, body)
            values (of_site, said ->> 'what', said ->> 'key', place, said -> 'body');
    end case;
    return true;
end
$$;

-- Whether an error says that the world is down (transactions, deadlocks, resources, the operator, the system): then no
-- movement or document is at fault, and the whole is tried again.
create or replace function ledger.is_world_down(sqlstate_of text) returns boolean language sql immutable as $$
    select left(sqlstate_of, 2) in ('08', '25', '40', '53', '55', '57', '58', 'XX')
$$;

-- The first 2000 characters of a reason.
create or replace function ledger.shortened(problem text) returns text language sql immutable as $$
    select case when length(problem) > 2000 then left(problem, 1997) || '...' else problem end
$$;

revoke all on function
    ledger.read_json(bytea), ledger.is_world_down(text), ledger.shortened(text),
    ledger.put_book(text, bigint, bytea), ledger.mistake_in_book(json), ledger.check_double_entry(),
    ledger.mistake_in_change(text, bigint, jsonb), ledger.is_short_text(json), ledger.is_whole(json),
    ledger.is_data_key(json), ledger.fields_of(json), ledger.book_item_now(text, text),
    ledger.book_place_now(text, text)
    from public;
grant execute on function ledger.put_book(text, bigint, bytea) to ledger_appender;
grant execute on function ledger.book_item_now(text, text), ledger.book_place_now(text, text)
    to ledger_reader, ledger_appender, ledger_sink;
grant select on
    ledger.book_items, ledger.book_places, ledger.book_periods, ledger.allowed_changes, ledger.postings,
    ledger.balances, ledger.reversals, ledger.items_now, ledger.places_now
    to ledger_reader, ledger_appender, ledger_sink;

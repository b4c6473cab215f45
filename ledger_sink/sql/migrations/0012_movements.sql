-- Posting movements, and the book at a past instant.

-- What a payload says, or why it is no movement. Strict, because what is entered is for ever and every reader must read
-- it alike: each field once, texts short enough for an index, quantities exact and in digits.
create or replace function ledger.read_movement(in payload bytea, out said jsonb, out problem text)
    language plpgsql stable as $$
declare
    lines_max constant integer := 1000;
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

-- What is wrong with the form of a movement's line; null: nothing.
create or replace function ledger.mistake_in_line(raw json) returns text language sql immutable parallel safe as $$
    select case
        when json_typeof(raw) <> 'object' then 'it is no JSON object'
        when ledger.fields_of(raw)
            <> '{batch,container,disposition,is_inferred,item,location,owner,quantity,reservation,serial}'
            then 'its fields are not item, location, quantity, batch, serial, disposition, reservation, owner, '
                || 'container and is_inferred, each once'
        when json_typeof(raw -> 'is_inferred') <> 'boolean' then 'is_inferred is neither true nor false'
        when exists (
            select from json_each(raw) f where f.key <> 'is_inferred' and not ledger.is_short_text(f.value)
        ) then (
            select format('%s is not up to 200 bytes of text', string_agg(f.key, ', ')) from json_each(raw) f
            where f.key <> 'is_inferred' and not ledger.is_short_text(f.value)
        )
        when raw ->> 'quantity' !~ '^-?[0-9]{1,15}(\.[0-9]{1,6})?$' then format('%s is no quantity', raw ->> 'quantity')
        when raw ->> 'disposition' not in ('inspection', 'available', 'frozen', 'damaged', 'expired')
            then format('%s is no disposition', raw ->> 'disposition')
        when raw ->> 'reservation' not in ('none', 'allocated', 'picked')
            then format('%s is no reservation', raw ->> 'reservation')
    end
$$;

-- The lines of a movement that was read.
create or replace function ledger.lines_of(movement jsonb) returns table (
    line integer, item text, batch text, serial text, location text, disposition text, reservation text, owner text,
    container text, is_inferred boolean, quantity text
) language sql immutable parallel safe as $$
    select p.place::integer, p.said ->> 'item', p.said ->> 'batch', p.said ->> 'serial', p.said ->> 'location',
        p.said ->> 'disposition', p.said ->> 'reservation', p.said ->> 'owner', p.said ->> 'container',
        (p.said ->> 'is_inferred')::boolean, p.said ->> 'quantity'
    from jsonb_array_elements(movement -> 'postings') with ordinality as p (said, place)
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
    select l.line, format('stock may not go from %s to %s', l.state, g.state)
    from states l join states g on (g.axis, g.item, g.batch, g.serial) = (l.axis, l.item, l.batch, l.serial)
    where l.amount < 0 and g.amount > 0 and not exists (
        select from ledger.allowed_changes c where (c.axis, c.before, c.after) = (l.axis, l.state, g.state))
    union all
    select 0, 'its time has not come yet' where (movement ->> 'happened_us')::bigint > at_us + 60000000
    union all
    select 0, format('the period before %s is closed', to_char(to_timestamp(b.before_us / 1e6) at time zone 'UTC',
        'YYYY-MM-DD HH24:MI:SS') || ' UTC')
    from (select max(p.before_us) as before_us from ledger.book_periods p where p.site = of_site) b
    where (movement ->> 'happened_us')::bigint < b.before_us
$$;

-- What is wrong with a reversal: it takes back a movement that is there, whole, and once only.
create or replace function ledger.mistakes_in_reversal(of_site text, movement jsonb)
    returns table (problem text) language sql stable as $$
    with original as (
        select e.seq from ledger.entries e
        where e.site = of_site and e.id = movement ->> 'reverses' and e.kind = 'movement'
    )
    select format('movement %s, which it reverses, is not known', movement ->> 'reverses')
    where not exists (select from original)
    union all
    select format('movement %s was reversed before, by entry %s', r.reversed, r.seq)
    from ledger.reversals r where r.site = of_site and r.reversed = movement ->> 'reverses'
    union all
    select format('its lines are not those of movement %s with the signs turned', movement ->> 'reverses')
    from original o where exists (
        select from (
            select l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner,
                l.quantity::numeric as quantity, 1 as counts
            from ledger.lines_of(movement) l
            union all
            select p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner, -p.quantity, -1
            from ledger.postings p where p.site = of_site and p.seq = o.seq
        ) b
        group by b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner, b.quantity
        having sum(b.counts) <> 0
    )
$$;

-- Where the book of an item at a location and what was seen differ, and by how much.
do $$
begin
    create type ledger.shortage as (
        -- negative_book   the book is or was below zero
        -- over            a serial number is in more than one place
        problem text,
        -- now    in the book as it is recorded
        -- then   at a past instant, by what a late movement tells
        moment text,
        item text,
        location text,
        quantity numeric
    );
exception when duplicate_object then
    null;
end
$$;

-- Where a movement would bring the present book below zero at a real location, or a serial number to a second one.
create or replace function ledger.shortages(of_site text, movement jsonb)
    returns table (line integer, problem text, is_refused boolean, short ledger.shortage) language sql stable as $$
    select k.line, format('%s of item %s at %s, %s asked for', k.present, k.item, k.location, -k.quantity),
        i.negative = 'refuse',
        row('negative_book', 'now', k.item, k.location, -k.present - k.quantity)::ledger.shortage
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
    union all
    select m.line, format('serial %s of item %s %s', m.serial, m.item,
            coalesce('is already at ' || h.location, 'comes twice')),
        true, row('over', 'now', m.item, m.location, coalesce(h.quantity, 0) + m.quantity - 1)::ledger.shortage
    from (
        select l.item, l.serial, sum(l.quantity::numeric) as quantity,
            min(l.line) filter (where l.quantity::numeric > 0) as line,
            (array_agg(l.location order by l.line) filter (where l.quantity::numeric > 0))[1] as location
        from ledger.lines_of(movement) l
        join lateral ledger.book_place_now(of_site, l.location) p on p.kind in ('zone', 'bin')
        where l.serial <> '' group by l.item, l.serial having sum(l.quantity::numeric) > 0
    ) m
    cross join lateral (
        select sum(b.quantity) as quantity, min(b.location) filter (where b.quantity > 0) as location
        from ledger.balances b
        join lateral ledger.book_place_now(of_site, b.location) p on p.kind in ('zone', 'bin')
        where b.site = of_site and b.item = m.item and b.serial = m.serial and b.serial <> '' and b.quantity <> 0
    ) h
    where coalesce(h.quantity, 0) + m.quantity > 1
$$;

-- Post movements, one after the other, each whole or not at all: a refused one becomes a reject entry with its reasons
-- and bytes and harms no other. The same movement again changes nothing; another one under its id is refused. Gives for
-- each place what became of it: entered, known or refused, and why. Where many come they are entered as sets, and where
-- a set holds something unusual it is halved until few are left, which are looked at one by one. No table is read from
-- end to end: a plan that was made while it was small would be kept while it grows.
create or replace function ledger.post(
    of_site text, at_us bigint, payloads bytea[], out place integer, out outcome text, out seq bigint, out problem text
) returns setof record language plpgsql security definer set search_path = ledger, pg_temp
set enable_seqscan = off set jit = off as $$
declare
    few constant integer := 8;
    chain ledger.chains := ledger.lock_chain(of_site);
    total constant integer := coalesce(cardinality(payloads), 0);
    done integer := 0;
    width integer := total;
    first_seq bigint;
begin
    while done < total loop
        width := least(width, total - done);
        first_seq := case when width > 1 then ledger.post_set(of_site, at_us, payloads[done + 1 : done + width]) end;
        if first_seq is not null then
            return query select n, 'entered', first_seq + n - done - 1, null::text
            from generate_series(done + 1, done + width) n;
            done := done + width;
            width := 2 * width;
        elsif width > few then
            width := width / 2;
        else
            return query select n, p.* from generate_series(done + 1, done + width) n
                cross join lateral ledger.post_alone(of_site, at_us, payloads[n]) p;
            done := done + width;
            width := 2 * few;
        end if;
    end loop;
end
$$;

-- Post one movement; what the checks do not foresee refuses it as well.
create or replace function ledger.post_alone(
    of_site text, at_us bigint, payload bytea, out outcome text, out seq bigint, out problem text
) language plpgsql security definer set search_path = ledger, pg_temp as $$
begin
    begin
        select p.outcome, p.seq, p.problem into outcome, seq, problem from ledger.post_one(of_site, at_us, payload) p;
    exception when others then
        if ledger.is_world_down(sqlstate) then
            raise;
        end if;
        outcome := 'refused';
        seq := null;
        problem := sqlerrm;
    end;
    if outcome = 'refused' then
        problem := ledger.shortened(problem);
        perform ledger.refuse_movement(of_site, at_us, coalesce(payload, ''), problem);
    end if;
end
$$;

-- What is wrong with a movement that was read, and what would be short behind it. A word names its lines.
create or replace function ledger.judge_movement(
    in of_site text, in at_us bigint, in movement jsonb, in word text, out problem text, out short ledger.shortage[]
) language plpgsql stable as $$
begin
    select string_agg(case when m.line > 0 then format('%s %s: %s', word, m.line, m.problem) else m.problem end,
        '; ' order by m.line, m.problem) into problem
    from ledger.mistakes_in(of_site, at_us, movement) m;
    if problem is null and movement ->> 'reverses' <> '' then
        select string_agg(m.problem, '; ') into problem from ledger.mistakes_in_reversal(of_site, movement) m;
    end if;
    if problem is null then
        select array_agg(s.short),
            string_agg(format('%s %s: %s', word, s.line, s.problem), '; ' order by s.line, s.problem)
                filter (where s.is_refused and not (movement ->> 'is_physical')::boolean)
        into short, problem from ledger.shortages(of_site, movement) s;
    end if;
end
$$;

-- Judge one movement, and enter it where it is right.
create or replace function ledger.post_one(
    of_site text, at_us bigint, given bytea, out outcome text, out seq bigint, out problem text
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    said jsonb;
    known record;
    short ledger.shortage[];
begin
    outcome := 'refused';
    select r.said, r.problem into said, problem from ledger.read_movement(given) r;
    if problem is not null then
        return;
    end if;
    select e.kind, e.payload, e.seq into known from ledger.entries e where e.site = of_site and e.id = said ->> 'id';
    if found then
        if known.kind = 'movement' and known.payload = given then
            outcome := 'known';
            seq := known.seq;
        else
            problem := format('id %s stands for other content', said ->> 'id');
        end if;
        return;
    end if;
    select j.problem, j.short into problem, short from ledger.judge_movement(of_site, at_us, said, 'line') j;
    if problem is null then
        select string_agg(format('item %s is valued: post its document, not a bare movement', c.item), '; '
            order by c.item) into problem
        from ledger.valued_changes(of_site, said) c
        where c.quantity <> 0 and ledger.settings_now(of_site) ->> 'mode' = 'standalone';
    end if;
    if problem is null then
        outcome := 'entered';
        seq := ledger.enter_movement(of_site, at_us, given, said, short);
    end if;
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
    select a.last_seq into place from ledger.append_any(
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
        site, seq, line, item, batch, serial, location, disposition, reservation, owner, container, is_inferred,
        quantity, happened_us, recorded_us, balance
    )
    select of_site, place, l.line, l.item, l.batch, l.serial, l.location, l.disposition, l.reservation, l.owner,
        l.container, l.is_inferred, l.quantity::numeric, happened, recorded,
        -- The balance is kept already: behind the last line of a key it is whole, before it what follows is missing.
        b.quantity - coalesce(sum(l.quantity::numeric) over (
            partition by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner
            order by l.line rows between 1 following and unbounded following
        ), 0)
    from ledger.lines_of(movement) l
    join ledger.balances b on (b.site, b.item, b.location, b.batch, b.serial, b.disposition, b.reservation, b.owner)
        = (of_site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner);
    if movement ->> 'reverses' <> '' then
        insert into ledger.reversals (site, reversed, seq) values (of_site, movement ->> 'reverses', place);
    end if;
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

-- Keys that a late movement lowered, and whose book at some instant since then is below zero by what is known now. The
-- last instant is the present, which is judged by itself.
create or replace function ledger.past_shortages(of_site text, place bigint)
    returns setof ledger.shortage language sql stable as $$
    select 'negative_book', 'then', l.item, l.location, -min(t.after)
    from (
        select p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner, p.happened_us
        from ledger.postings p where p.site = of_site and p.seq = place
        group by p.item, p.location, p.batch, p.serial, p.disposition, p.reservation, p.owner, p.happened_us
        having sum(p.quantity) < 0
    ) l
    join lateral ledger.book_place_now(of_site, l.location) p on p.kind in ('zone', 'bin')
    cross join lateral (
        select q.happened_us, sum(sum(q.quantity)) over (order by q.happened_us) as after,
            lead(q.happened_us) over (order by q.happened_us) is not null as is_past
        from ledger.postings q
        where (q.site, q.item, q.location, q.batch, q.serial, q.disposition, q.reservation, q.owner)
            = (of_site, l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner)
        group by q.happened_us
    ) t
    where t.happened_us >= l.happened_us and t.after < 0 and t.is_past
    group by l.item, l.location, l.batch, l.serial, l.disposition, l.reservation, l.owner
$$;

-- Discrepancies: for each item and location by how much the book and what was seen differ. A quantity is whole, and no
-- more than every reader of JSON takes for the same.
create or replace function ledger.open_shortages(
    of_site text, at_us bigint, movement text, short ledger.shortage[], happened bigint
) returns void language sql security definer set search_path = ledger, pg_temp as $$
    select ledger.append_any(
        of_site, at_us, array_agg(d.id), array_agg('discrepancy_opened'::text), array_agg(happened),
        array_agg(null::text), array_agg(d.location), array_agg(convert_to(concat(
            '{"type":"discrepancy_opened","schema":1,"discrepancy":', ledger.json_text(d.id),
            ',"problem":', ledger.json_text(d.problem), ',"load":null,"expected_load":null,"location":',
            ledger.json_text(d.location), ',"identities":[],"item":', ledger.json_text(d.item), ',"quantity":',
            least(ceil(d.quantity), 9007199254740992), ',"at_us":', happened, ',"found_us":', at_us, ',"evidence":[',
            ledger.json_text(movement), ']}'
        ), 'UTF8')),
        array_agg(null::bigint), array_agg(0::bigint)
    )
    from (
        select left(encode(sha256(convert_to(
            jsonb_build_array(s.problem, s.moment, movement, s.item, s.location)::text, 'UTF8')), 'hex'), 32) as id,
            s.problem, s.item, s.location, sum(s.quantity) as quantity
        from unnest(short) s group by s.problem, s.moment, s.item, s.location
        order by s.problem, s.moment, s.item collate "C", s.location collate "C"
    ) d
$$;

-- A reject for a movement that was refused; the same one refused again for the same reasons adds nothing.
create or replace function ledger.refuse_movement(of_site text, at_us bigint, payload bytea, problem text)
    returns void language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    reject_id constant text := left(encode(sha256(
        convert_to('refused movement ' || problem, 'UTF8') || payload), 'hex'), 32);
begin
    if (select true from ledger.entries e where e.site = of_site and e.id = reject_id) then
        return;
    end if;
    perform ledger.append_any(
        of_site, at_us, array[reject_id], array['reject'], array[at_us], array[null::text], array[null::text],
        array[ledger.reject_payload('books', problem, payload, at_us)], array[null::bigint], array[0::bigint]
    );
end
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
    ledger.read_movement(bytea), ledger.mistake_in_line(json), ledger.lines_of(jsonb),
    ledger.mistakes_in(text, bigint, jsonb), ledger.mistakes_in_reversal(text, jsonb), ledger.shortages(text, jsonb),
    ledger.judge_movement(text, bigint, jsonb, text),
    ledger.post(text, bigint, bytea[]), ledger.post_alone(text, bigint, bytea), ledger.post_one(text, bigint, bytea),
    ledger.enter_movement(text, bigint, bytea, jsonb, ledger.shortage[]),
    ledger.refuse_movement(text, bigint, bytea, text),
    ledger.open_shortages(text, bigint, text, ledger.shortage[], bigint), ledger.past_shortages(text, bigint),
    ledger.book_recorded(text, text, bigint), ledger.book_happened(text, text, bigint, bigint)
    from public;
grant execute on function ledger.post(text, bigint, bytea[]) to ledger_appender;
grant execute on function
    ledger.book_recorded(text, text, bigint), ledger.book_happened(text, text, bigint, bigint)
    to ledger_reader, ledger_appender, ledger_sink;

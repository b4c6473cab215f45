-- Who may see which site, and who may know who somebody is.

-- Further roles.
do $$
declare
    -- ledger_auditor   reads entries, what was made of them, and what proves them, of the sites that were granted to it
    -- ledger_names     reads who stands behind a pseudonym
    -- ledger_privacy   reads that too, redacts, and sets how long personal data is kept
    names constant text[] := array['ledger_auditor', 'ledger_names', 'ledger_privacy'];
    name text;
begin
    foreach name in array names loop
        begin
            if not exists (select from pg_roles r where r.rolname = name) then
                execute format('create role %I nologin', name);
            end if;
        exception when duplicate_object or unique_violation then
            null;
        end;
    end loop;
end
$$;
grant usage on schema ledger to ledger_auditor, ledger_names, ledger_privacy;

-- Which sites a login, or all members of a role, may read; of each login and site the newest row counts.
create table if not exists ledger.site_readers (
    ordinal bigint generated always as identity primary key,
    login text not null,
    -- * stands for all.
    site text not null,
    may boolean not null,
    granted_by text not null default session_user,
    granted_at timestamptz not null default clock_timestamp()
);
create index if not exists site_readers_of on ledger.site_readers (login, site, ordinal desc);
create or replace trigger insert_only before update or delete or truncate on ledger.site_readers
    for each statement execute function ledger.refuse_change();

-- The programs, and whoever has read the whole ledger so far, go on to read all of it.
insert into ledger.site_readers (login, site, may)
select r.login, '*', true
from unnest(array[
    'ledger_reader', 'ledger_appender', 'ledger_sink', 'ledger_bridge', 'ledger_worker'
]) as r (login)
where not exists (select from ledger.site_readers s where s.login = r.login);

-- Let a login, or the members of a role, read a site (* for all), or no longer. For the ledger's owner.
create or replace function ledger.let_read(of_login text, of_site text, is_allowed boolean default true)
    returns void language sql as $$
    insert into ledger.site_readers (login, site, may) values (of_login, of_site, is_allowed)
$$;

-- The sites that this session's login may read. What was granted to the login itself counts alone; without any such
-- row, what was granted to the roles whose member it is. The login, not the present role: nobody gets around it by
-- SET ROLE, and whoever shares a login (through a pool of connections) shares what it sees.
-- In PL/pgSQL, which keeps its plan: every query asks.
create or replace function ledger.sites_read() returns text[] language plpgsql stable parallel safe
    security definer set search_path = ledger, pg_temp as $$
begin
    return array(
        select n.site
        from (
            select distinct on (s.login, s.site) s.login, s.site, s.may from ledger.site_readers s
            order by s.login, s.site, s.ordinal desc
        ) n
        where n.may and case
            when exists (select from ledger.site_readers o where o.login = session_user) then n.login = session_user
            else exists (
                select from pg_catalog.pg_roles r
                where r.rolname = n.login and pg_has_role(session_user, r.oid, 'member')
            )
        end
    );
end
$$;

-- Close what is open: functions are nobody's unless granted; rows of each table that names a site are seen by its
-- readers only; views read with the rights of who asks, and who may read a view may read what it is made of; an auditor
-- reads what a reader reads, but for where the programs stand. The owner, and so every function that appends, is not
-- held up by it. A migration that makes tables, views or functions calls it at its end.
create or replace function ledger.close_rights() returns void language plpgsql as $$
declare
    -- Read through functions or by column alone.
    guarded constant regclass[] := array['ledger.persons', 'ledger.site_readers']::regclass[];
    programs constant text[] := array[
        'coverage', 'latencies', 'leases', 'memory', 'positions', 'spools', 'stage_memory', 'tallies',
        'current_log', 'acknowledged', 'position', 'memory_of', 'stage_memory_of', 'whereabouts_of'
    ];
    made record;
begin
    revoke execute on all functions in schema ledger from public;
    -- Every policy asks it, and it tells nobody more than what is his.
    grant execute on function ledger.sites_read() to public;
    for made in
        select c.oid::regclass as name from pg_class c
        where c.relnamespace = 'ledger'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
            and exists (
                select from pg_attribute a where a.attrelid = c.oid and a.attname = 'site' and not a.attisdropped
            )
            and not exists (select from pg_policy p where p.polrelid = c.oid and p.polname = 'by_site')
    loop
        execute format('alter table %s enable row level security', made.name);
        -- Both subselects are worked out once for a query, not once for a row.
        execute format(
            'create policy by_site on %s for select using ((select ''*'' = any (ledger.sites_read()))'
            ' or site = any ((select ledger.sites_read())::text[]))', made.name
        );
    end loop;
    for made in
        select c.oid::regclass as name from pg_class c
        where c.relnamespace = 'ledger'::regnamespace and c.relkind = 'v'
            and not coalesce(c.reloptions @> array['security_invoker=true'], false)
    loop
        execute format('alter view %s set (security_invoker = true)', made.name);
    end loop;
    for made in
        select c.oid::regclass as name from pg_class c
        where c.relnamespace = 'ledger'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
            and c.relname <> all (programs) and c.relname !~ 'yoyo'
            and has_table_privilege('ledger_reader', c.oid, 'select')
    loop
        execute format('grant select on %s to ledger_auditor', made.name);
    end loop;
    for made in
        select p.oid::regprocedure as name from pg_proc p
        where p.pronamespace = 'ledger'::regnamespace and p.proname <> all (programs) and not p.prosecdef
            and has_function_privilege('ledger_reader', p.oid, 'execute')
    loop
        execute format('grant execute on function %s to ledger_auditor', made.name);
    end loop;
    loop
        select t.oid::regclass as name, a.grantee::regrole as grantee into made
        from pg_class v
        cross join lateral aclexplode(v.relacl) a
        join pg_rewrite r on r.ev_class = v.oid
        join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
            and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid and d.refobjsubid > 0
        join pg_class t on t.oid = d.refobjid and t.relnamespace = v.relnamespace
        where v.relnamespace = 'ledger'::regnamespace and v.relkind = 'v' and a.privilege_type = 'SELECT'
            and a.grantee not in (0, v.relowner) and t.oid <> all (guarded)
            and not has_table_privilege(a.grantee, t.oid, 'select')
        limit 1;
        exit when not found;
        execute format('grant select on %s to %s', made.name, made.grantee);
    end loop;
end
$$;

-- Looks run with the rights of who asks, so that they show no more than the tables do.
do $$
declare
    look text;
begin
    foreach look in array array[
        'current_log(text)', 'acknowledged(text)', 'position(text)', 'reference_of(text, bigint)',
        'whereabouts_of(text, integer, integer)', 'memory_of(text)', 'stage_memory_of(text, text)'
    ] loop
        execute format('alter function ledger.%s security invoker', look);
    end loop;
end
$$;
grant select on
    ledger.logs, ledger.positions, ledger.spools, ledger.reference, ledger.whereabouts, ledger.memory,
    ledger.stage_memory
    to ledger_appender, ledger_bridge, ledger_worker;

-- Who captures events looks for those that are there, and who posts looks at the books as they were at an entry.
grant select on ledger.chains, ledger.entries, ledger.mentions to ledger_appender;

-- Verification asks what a reference's entry speaks of.
grant execute on function
    ledger.json_text(text), ledger.msgpack_text(text), ledger.msgpack_integer(bigint),
    ledger.reference_change(text, bigint, bytea)
    to ledger_reader;

-- Persons. A payload names a person by a pseudonym: a salted hash that nobody can trace back once the salt is gone. Who
-- is behind it stands here, outside of the chain. Redaction empties the row; the chain stays whole.

create table if not exists ledger.persons (
    site text not null,
    -- p- and 32 hexadecimal digits: the first half of SHA-256 over salt, site, a line break and sign-in id.
    pseudonym text not null,
    -- 32 bytes, of which at least 30 are random; null: redacted.
    salt bytea,
    -- The id with which the person signs in; null: redacted.
    person text,
    -- The name for people to read; null: not told, or redacted.
    name text,
    primary key (site, pseudonym),
    check ((salt is null) = (person is null)),
    check (person is not null or name is null)
);
-- One pseudonym for a person until it is redacted.
create unique index if not exists persons_by_sign_in on ledger.persons (site, person) where person is not null;

-- For what a person's data was used, and on which days.
create table if not exists ledger.person_uses (
    site text not null,
    pseudonym text not null,
    -- work       scans, movements, steps and documents: who did it
    -- approval   documents: who approved them; the archive of accounts asks for it
    -- contact    people at suppliers and customers
    kind text not null check (kind in ('work', 'approval', 'contact')),
    -- Days since 1970.
    day integer not null,
    primary key (site, pseudonym, kind, day)
);

-- How long personal data is kept behind its last use; the newest row of site and kind counts, the site's own before *.
create table if not exists ledger.retention_times (
    ordinal bigint generated always as identity primary key,
    site text not null,
    kind text not null check (kind in ('work', 'approval', 'contact')),
    days integer not null check (days > 0),
    -- A law asks for it: earlier only with a reason that is entered.
    is_legal boolean not null
);
insert into ledger.retention_times (site, kind, days, is_legal)
select '*', r.kind, r.days, r.is_legal
from (values ('work', 1096, false), ('approval', 10958, true), ('contact', 1096, false)) as r (kind, days, is_legal)
where not exists (select from ledger.retention_times);

-- Times for all sites are for everybody to see.
alter table ledger.retention_times enable row level security;
drop policy if exists by_site on ledger.retention_times;
create policy by_site on ledger.retention_times for select using (
    site = '*' or (select '*' = any (ledger.sites_read())) or site = any ((select ledger.sites_read())::text[])
);

create or replace trigger insert_only before update or delete or truncate on ledger.person_uses
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.retention_times
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before delete or truncate on ledger.persons
    for each statement execute function ledger.refuse_change();

-- Of a person only two things change: the name, and all of it goes.
create or replace function ledger.check_person() returns trigger language plpgsql as $$
begin
    if (new.site, new.pseudonym) is distinct from (old.site, old.pseudonym) or old.salt is null
        or new.salt is not null and (new.salt, new.person) is distinct from (old.salt, old.person) then
        raise exception 'a pseudonym stays as it was made: redact it' using errcode = 'insufficient_privilege';
    end if;
    return new;
end
$$;
create or replace trigger redact_only before update on ledger.persons
    for each row execute function ledger.check_person();

-- The pseudonym of a person, made at first use; the same until the person is redacted, then another. What is one
-- already stays what it is, and nobody stays nobody. Keeps for what and on which day it was asked for. The chain is
-- locked before anything is written: who appends holds it too.
create or replace function ledger.pseudonym_of(
    of_site text, of_person text, of_kind text default 'work', at_us bigint default null
) returns text language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    moment constant bigint := coalesce(at_us, (extract(epoch from clock_timestamp()) * 1000000)::bigint);
    today constant integer := moment / 86400000000;
    known text;
    fresh bytea;
begin
    if of_person is null or of_person = '' then
        return of_person;
    end if;
    if octet_length(of_person) > 200 then
        raise exception 'a sign-in id has up to 200 bytes' using errcode = 'invalid_parameter_value';
    end if;
    known := ledger.known_pseudonym(of_site, of_person);
    if known is null then
        perform ledger.lock_chain(of_site);
        known := ledger.known_pseudonym(of_site, of_person);
    end if;
    if known is null then
        fresh := uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
        known := 'p-' || left(encode(sha256(
            fresh || convert_to(of_site || E'\n' || of_person, 'UTF8')), 'hex'), 32);
        insert into ledger.persons (site, pseudonym, salt, person) values (of_site, known, fresh, of_person);
    end if;
    if not exists (
        select from ledger.person_uses u
        where u.site = of_site and u.pseudonym = known and u.kind = of_kind and u.day >= today
    ) then
        perform ledger.lock_chain(of_site);
        insert into ledger.person_uses (site, pseudonym, kind, day) values (of_site, known, of_kind, today)
        on conflict do nothing;
    end if;
    return known;
end
$$;

-- The pseudonym that a sign-in id has, or that somebody gave instead of one; null: none yet.
create or replace function ledger.known_pseudonym(of_site text, of_person text) returns text language sql stable as $$
    select coalesce(
        (select p.pseudonym from ledger.persons p where p.site = of_site and p.person = of_person),
        (select p.pseudonym from ledger.persons p where p.site = of_site and p.pseudonym = of_person)
    )
$$;

-- Tell a person's name; null or empty takes it back. Gives the pseudonym.
create or replace function ledger.name_person(of_site text, of_person text, of_name text) returns text
    language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    known constant text := ledger.known_pseudonym(of_site, of_person);
begin
    perform ledger.lock_chain(of_site);
    update ledger.persons p set name = nullif(of_name, '')
    where p.site = of_site and p.pseudonym = known and p.person is not null;
    if not found then
        raise exception 'site % knows no such person, or was made to forget it', of_site
            using errcode = 'no_data_found';
    end if;
    return known;
end
$$;

-- Until when a person's data is kept: in all, and as far as a law asks for it (0: none does).
create or replace function ledger.kept_until(of_site text, of_pseudonym text, out until_us bigint, out legal_us bigint)
    language sql stable as $$
    select coalesce(max(k.until_us), 0), coalesce(max(k.until_us) filter (where k.is_legal), 0)
    from (
        -- Whoever sees no time for a use takes it for a long one: nothing goes by mistake.
        select (u.day + 1 + coalesce(t.days, 36525)) * 86400000000 as until_us, t.is_legal
        from (
            select v.kind, max(v.day) as day from ledger.person_uses v
            where v.site = of_site and v.pseudonym = of_pseudonym group by v.kind
        ) u
        left join lateral (
            select r.days, r.is_legal from ledger.retention_times r
            where r.kind = u.kind and r.site in (of_site, '*') order by r.site = '*', r.ordinal desc limit 1
        ) t on true
    ) k
$$;

-- Set how long a kind of personal data is kept at a site (* for all without a time of their own).
create or replace function ledger.put_retention(of_site text, of_kind text, of_days integer, by_law boolean)
    returns void language sql security definer set search_path = ledger, pg_temp as $$
    insert into ledger.retention_times (site, kind, days, is_legal) values (of_site, of_kind, of_days, by_law)
$$;

-- Append entries, as before, but for the kinds that others own: with these stand rows in other tables.
create or replace function ledger.append(
    in of_site text, in at_us bigint,
    in ids text[], in kinds text[], in happened bigint[], in identities text[], in locations text[],
    in payloads bytea[], in received bigint[], in windows bigint[],
    out entered integer[], out duplicates integer, out conflicts integer, out last_seq bigint
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    owned constant text[] := array[
        'movement', 'document', 'voucher', 'book', 'epcis', 'commissioned', 'decommissioned', 'evidence_forgotten',
        'redaction'
    ];
begin
    if kinds && owned then
        raise exception 'entries of kind % are made by the functions that make or remove their rows as well',
            (select k from unnest(kinds) k where k = any (owned) limit 1) using errcode = 'insufficient_privilege';
    end if;
    select a.entered, a.duplicates, a.conflicts, a.last_seq into entered, duplicates, conflicts, last_seq
    from ledger.append_any(
        of_site, at_us, ids, kinds, happened, identities, locations, payloads, received, windows
    ) a;
end
$$;

-- Forget a person: sign-in id, name and salt go, and an entry of kind redaction says that they went. Gives its place in
-- the chain; the same again changes nothing. What a law wants kept is refused unless is_early. The reason is entered
-- for good, so it must not name the person.
create or replace function ledger.redact_person(
    of_site text, at_us bigint, of_pseudonym text, by_person text, why text, is_early boolean default false
) returns bigint language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    redaction_id constant text := left(encode(sha256(
        convert_to(concat('redaction ', of_site, ' ', of_pseudonym), 'UTF8')), 'hex'), 32);
    whom ledger.persons;
    kept record;
    asker text;
    place bigint;
begin
    perform ledger.lock_chain(of_site);
    select p.* into whom from ledger.persons p where p.site = of_site and p.pseudonym = of_pseudonym;
    if not found then
        raise exception 'site % knows no pseudonym %', of_site, of_pseudonym using errcode = 'no_data_found';
    end if;
    if whom.person is null then
        return (select e.seq from ledger.entries e where e.site = of_site and e.id = redaction_id);
    end if;
    if coalesce(by_person, '') = '' or coalesce(why, '') = '' or octet_length(why) > 200 then
        raise exception 'a redaction says who asked for it, and why in 1 to 200 bytes'
            using errcode = 'invalid_parameter_value';
    end if;
    if strpos(lower(why), lower(whom.person)) > 0 or strpos(lower(why), lower(whom.name)) > 0 then
        raise exception 'the reason is entered for good: it must not name the person'
            using errcode = 'invalid_parameter_value';
    end if;
    select k.until_us, k.legal_us into kept from ledger.kept_until(of_site, of_pseudonym) k;
    if kept.legal_us > at_us and not is_early then
        raise exception 'a law asks to keep % until %', of_pseudonym,
            to_char(to_timestamp(kept.legal_us / 1000000) at time zone 'UTC', 'YYYY-MM-DD')
            using errcode = 'check_violation';
    end if;
    asker := ledger.pseudonym_of(of_site, by_person, 'work', at_us);
    update ledger.persons p set salt = null, person = null, name = null
    where p.site = of_site and p.pseudonym = of_pseudonym;
    select a.last_seq into place from ledger.append_any(
        of_site, at_us, array[redaction_id], array['redaction'], array[at_us], array[null::text], array[null::text],
        array[convert_to(
            concat(
                '{"type":"person_redacted","schema":1,"pseudonym":', ledger.json_text(of_pseudonym),
                ',"asked_by":', ledger.json_text(asker), ',"occasion":"',
                case when kept.until_us <= at_us then 'expired' else 'asked' end, '","reason":', ledger.json_text(why),
                ',"is_early":', (kept.legal_us > at_us)::text, ',"at_us":', at_us, '}'
            ),
            'UTF8'
        )],
        array[null::bigint], array[0::bigint]
    ) a;
    return place;
end
$$;

-- Who did what, by pseudonym: of movements, documents, redactions, and what was scanned by hand. Reads these entries'
-- payloads, so ask for a stretch of seq.
create or replace view ledger.deeds as
    select e.site, e.seq, e.id, e.kind, e.happened_us, e.recorded_us, w.part, w.person as pseudonym
    from ledger.entries e, lateral ledger.json_of(e.payload) as j (said),
        lateral (values
            -- person        who did it
            -- approved_by   who approved it
            -- asked_by      who asked for a redaction
            ('person', j.said ->> 'person'), ('approved_by', j.said ->> 'approved_by'),
            ('asked_by', j.said ->> 'asked_by')
        ) as w (part, person)
    where (
        e.kind in ('movement', 'document', 'redaction')
        or e.kind = 'location' and position('"person":"'::bytea in e.payload) > 0
    ) and w.person <> '';

-- Where a payload names somebody who is no pseudonym: none of this can be redacted.
create or replace view ledger.persons_in_clear as
    select d.* from ledger.deeds d where d.pseudonym !~ '^p-[0-9a-f]{32}$';

-- Persons with their names, for those who may know them.
create or replace view ledger.persons_named as
    select p.site, p.pseudonym, p.person, p.name, p.person is null as is_redacted, k.until_us, k.legal_us
    from ledger.persons p cross join lateral ledger.kept_until(p.site, p.pseudonym) k;

-- Who did what, with their names.
create or replace view ledger.deeds_named as
    select d.*, p.person, p.name from ledger.deeds d
    left join ledger.persons p on p.site = d.site and p.pseudonym = d.pseudonym;

grant select on ledger.deeds to ledger_reader, ledger_auditor, ledger_names, ledger_privacy;
grant select on ledger.persons_in_clear to ledger_auditor, ledger_privacy;
-- Not the salt: with it a guess can be proved.
grant select (site, pseudonym, person, name) on ledger.persons to ledger_names, ledger_privacy;
grant select on ledger.persons_named, ledger.deeds_named, ledger.person_uses, ledger.retention_times, ledger.chains
    to ledger_names, ledger_privacy;

do $$
begin
    perform ledger.close_rights();
end
$$;

grant execute on function ledger.kept_until(text, text), ledger.json_of(bytea) to ledger_names, ledger_privacy;
grant execute on function ledger.pseudonym_of(text, text, text, bigint)
    to ledger_appender, ledger_bridge, ledger_privacy;
grant execute on function ledger.name_person(text, text, text) to ledger_appender, ledger_privacy;
grant execute on function
    ledger.put_retention(text, text, integer, boolean),
    ledger.redact_person(text, bigint, text, text, text, boolean)
    to ledger_privacy;

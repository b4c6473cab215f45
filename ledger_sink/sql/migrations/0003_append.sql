-- The hash and the one function that appends.

-- SHA-256 over all that an entry says, whatever its place in the chain. The bytes that are hashed: for each of site, id
-- and kind its length in bytes, a colon, its UTF-8 text and a comma; happened_us, recorded_us in decimal, each with a
-- comma; identity and location as site, or a hyphen and a comma where null; read_received_us in decimal or a hyphen,
-- with a comma; window_us in decimal with a comma; the payload's length in bytes, a colon, the payload's bytes.
-- Every column but seq, previous and hash is in it: recorded_us too, so that nobody can move an entry's recording.
create or replace function ledger.content_of(
    site text, id text, kind text, happened_us bigint, recorded_us bigint, identity text, location text,
    payload bytea, read_received_us bigint, window_us bigint
) returns bytea language sql stable parallel safe as $$
    select sha256(
        convert_to(
            octet_length(site) || ':' || site || ',' || octet_length(id) || ':' || id || ','
            || octet_length(kind) || ':' || kind || ',' || happened_us || ',' || recorded_us || ','
            || coalesce(octet_length(identity) || ':' || identity, '-') || ','
            || coalesce(octet_length(location) || ':' || location, '-') || ','
            || coalesce(read_received_us::text, '-') || ',' || window_us || ',' || octet_length(payload) || ':',
            'UTF8'
        ) || payload
    )
$$;

-- An entry's hash: SHA-256 over the hash before (32 bytes), the place in the chain (8 bytes, most significant first)
-- and the entry's content hash (32 bytes).
create or replace function ledger.hash_of(previous bytea, seq bigint, content bytea)
    returns bytea language sql immutable parallel safe as $$
    select sha256(previous || int8send(seq) || content)
$$;

-- The next hash of a chain: behind the one so far, or behind the given one where nothing is chained yet.
create or replace function ledger.next_hash(so_far bytea, given bytea, seq bigint, content bytea)
    returns bytea language sql immutable as $$
    select sha256(coalesce(so_far, given) || int8send(seq) || content)
$$;

-- As a window function over rows in order of seq: each row's hash, behind the hash given. Several times as fast as a
-- loop in PL/pgSQL.
create or replace aggregate ledger.chained(given bytea, seq bigint, content bytea) (
    sfunc = ledger.next_hash, stype = bytea
);

-- What stands before a site's first entry.
create or replace function ledger.genesis_of(site text) returns bytea language sql stable parallel safe as $$
    select sha256(convert_to('tallygate ledger ' || site, 'UTF8'))
$$;

-- Add to a counter beside the chain.
create or replace function ledger.tally(of_site text, of_name text, by bigint) returns void language sql
    security definer set search_path = ledger, pg_temp as $$
    insert into ledger.tallies as t (site, name, count) select of_site, of_name, by where by > 0
    on conflict (site, name) do update set count = t.count + excluded.count
$$;

-- A string as msgspec writes it in JSON: what the twin in Python makes must have the same bytes.
create or replace function ledger.json_text(value text) returns text language sql stable parallel safe as $$
    select replace(to_json(value)::text, '\/', '/')
$$;

-- A reject's payload, as canonical JSON of contracts.reads.Reject; raw is cut to RAW_BYTES_MAX there.
create or replace function ledger.reject_payload(source text, reason text, raw bytea, at_us bigint)
    returns bytea language sql stable parallel safe as $$
    select convert_to(
        concat(
            '{"source":', ledger.json_text(source), ',"reason":', ledger.json_text(reason), ',"raw":"',
            translate(encode(substring(raw for 4096), 'base64'), E'\n', ''), '","raw_length":', octet_length(raw),
            ',"at_us":', at_us, '}'
        ),
        'UTF8'
    )
$$;

-- The end of a site's chain, locked until the transaction ends. Whoever appends goes through here.
create or replace function ledger.lock_chain(of_site text) returns ledger.chains language plpgsql
    security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains;
begin
    select c.* into chain from ledger.chains c where c.site = of_site for update;
    if not found then
        insert into ledger.chains (site, seq, hash, recorded_us) values (of_site, 0, ledger.genesis_of(of_site), 0)
        on conflict (site) do nothing;
        select c.* into chain from ledger.chains c where c.site = of_site for update;
    end if;
    return chain;
end
$$;

-- Append entries to a site's chain: the one function that does, for the sink, the process engine and the functions here.
-- The arrays are the entries' columns, all of one length. An id that is there already with the same content (kind,
-- happened_us, identity, location, payload) is skipped and counted; with other content it is refused, and a reject
-- entry that holds the refused payload takes its place. Gives the places (from 1) of the entries that are new, the two
-- counts, and the chain's last seq.
create or replace function ledger.append(
    in of_site text, in at_us bigint,
    in ids text[], in kinds text[], in happened bigint[], in identities text[], in locations text[],
    in payloads bytea[], in received bigint[], in windows bigint[],
    out entered integer[], out duplicates integer, out conflicts integer, out last_seq bigint
) language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    chain ledger.chains := ledger.lock_chain(of_site);
    recorded constant bigint := greatest(at_us, chain.recorded_us);
    last_hash bytea;
    -- Places of ids that the ledger has, or that came before in this call.
    known bigint[];
    refused integer[];
begin
    select array_agg(u.place) into known
    from (
        select g.id, g.place, row_number() over (partition by g.id collate "C" order by g.place) as turn
        from unnest(ids) with ordinality as g (id, place)
    ) u
    -- A scalar subquery is always one look into the index; an exists may become a scan of all entries.
    where u.turn > 1 or (select true from ledger.entries e where e.site = of_site and e.id = u.id);

    with numbered as (
        select g.*, chain.seq + row_number() over (order by g.place) as seq,
            ledger.content_of(
                of_site, g.id, g.kind, g.happened_us, recorded, g.identity, g.location, g.payload,
                g.read_received_us, g.window_us
            ) as content
        from unnest(ids, kinds, happened, identities, locations, payloads, received, windows) with ordinality
            as g (id, kind, happened_us, identity, location, payload, read_received_us, window_us, place)
        where known is null or g.place <> all (known)
    ), chained as (
        select n.*, ledger.chained(chain.hash, n.seq, n.content) over (order by n.place) as hash from numbered n
    ), inserted as (
        insert into ledger.entries (
            site, seq, id, kind, happened_us, recorded_us, identity, location, payload, read_received_us, window_us,
            previous, hash
        )
        select of_site, c.seq, c.id, c.kind, c.happened_us, recorded, c.identity, c.location, c.payload,
            c.read_received_us, c.window_us, lag(c.hash, 1, chain.hash) over (order by c.place), c.hash
        from chained c
        returning entries.seq, entries.hash
    )
    select i.seq, i.hash into last_seq, last_hash from inserted i order by i.seq desc limit 1;
    last_seq := coalesce(last_seq, chain.seq);

    duplicates := 0;
    conflicts := 0;
    if known is null then
        entered := array(select n from generate_series(1, cardinality(ids)) n);
    else
        entered := array(select n from generate_series(1, cardinality(ids)) n where n <> all (known));
        -- By now an entry stands for each of the known ids.
        select count(*) filter (where j.same), count(*) filter (where not j.same),
            array_agg(j.place order by j.place) filter (where not j.same)
        into duplicates, conflicts, refused
        from (
            select g.place::integer as place,
                (e.kind, e.happened_us, e.identity, e.location, e.payload)
                    is not distinct from (g.kind, g.happened_us, g.identity, g.location, g.payload) as same
            from unnest(ids, kinds, happened, identities, locations, payloads) with ordinality
                as g (id, kind, happened_us, identity, location, payload, place)
            join ledger.entries e on e.site = of_site and e.id = g.id
            where g.place = any (known)
        ) j;
    end if;

    if last_hash is not null then
        update ledger.chains c set seq = last_seq, hash = last_hash, recorded_us = recorded where c.site = of_site;
    end if;
    if duplicates > 0 then
        perform ledger.tally(of_site, 'duplicates', duplicates);
    end if;
    if conflicts > 0 then
        perform ledger.tally(of_site, 'conflicts', conflicts);
        last_seq := ledger.refuse_entries(
            of_site, recorded, 'entry',
            array(select ids[n] from unnest(refused) n),
            array(select ledger.content_of(
                of_site, ids[n], kinds[n], happened[n], 0, identities[n], locations[n], payloads[n], null, 0
            ) from unnest(refused) n),
            array(select happened[n] from unnest(refused) n),
            array(select payloads[n] from unnest(refused) n),
            last_seq
        );
    end if;
end
$$;

-- Enter rejects for entries or sightings whose id stands for other content. A reject's own id and payload follow from
-- what was refused, so refusing the same once more enters nothing. Gives the chain's last seq.
create or replace function ledger.refuse_entries(
    of_site text, at_us bigint, what text, ids text[], contents bytea[], happened bigint[], raws bytea[], seq bigint
) returns bigint language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    reject_ids text[];
    payloads bytea[];
    last_seq bigint := seq;
begin
    select
        array_agg(left(encode(sha256(convert_to('refused ' || what || ' ', 'UTF8') || r.content), 'hex'), 32)
            order by r.place),
        array_agg(ledger.reject_payload(
            'ledger', format('the id of this %s, %s, stands for other content', what, r.id), r.raw, r.happened_us
        ) order by r.place)
    into reject_ids, payloads
    from unnest(ids, contents, happened, raws) with ordinality as r (id, content, happened_us, raw, place);
    -- A refused reject of ours is not refused again: its tally is its trace.
    if not ids && reject_ids then
        select a.last_seq into last_seq from ledger.append(
            of_site, at_us, reject_ids, array_fill('reject'::text, array[cardinality(ids)]), happened,
            array_fill(null::text, array[cardinality(ids)]), array_fill(null::text, array[cardinality(ids)]), payloads,
            array_fill(null::bigint, array[cardinality(ids)]), array_fill(0::bigint, array[cardinality(ids)])
        ) a;
    end if;
    return last_seq;
end
$$;

-- Keep sightings that are not there yet. The same again is skipped and counted; other content under the same id becomes
-- a reject entry. Gives how many are new.
create or replace function ledger.add_evidence(
    of_site text, at_us bigint, ids text[], entries text[], identities text[], locations text[],
    firsts bigint[], lasts bigint[], counts bigint[], payloads bytea[]
) returns integer language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    added integer;
    refused record;
begin
    with given as (
        select * from unnest(ids, entries, identities, locations, firsts, lasts, counts, payloads)
            as g (id, entry, identity, location, first_us, last_us, reads, payload)
    )
    insert into ledger.evidence (
        site, id, entry, identity, location, first_us, last_us, reads, payload, recorded_us
    )
    select of_site, g.id, g.entry, g.identity, g.location, g.first_us, g.last_us, g.reads, g.payload, at_us from given g
    on conflict (site, id) do nothing;
    get diagnostics added = row_count;

    if added < cardinality(ids) then
        select array_agg(g.id) as ids, array_agg(g.last_us) as lasts, array_agg(g.payload) as payloads,
            array_agg(sha256(convert_to(concat(g.id, ' ', g.reads, ' '), 'UTF8') || g.payload)) as contents
        into refused
        from unnest(ids, lasts, counts, payloads) as g (id, last_us, reads, payload)
        join ledger.evidence e on e.site = of_site and e.id = g.id
        where (e.reads, e.payload) is distinct from (g.reads, g.payload);
        perform ledger.tally(
            of_site, 'evidence_duplicates', cardinality(ids) - added - coalesce(cardinality(refused.ids), 0)
        );
        if refused.ids is not null then
            perform ledger.tally(of_site, 'conflicts', cardinality(refused.ids));
            perform ledger.lock_chain(of_site);
            perform ledger.refuse_entries(
                of_site, at_us, 'sighting', refused.ids, refused.contents, refused.lasts, refused.payloads, 0
            );
        end if;
    end if;
    return added;
end
$$;

-- Bring whereabouts up to location events that were just appended; an older event never replaces a newer one.
create or replace function ledger.keep_whereabouts(
    of_site text, identities text[], crcs bigint[], locations text[], kinds text[], at_times bigint[]
) returns void language sql security definer set search_path = ledger, pg_temp as $$
    insert into ledger.whereabouts as w (site, identity, hash, location, kind, at_us)
    select distinct on (g.identity) of_site, g.identity, g.hash, g.location, g.kind, g.at_us
    from unnest(identities, crcs, locations, kinds, at_times) with ordinality
        as g (identity, hash, location, kind, at_us, place)
    order by g.identity, g.at_us desc, g.place desc
    on conflict (site, identity) do update
        set hash = excluded.hash, location = excluded.location, kind = excluded.kind, at_us = excluded.at_us
        where excluded.at_us >= w.at_us
$$;

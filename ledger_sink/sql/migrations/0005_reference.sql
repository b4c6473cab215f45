-- Master data and plans: every change is kept, numbered per key, and entered in the ledger.

-- A MessagePack string of at most 255 bytes.
create or replace function ledger.msgpack_text(value text) returns bytea language sql stable parallel safe as $$
    select '\xd9'::bytea || substring(int4send(octet_length(value)) from 4 for 1) || convert_to(value, 'UTF8')
$$;

-- A MessagePack integer, always in eight bytes.
create or replace function ledger.msgpack_integer(value bigint) returns bytea language sql stable parallel safe as $$
    select '\xd3'::bytea || int8send(value)
$$;

-- The encoded contracts.places.ReferenceChange around an encoded value; null: the key is no more.
create or replace function ledger.reference_change(of_key text, of_version bigint, of_value bytea)
    returns bytea language sql stable parallel safe as $$
    select '\x85'::bytea
        || ledger.msgpack_text('type') || ledger.msgpack_text('reference')
        || ledger.msgpack_text('schema') || ledger.msgpack_integer(1)
        || ledger.msgpack_text('key') || ledger.msgpack_text(of_key)
        || ledger.msgpack_text('version') || ledger.msgpack_integer(of_version)
        || ledger.msgpack_text('value') || coalesce(of_value, '\xc0'::bytea)
$$;

-- Set a key to an encoded SiteMap, Item or Load (null: remove it); gives its version. An equal value changes nothing and
-- gives the version that it has. The entry holds the change's SHA-256, so the table is covered by the chain.
create or replace function ledger.put_reference(of_site text, of_key text, new_value bytea, moment_us bigint)
    returns bigint language plpgsql security definer set search_path = ledger, pg_temp as $$
declare
    newest ledger.reference;
    new_version bigint;
    new_change bytea;
begin
    if octet_length(of_key) not between 1 and 255 then
        raise exception 'a reference key has 1 to 255 bytes, not %', octet_length(of_key);
    end if;
    perform ledger.lock_chain(of_site);
    select r.* into newest from ledger.reference r
    where r.site = of_site and r.key = of_key order by r.version desc limit 1;
    if found and newest.value is not distinct from new_value then
        return newest.version;
    end if;
    if not found and new_value is null then
        return 0;
    end if;
    new_version := coalesce(newest.version, 0) + 1;
    new_change := ledger.reference_change(of_key, new_version, new_value);
    insert into ledger.reference (site, key, version, value, change, at_us)
    values (of_site, of_key, new_version, new_value, new_change, moment_us);
    perform ledger.append(
        of_site, moment_us,
        array[left(encode(sha256(convert_to(
            concat('reference ', of_site, ' ', of_key, ' ', new_version), 'UTF8'
        )), 'hex'), 32)],
        array['reference'], array[moment_us], array[null::text], array[null::text],
        array[convert_to(
            concat(
                '{"type":"reference_changed","schema":1,"key":', ledger.json_text(of_key), ',"version":', new_version,
                ',"removed":', (new_value is null)::text, ',"change_digest":"', encode(sha256(new_change), 'hex'), '"}'
            ),
            'UTF8'
        )],
        array[null::bigint], array[0::bigint]
    );
    return new_version;
end
$$;

-- The newest change of each key that changed behind an ordinal, in order.
create or replace function ledger.reference_of(of_site text, after_ordinal bigint)
    returns table (ordinal bigint, key text, version bigint, change bytea) language sql stable
    security definer set search_path = ledger, pg_temp as $$
    select n.ordinal, n.key, n.version, n.change
    from (
        select distinct on (r.key) r.ordinal, r.key, r.version, r.change from ledger.reference r
        where r.site = of_site and r.ordinal > after_ordinal
        order by r.key, r.version desc
    ) n
    order by n.ordinal
$$;

-- Least right: each program's role reaches only its functions, and no program's role writes to a table directly.
-- A login is a member of its program's role; the programs switch to it after connecting.

-- Roles belong to the whole server, so another database may have made them, even at this moment.
do $$
declare
    -- ledger_reader     reads everything: the command line, boards, auditors
    -- ledger_appender   appends entries: the process engine
    -- ledger_sink       appends and moves positions: the sink
    -- ledger_bridge     holds the bridge's lease, opens logs, puts reference data
    -- ledger_worker     takes epochs and loads what its partitions need
    names constant text[] := array[
        'ledger_reader', 'ledger_appender', 'ledger_sink', 'ledger_bridge', 'ledger_worker'
    ];
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

revoke all on all functions in schema ledger from public;
grant usage on schema ledger to ledger_reader, ledger_appender, ledger_sink, ledger_bridge, ledger_worker;
grant select on all tables in schema ledger to ledger_reader, ledger_sink;

-- Pure ones.
grant execute on function
    ledger.content_of(text, text, text, bigint, bigint, text, text, bytea, bigint, bigint),
    ledger.hash_of(bytea, bigint, bytea), ledger.genesis_of(text), ledger.json_of(bytea)
    to ledger_reader, ledger_appender, ledger_sink, ledger_bridge, ledger_worker;

-- Looks.
grant execute on function
    ledger.current_log(text), ledger.acknowledged(text), ledger.position(text), ledger.reference_of(text, bigint),
    ledger.whereabouts_of(text, integer, integer), ledger.memory_of(text), ledger.stage_memory_of(text, text)
    to ledger_reader, ledger_appender, ledger_sink, ledger_bridge, ledger_worker;

grant execute on function
    ledger.append(
        text, bigint, text[], text[], bigint[], text[], text[], bytea[], bigint[], bigint[]
    )
    to ledger_appender, ledger_sink;

grant execute on function
    ledger.add_evidence(
        text, bigint, text[], text[], text[], text[], bigint[], bigint[], bigint[], bytea[]
    ),
    ledger.keep_whereabouts(text, text[], bigint[], text[], text[], bigint[]),
    ledger.commit_partition(
        text, text, integer, bigint, bigint, bigint, bigint, text[], text[], bigint[], bytea, boolean
    ),
    ledger.keep_stage_memory(text, text, bytea), ledger.count_latencies(text, bigint[], bigint[]),
    ledger.keep_head(text, bigint, bytea, bigint, text, bytea), ledger.tally(text, text, bigint)
    to ledger_sink;

grant execute on function
    ledger.take_lease(text, text, text, double precision), ledger.renew_lease(text, text, bigint, double precision),
    ledger.release_lease(text, text, bigint)
    to ledger_sink, ledger_bridge;

grant execute on function
    ledger.open_log(text, bigint, text, integer, text, bigint), ledger.put_reference(text, text, bytea, bigint)
    to ledger_bridge;

grant execute on function ledger.put_reference(text, text, bytea, bigint) to ledger_appender;

grant execute on function ledger.take_epoch(text, text, integer, text) to ledger_worker;

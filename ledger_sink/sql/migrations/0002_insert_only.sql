-- Nobody rewrites: no role, owners included, changes or removes what stands in these tables while triggers run.
-- Whoever switches triggers off is found by the published heads.

-- Refuses the statement that fired it.
create or replace function ledger.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'ledger.% is insert-only: % is refused; correct by a new entry', tg_table_name, tg_op
        using errcode = 'insufficient_privilege';
end
$$;

create or replace trigger insert_only before update or delete or truncate on ledger.entries
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.evidence
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.heads
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.logs
    for each statement execute function ledger.refuse_change();
create or replace trigger insert_only before update or delete or truncate on ledger.reference
    for each statement execute function ledger.refuse_change();

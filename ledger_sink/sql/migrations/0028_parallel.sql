-- What catches errors runs in no parallel query: before PostgreSQL 17 a block that catches one is an error of its own
-- there ("cannot start subtransactions during a parallel operation"), in the leader as well as in a worker.
alter function ledger.json_of(bytea) parallel unsafe;

do $$
begin
    perform ledger.close_rights();
end
$$;

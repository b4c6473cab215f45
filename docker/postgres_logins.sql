-- One login for each program, with the role of that program and nothing else.
-- PostgreSQL's image runs this once, when it makes its data. The roles are given their rights by the migrations.
\getenv bridge_password TALLYGATE_BRIDGE_PASSWORD
\getenv worker_password TALLYGATE_WORKER_PASSWORD
\getenv sink_password TALLYGATE_SINK_PASSWORD
\getenv reader_password TALLYGATE_READER_PASSWORD

create role ledger_bridge nologin;
create role ledger_worker nologin;
create role ledger_sink nologin;
create role ledger_reader nologin;

create role bridge login password :'bridge_password' in role ledger_bridge;
create role worker login password :'worker_password' in role ledger_worker;
create role sink login password :'sink_password' in role ledger_sink;
create role reader login password :'reader_password' in role ledger_reader;

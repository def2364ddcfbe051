-- The first schema: the journal (the truth), its fold (the distributed table), the facts, and what stands
-- beside them. Columns of type timestamptz end in _at; hot tables are led by their shard.

-- The conditional row of each shard (R-1). It is updated by every append, so most of its page is kept free
-- for the dead versions that the next append prunes.
create table shards (
  id smallint primary key,
  version bigint not null,
  batch uuid not null,
  at timestamptz not null,
  format integer not null
) with (fillfactor = 20);

-- What was decided, one row per batch. Partitions are ranges of versions, created ahead of the head (R-9).
create table journal (
  shard smallint not null,
  version bigint not null,
  batch uuid not null,
  at timestamptz not null,
  body json not null,
  primary key (shard, version)
) partition by range (version);

-- A body is read once or never, and compressing it would cost every append more than it saves.
alter table journal alter column body set storage external;

create table journal_0 partition of journal for values from (0) to (1000000);
create table journal_1 partition of journal for values from (1000000) to (2000000);

-- The fold: the table as of one version of the journal.
create table folds (
  shard smallint primary key,
  version bigint not null,
  batch uuid not null,
  folded_at timestamptz not null
) with (fillfactor = 20);

create table key_pools (
  shard smallint not null,
  pool text not null,
  units integer not null,
  users integer not null,
  connections integer not null,
  units_peak integer not null,
  users_peak integer not null,
  connections_peak integer not null,
  primary key (shard, pool)
) with (fillfactor = 50);

create table license_users (
  shard smallint not null,
  pool text not null,
  user_id text not null,
  connections integer not null,
  units integer not null,
  transitioned boolean not null,
  connections_peak integer not null,
  primary key (shard, pool, user_id)
) with (fillfactor = 85);

-- A connection, and for ten minutes after its end what is remembered of it (R-7).
create table logins (
  shard smallint not null,
  instance text not null,
  id uuid not null,
  pool text not null,
  user_id text,
  kind text not null,
  phase text not null,
  process_id bigint,
  lease_seconds integer,
  expires_at timestamptz,
  ends_at timestamptz,
  granted_at timestamptz not null,
  decision_version bigint not null,
  decision_index integer not null,
  connections integer not null,
  units integer not null,
  units_added integer not null,
  transitioned boolean not null,
  fingerprint bigint not null,
  released_at timestamptz,
  release_reason text,
  primary key (shard, instance, id)
) with (fillfactor = 85);

-- The facts: written in the transaction of the journal row that says them (R-8). `record` is the absolute
-- record that the event carries; the other columns exist to be read and searched.
create table license_keys (
  id text primary key,
  shard smallint not null,
  order_number text not null,
  customer_name text not null,
  record jsonb not null,
  file bytea,
  installed_at timestamptz not null
);

create table instances (
  name text primary key,
  shard smallint not null,
  key_id text,
  incarnation integer not null,
  state text not null,
  record jsonb not null,
  changed_at timestamptz not null
);

-- Who does the work that must be done once. The token fences what a former leader still tries to write.
create table leadership (
  shard smallint primary key,
  holder text not null,
  token bigint not null,
  elected_at timestamptz not null,
  expires_at timestamptz not null,
  epoch text,
  epoch_run_id text,
  epoch_at timestamptz
);

create table access_tokens (
  id text primary key,
  name text not null,
  role text not null,
  secret_hash bytea not null,
  keys text[],
  instance text,
  created_at timestamptz not null default now(),
  created_by text not null,
  expires_at timestamptz,
  revoked_at timestamptz,
  last_used_at timestamptz
);

insert into shards (id, version, batch, at, format)
values (0, 0, '00000000-0000-0000-0000-000000000000', now(), 1);
insert into folds (shard, version, batch, folded_at)
values (0, 0, '00000000-0000-0000-0000-000000000000', now());

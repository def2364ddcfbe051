-- Instances that decide for themselves: what they report of their tables, the units leased to them, and the
-- ledger of combined use over the limit. The journal's format is raised: it has events that the first version
-- does not understand, and replicas of that version stop serving here.
update shards set format = 2 where format < 2;

-- A report can change every user of a page at once, and then there should be room for all of them in it.
alter table license_users add column apart boolean not null default false;
alter table license_users set (fillfactor = 45);

-- How far the reports of an instance have come.
create table instance_reports (
  shard smallint not null,
  instance text not null,
  pool text not null,
  counted boolean not null,
  incarnation integer not null,
  sequence bigint not null,
  full_from bigint not null,
  users integer not null,
  connections bigint not null,
  checksum bigint not null,
  -- Why its rows were given up, until a full report brings them back.
  lost text,
  reported_at timestamptz not null,
  primary key (shard, instance)
) with (fillfactor = 50);

-- What an instance reported of a user ID.
create table instance_users (
  shard smallint not null,
  instance text not null,
  user_id text not null,
  connections integer not null,
  web_sessions integer not null,
  transitioned boolean not null,
  sequence bigint not null,
  primary key (shard, instance, user_id)
) with (fillfactor = 45);

-- Units leased to one incarnation of an instance.
create table unit_leases (
  shard smallint not null,
  id text not null,
  pool text not null,
  instance text not null,
  incarnation integer not null,
  units integer not null,
  sequence bigint not null,
  revision bigint not null,
  ends_at timestamptz not null,
  primary key (shard, id)
) with (fillfactor = 50);

-- Connections of a user ID that an instance may hold on the server's account.
create table lease_allowances (
  shard smallint not null,
  lease text not null,
  user_id text not null,
  allowance integer not null,
  -- Since when the instance needs more, and when it said that it keeps no more than it has.
  short_since timestamptz,
  exact_at timestamptz,
  primary key (shard, lease, user_id)
) with (fillfactor = 70);

-- The over-limit ledger: a fact, written in the transaction of the journal row that says it. `record` is the
-- absolute record that the event carries; the other columns exist to be searched.
create table excesses (
  id text primary key,
  shard smallint not null,
  pool text not null,
  began_at timestamptz not null,
  ended_at timestamptz,
  record jsonb not null
);

create index excesses_by_pool on excesses (pool, began_at desc);
create index excesses_open on excesses (shard) where ended_at is null;

-- A key's whole life: activations, served keys, application licences, and the marks that reports show. The
-- journal's format is raised: it has events that the second version does not understand, and replicas of that
-- version stop serving here.
update shards set format = 3 where format < 3;

-- Which keys an instance has worked under, and how each came to be: a fact, written with its journal row (R-8).
-- It outlives the instance.
create table key_activations (
  id text primary key,
  shard smallint not null,
  instance text not null,
  activated_at timestamptz not null,
  record jsonb not null
);
create index key_activations_by_instance on key_activations (shard, instance, activated_at desc, id desc);

-- Application sections that were loaded for an instance: a fact, written with its journal row (R-8). `record` is
-- the whole record; the other columns exist to be searched.
create table applications (
  shard smallint not null,
  instance text not null,
  name text not null,
  loaded_at timestamptz not null,
  record jsonb not null,
  primary key (instance, name)
);

-- Who holds units of applications, as of the fold. Without a login they are held for the user himself; `key_id` is
-- the key across which they are counted, empty when they are counted on the instance alone.
create table application_holdings (
  shard smallint not null,
  instance text not null,
  user_id text not null,
  login text not null,
  key_id text not null,
  application text not null,
  feature text not null,
  takes bigint not null,
  primary key (shard, instance, user_id, login, key_id, application, feature)
) with (fillfactor = 70);
create index application_holdings_by_feature
  on application_holdings (shard, key_id, application, feature, user_id, instance, login);

-- How many users hold a feature, and the most at one time, as of the fold. It is counted across a key or on an
-- instance; the other of the two is empty. `orphaned` when its section is gone and its last users have it yet.
create table application_marks (
  shard smallint not null,
  key_id text not null,
  instance text not null,
  application text not null,
  feature text not null,
  used integer not null,
  peak integer not null,
  orphaned boolean not null,
  primary key (shard, key_id, instance, application, feature)
) with (fillfactor = 50);

-- Takes and returns whose IDs are remembered, with what they were answered (R-7).
create table application_requests (
  shard smallint not null,
  instance text not null,
  id uuid not null,
  version bigint not null,
  index integer not null,
  record jsonb not null,
  primary key (shard, instance, id)
);

-- What the key of a pool enforces as of the fold, the least that was left of it, and when its marks were reset.
alter table key_pools add column units_max integer not null default 0;
alter table key_pools add column available_min integer not null default 0;
alter table key_pools add column marks_since timestamptz;
update key_pools set units_max = 1, available_min = 1 - units_peak where pool like 'default:%';
insert into key_pools (shard, pool, units, users, connections, units_peak, users_peak, connections_peak)
select shard, id, 0, 0, 0, 0, 0, 0 from license_keys
on conflict (shard, pool) do nothing;
update key_pools
set units_max = (license_keys.record ->> 'unitsEnforced')::integer,
  available_min = (license_keys.record ->> 'unitsEnforced')::integer - key_pools.units_peak
from license_keys where license_keys.shard = key_pools.shard and license_keys.id = key_pools.pool;

-- High- and low-water marks of an instance since its present life began, and how long its logins lasted.
create table instance_marks (
  shard smallint not null,
  instance text not null,
  incarnation integer not null,
  started_at timestamptz not null,
  pool text not null,
  unit_limit integer not null,
  units_peak integer not null,
  users_peak integer not null,
  connections_peak integer not null,
  web_users_peak integer not null,
  processes_peak integer not null,
  web_grace_peak integer not null,
  available_min integer not null,
  -- Since when each is kept: users, connections, web users, processes, web grace.
  since timestamptz[] not null,
  -- Up to 1, 15, 60, 900 and 3600 seconds, and beyond.
  durations bigint[] not null,
  durations_since timestamptz not null,
  primary key (shard, instance)
) with (fillfactor = 50);

-- Nothing is known of the time before: the marks of instances that are there begin with what stands when they
-- are read first.
insert into instance_marks (shard, instance, incarnation, started_at, pool, unit_limit, units_peak, users_peak,
  connections_peak, web_users_peak, processes_peak, web_grace_peak, available_min, since, durations,
  durations_since)
select shard, name, incarnation, to_timestamp((record ->> 'registeredAtMs')::float8 / 1000),
  coalesce(key_id, 'default:' || name), (record -> 'settings' ->> 'unitLimit')::integer, 0, 0, 0, 0, 0, 0,
  2147483647, array_fill(now(), array[5]), array_fill(0::bigint, array[6]), now()
from instances;

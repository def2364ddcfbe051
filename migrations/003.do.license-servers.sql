-- The roster of licence servers (F-12, F-14). No decision depends on it, so that it stays outside the lane.
-- Names stand in upper case; the active one is found by what it does, never by its place in a list.
create table license_servers (
  name text primary key,
  address text not null,
  port integer not null,
  -- When one of its processes last gave a sign of life.
  heard_at timestamptz,
  changed_at timestamptz not null default clock_timestamp(),
  changed_by text not null,
  unique (address, port)
);

-- Which of them is active: one row, held for a while by one process. The token grows with every term and
-- fences what a former holder still tries. The row outlives its entry, so that a removed one's time runs out.
create table active_license_server (
  id smallint primary key check (id = 0),
  name text not null,
  holder text,
  token bigint not null,
  elected_at timestamptz not null,
  expires_at timestamptz not null
);

--[[
  Gives up a turn, or the place in the queue for it, and publishes the head (R-13). The turn is given up only
  if the token holds it; then it goes to the first waiter whose replica hears of it. A replica that is gone
  hears nothing: its subscription died with its connection.

  KEYS[1]  turn: string, the holder's token; lapses by itself
  KEYS[2]  waiters: list of tokens, first in, first out
  KEYS[3]  head: string, as published
  ARGV[1]  token: <replica>:<shard>:<number>
  ARGV[2]  lifetime of a turn in ms
  ARGV[3]  beginning of the channels on which replicas hear of their turns; the replica is appended
  ARGV[4]  head to publish, or '' for none
  ARGV[5]  channel of the heads
  ARGV[6]  replica that publishes

  Returns 1 when the turn was the token's, else 0.
]]
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4])
  redis.call('PUBLISH', ARGV[5], ARGV[6] .. ' ' .. ARGV[4])
end

if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  redis.call('LREM', KEYS[2], 0, ARGV[1])
  return 0
end

local head = ARGV[4]
if head == '' then
  head = redis.call('GET', KEYS[3]) or ''
end
local waiter = redis.call('LPOP', KEYS[2])
while waiter do
  local replica = string.match(waiter, '^[^:]+')
  if redis.call('PUBLISH', ARGV[3] .. replica, waiter .. ' ' .. head) > 0 then
    redis.call('SET', KEYS[1], waiter, 'PX', ARGV[2])
    return 1
  end
  waiter = redis.call('LPOP', KEYS[2])
end
redis.call('DEL', KEYS[1])
return 1

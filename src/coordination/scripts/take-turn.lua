--[[
  Takes the turn on a shard, or stands in the queue for it (R-13). A turn that is released with someone in
  the queue is handed on by release-turn.lua, so a free turn means an empty queue, or a holder that let its
  turn lapse; then whoever asks first has it.

  KEYS[1]  turn: string, the holder's token; lapses by itself
  KEYS[2]  waiters: list of tokens, first in, first out
  KEYS[3]  head: string, as published
  ARGV[1]  token of the asker: <replica>:<shard>:<number>
  ARGV[2]  lifetime of a turn in ms
  ARGV[3]  lifetime of an untouched queue in ms

  Returns {1, head or ''} when the turn is the asker's, else {0, ms until the turn lapses}.
]]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  if not redis.call('LPOS', KEYS[2], ARGV[1]) then
    redis.call('RPUSH', KEYS[2], ARGV[1])
  end
  redis.call('PEXPIRE', KEYS[2], ARGV[3])
  return { 0, redis.call('PTTL', KEYS[1]) }
end

-- When the asker is the holder already, the word of it was lost on its way.
if not holder then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('LREM', KEYS[2], 0, ARGV[1])
end
return { 1, redis.call('GET', KEYS[3]) or '' }

--[[
  Writes the epoch and tells which life of Redis now holds it, in one step (R-12). Deadlines stay.

  KEYS[1]  epoch: string
  ARGV[1]  epoch

  Returns {epoch, run_id}.
]]
local runId = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
redis.call('SET', KEYS[1], ARGV[1])
return { ARGV[1], runId }

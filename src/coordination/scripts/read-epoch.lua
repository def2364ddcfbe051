--[[
  Reads the epoch and which life of Redis holds it, in one step (R-12).

  KEYS[1]  epoch: string

  Returns {epoch or nil, run_id}.
]]
local runId = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
return { redis.call('GET', KEYS[1]), runId }

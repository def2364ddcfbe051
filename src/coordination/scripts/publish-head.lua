--[[
  Publishes a head without holding the turn (R-13). The last one written wins: after a restore of the
  database, versions may rightly go back.

  KEYS[1]  head: string, as published
  ARGV[1]  head
  ARGV[2]  channel of the heads
  ARGV[3]  replica that publishes

  Returns 1.
]]
redis.call('SET', KEYS[1], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[3] .. ' ' .. ARGV[1])
return 1

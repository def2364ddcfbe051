--[[
  Counts one event in a fixed window, which begins with its first event.

  KEYS[1]  counter of the bucket: string
  ARGV[1]  length of the window in ms

  Returns the count within the window, this event included.
]]
local count = redis.call('INCR', KEYS[1])
if count == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count

--[[
  Sets the deadlines of members that the journal has just granted or renewed, and clears their marks (R-11).

  A deadline never moves backwards. A mark is cleared only by a deadline later than the instant it was made
  for: only such a deadline makes the journal refuse the reap. So a call that arrives late, after the member
  has been marked, cannot undo the mark and let a heartbeat be answered that the reap then overtakes.

  KEYS[1]  deadlines: sorted set of member → deadline in ms; a negative score is a reaping mark
  ARGV     pairs: deadline in ms, member (at most 1,000 pairs)

  Returns 1.
]]
local members = {}
for i = 2, #ARGV, 2 do
  members[i / 2] = ARGV[i]
end

local scores = redis.call('ZMSCORE', KEYS[1], unpack(members))
local changes = {}
for i = 1, #members do
  local deadline = tonumber(ARGV[2 * i - 1])
  local score = tonumber(scores[i] or '0')
  if score >= 0 or deadline > -score then
    changes[#changes + 1] = ARGV[2 * i - 1]
    changes[#changes + 1] = members[i]
  end
end
if #changes > 0 then
  redis.call('ZADD', KEYS[1], 'GT', unpack(changes))
end
return 1

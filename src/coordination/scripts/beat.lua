--[[
  Signs of life of many members, in one step (R-11). This is the hot path: two commands whatever the number
  of members, unless one of them is missing or marked.

  KEYS[1]  deadlines: sorted set of member → deadline in ms; a negative score is a reaping mark
  ARGV     pairs: new deadline in ms, member (at most 1,000 pairs)

  Returns '' when every member was renewed, else one letter a member, in order:
    r  renewed: the deadline that stands is the new one or a later one
    m  marked: nothing was changed
    x  missing: nothing was changed
]]
local members = {}
for i = 2, #ARGV, 2 do
  members[i / 2] = ARGV[i]
end

local scores = redis.call('ZMSCORE', KEYS[1], unpack(members))
local MINUS = 45
local renewedAll = true
for i = 1, #members do
  local score = scores[i]
  if not score or string.byte(score) == MINUS then
    renewedAll = false
    break
  end
end

if renewedAll then
  redis.call('ZADD', KEYS[1], 'XX', 'GT', unpack(ARGV))
  return ''
end

local letters = {}
local alive = {}
for i = 1, #members do
  local score = scores[i]
  if not score then
    letters[i] = 'x'
  elseif string.byte(score) == MINUS then
    letters[i] = 'm'
  else
    letters[i] = 'r'
    alive[#alive + 1] = ARGV[2 * i - 1]
    alive[#alive + 1] = members[i]
  end
end
if #alive > 0 then
  redis.call('ZADD', KEYS[1], 'XX', 'GT', unpack(alive))
end
return table.concat(letters)

--[[
  Marks members for reaping, in one step with the check of their deadlines, of the epoch, and of which life
  of Redis this is (R-11, R-12). A mark replaces the deadline by minus the instant it was made for, so that
  a heartbeat that comes later meets it and goes to the journal. A mark has no end of its own: it stays until
  the journal has spoken (watch or forget), for a mark that ended by itself would let a heartbeat be answered
  while the reap is still on its way.

  What nobody asked about for long is swept here: to be missing is always safe, as the journal then decides.

  KEYS[1]  deadlines: sorted set of member → deadline in ms; a negative score is a reaping mark
  KEYS[2]  epoch: string
  ARGV[1]  the epoch that the caller knows
  ARGV[2]  the run_id that the caller knows
  ARGV[3]  due, in ms: who has a deadline at or before it is to be marked
  ARGV[4]  sweep, in ms: deadlines and marks before it are dropped; 0 for none
  ARGV[5…] members (at most 1,000)

  Returns 0 when epoch or run_id is another; else one string a member, in order:
    '+1764…'  marked; the deadline that had stood
    '+'       marked; the member was missing, or marked before
    '-1764…'  alive; its later deadline
]]
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= ARGV[2] then
  return 0
end

local due = tonumber(ARGV[3])
local members = {}
for i = 5, #ARGV do
  members[i - 4] = ARGV[i]
end

local scores = redis.call('ZMSCORE', KEYS[1], unpack(members))
local answers = {}
local marks = {}
for i = 1, #members do
  local score = scores[i] and tonumber(scores[i])
  if score and score > due then
    answers[i] = '-' .. scores[i]
  else
    answers[i] = (score and score >= 0) and ('+' .. scores[i]) or '+'
    -- A mark that stands for a later instant stays as it is.
    if not score or score >= 0 or -score < due then
      marks[#marks + 1] = '-' .. ARGV[3]
      marks[#marks + 1] = members[i]
    end
  end
end
if #marks > 0 then
  redis.call('ZADD', KEYS[1], unpack(marks))
end
if ARGV[4] ~= '0' then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '(-' .. ARGV[4], '(' .. ARGV[4])
end
return answers

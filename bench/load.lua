-- The requests that wrk sends, and its results as one line of JSON. What to send is in the environment:
--   LOAD_KIND      login, keys, heartbeat, logout or mix
--   LOAD_TOKEN     the bearer token
--   LOAD_INSTANCE  the instance; with kind "keys" the letters that its number follows
--   LOAD_USERS     how many users there are (of each key, with kind "keys")
--   LOAD_KEYS      how many keys there are
--   LOAD_SALT      first part of client-made UUIDs
--   LOAD_FROM      number of the first client-made UUID
--   LOAD_COUNT     how many of them there are
--   LOAD_SERVERS   host:port of each server, separated by commas; each thread takes one

local kind = os.getenv("LOAD_KIND")
local instance = os.getenv("LOAD_INSTANCE") or "hot"
local users = tonumber(os.getenv("LOAD_USERS") or "100000")
local keys = tonumber(os.getenv("LOAD_KEYS") or "1000")
local salt = tonumber(os.getenv("LOAD_SALT") or "0")
local from = tonumber(os.getenv("LOAD_FROM") or "0")
local count = tonumber(os.getenv("LOAD_COUNT") or "0")

-- How many logins of the mix are in at one time.
local MIX_HELD = 5000

local headers = "Host: bench\r\nAuthorization: Bearer " .. (os.getenv("LOAD_TOKEN") or "") .. "\r\n"
local format, random = string.format, math.random
local threads = 0

function setup(thread)
  local servers = {}
  for server in string.gmatch(os.getenv("LOAD_SERVERS") or "", "[^,]+") do
    servers[#servers + 1] = server
  end
  if #servers > 0 then
    local host, port = string.match(servers[threads % #servers + 1], "^(.+):(%d+)$")
    thread.addr = wrk.lookup(host, port)[1]
  end
  threads = threads + 1
  thread:set("thread_number", threads)
end

local function post(path, body)
  return "POST " .. path .. " HTTP/1.1\r\n" .. headers
    .. "Content-Type: application/json\r\nContent-Length: " .. #body .. "\r\n\r\n" .. body
end

local function uuid(number)
  return format("%08x-0000-4000-8000-%012x", salt, number)
end

-- Users and instances have names of one length, so that everything around them is joined once.
local function template(before, digits, after)
  local whole = post("/v1/logins", before .. string.rep("#", digits) .. after)
  local at = string.find(whole, string.rep("#", digits), 1, true)
  return string.sub(whole, 1, at - 1), string.sub(whole, at + digits)
end

local makers = {}

function makers.login()
  local head, tail = template('{"instance":"' .. instance .. '","user":"u', 6, '"}')
  return function()
    return head .. format("%06d", random(0, users - 1)) .. tail
  end
end

function makers.keys()
  local head, tail = template('{"instance":"' .. instance, 18, '"}')
  return function()
    local key = random(0, keys - 1)
    return head .. format('%04d","user":"u%03d', key, random(0, users - 1)) .. tail
  end
end

function makers.heartbeat()
  local after = "/heartbeat?instance=" .. instance .. " HTTP/1.1\r\n" .. headers .. "Content-Length: 0\r\n\r\n"
  return function()
    return "POST /v1/logins/" .. uuid(random(0, count - 1)) .. after
  end
end

local function logout(number)
  return "DELETE /v1/logins/" .. uuid(number) .. "?instance=" .. instance .. " HTTP/1.1\r\n" .. headers .. "\r\n"
end

function makers.logout()
  local number = from - 1
  return function()
    number = number + 1
    return logout(number)
  end
end

-- As many logins as logouts; a logout comes so long after its login that it never overtakes it.
function makers.mix()
  local number, out = from, false
  return function()
    out = not out
    if out and number - from >= MIX_HELD then return logout(number - MIX_HELD) end
    number = number + 1
    return post("/v1/logins", '{"instance":"' .. instance .. '","id":"' .. uuid(number - 1)
      .. '","user":"u' .. format("%06d", random(0, users - 1)) .. '"}')
  end
end

function init()
  math.randomseed(os.time() * 8 + thread_number)
  request = makers[kind]()
end

function done(summary, latency)
  io.write(format(
    '\nRESULT {"requests":%d,"durationUs":%d,"p50Us":%d,"p99Us":%d,"maxUs":%d,"status":%d,"socket":%d,"timeout":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99), latency.max,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write,
    summary.errors.timeout))
end

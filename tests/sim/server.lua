-- What a server is besides its commands: functions, replies as bytes, and its keys as a whole.
local run, fail, command, enter, edit, sha1 = ...
local S
local format = string.format

-- -- functions ---------------------------------------------------------------------------------------------------------
local registered -- while a library is being loaded: what it has registered so far
local redis = {sha1hex = sha1}

function redis.register_function(name, body)
  if not registered then error('redis.register_function can only be called on FUNCTION LOAD') end
  if type(name) == 'table' then name, body = name.function_name, name.callback end
  registered[name] = body
end

-- There is one user, who may do everything.
function redis.acl_check_cmd() return true end

function redis.call(...)
  if registered then error('redis.call cannot be called on FUNCTION LOAD') end
  local a = {...}
  for i = 2, select('#', ...) do
    local each = a[i]
    local kind = type(each)
    if kind == 'number' then
      a[i] = format(each % 1 == 0 and '%d' or '%.17g', each)
    elseif kind ~= 'string' then
      fail('ERR Lua redis lib command arguments must be strings or integers')
    end
  end
  return run(a)
end

local GLOBALS = {
  string = string, table = table, math = math, ipairs = ipairs, pairs = pairs, next = next, tonumber = tonumber,
  tostring = tostring, type = type, unpack = unpack, select = select, error = error,
}
-- While a library is being loaded it has nothing but `redis`.
local environment = setmetatable({redis = redis}, {
  __index = function(_, name) error('Script attempted to access nonexistent global variable ' .. tostring(name)) end,
  __newindex = function() error('Attempt to modify a readonly table') end,
})
local function show_globals(shown)
  for name, value in pairs(GLOBALS) do rawset(environment, name, shown and value or nil) end
end

local libraries = {} -- functions by text, for all servers: they keep nothing between calls

local function library(text)
  if not libraries[text] then
    if string.sub(text, 1, 11) ~= '#!lua name=' then fail('ERR Missing library metadata') end
    -- Its first line is no Lua; the others keep their numbers.
    local chunk, problem = loadstring('--' .. edit(text), '@user_function')
    if not chunk then fail('ERR Error compiling function: ' .. problem) end
    registered = {}
    show_globals(false)
    local well, mistake = pcall(setfenv(chunk, environment))
    show_globals(true)
    libraries[text], registered = registered, nil
    if not well then fail('ERR Error registering functions: ' .. tostring(mistake)) end
  end
  return libraries[text]
end

command('FUNCTION', -2, function(a)
  local action = string.upper(a[2])
  if action == 'FLUSH' then
    S.functions = {}
    return {ok = 'OK'}
  end
  if action ~= 'LOAD' then fail('ERR unknown subcommand') end
  local text, replace = a[#a], string.upper(a[3]) == 'REPLACE'
  local found = library(text)
  for name in pairs(found) do
    if S.functions[name] and not replace then fail('ERR Library already exists') end
  end
  for name, body in pairs(found) do S.functions[name] = body end
  return string.match(text, 'name=([%w_]*)')
end)

command('FCALL', -3, function(a)
  local body = S.functions[a[2]] or fail('ERR Function not found')
  local keys, argv, count = {}, {}, tonumber(a[3])
  for i = 1, count do keys[i] = a[3 + i] end
  for i = 4 + count, #a do argv[i - 3 - count] = a[i] end
  return body(keys, argv)
end)

-- -- replies -----------------------------------------------------------------------------------------------------------
-- Numbers lose their fraction, an array ends at its first nil.
local function encode(reply, out)
  local kind = type(reply)
  if kind == 'string' then
    out[#out + 1] = '$' .. #reply .. '\r\n' .. reply .. '\r\n'
  elseif kind == 'number' then
    out[#out + 1] = format(':%d\r\n', reply < 0 and math.ceil(reply) or math.floor(reply))
  elseif kind ~= 'table' then
    out[#out + 1] = reply and ':1\r\n' or '$-1\r\n'
  elseif reply.err then
    out[#out + 1] = '-' .. string.gsub(reply.err, '[\r\n]', ' ') .. '\r\n'
  elseif reply.ok then
    out[#out + 1] = '+' .. reply.ok .. '\r\n'
  else
    local count = 0
    while reply[count + 1] ~= nil do count = count + 1 end
    out[#out + 1] = '*' .. count .. '\r\n'
    for i = 1, count do encode(reply[i], out) end
  end
end

local function bytes(reply)
  local out = {}
  encode(reply, out)
  return table.concat(out)
end

-- The reply to a command, as bytes, and how many words wait in `published`.
local function execute(server, now, ...)
  S, server.now = server, now
  enter(server)
  local well, reply = pcall(run, {...})
  if not well and type(reply) ~= 'table' then reply = {err = 'ERR ' .. tostring(reply)} end
  return bytes(reply), #server.published
end

-- -- the whole ---------------------------------------------------------------------------------------------------------
local function copied(value)
  if type(value) ~= 'table' then return value end
  local copy = {}
  for name, each in pairs(value) do copy[name] = copied(each) end
  return copy
end

-- What outlives the process of a server, and the way back to it.
local function saved(server) return {copied(server.keys), copied(server.functions)} end
local function restore(server, earlier, within)
  if within == '' then
    server.keys, server.functions = copied(earlier[1]), copied(earlier[2])
    return
  end
  for key in pairs(server.keys) do
    if string.sub(key, 1, #within) == within then server.keys[key] = nil end
  end
  for key, value in pairs(earlier[1]) do
    if string.sub(key, 1, #within) == within then server.keys[key] = copied(value) end
  end
end

-- Whether anything is left to be done: an execution runs, a frame is ready or leased, or somebody is to be told.
local LEFT = {['q'] = true, ['l'] = true, ['n'] = true}
local function busy(server)
  for key, value in pairs(server.keys) do
    local name = string.match(key, '^sw:{%d+}:(%a*)')
    if LEFT[name] and #name + string.find(key, '}', 1, true) + 1 == #key then return true end
    if name == 'x' and value.value.st == 'RUNNING' then return true end
  end
  return false
end

-- A field of a hash.
local function field(server, key, name) return server.keys[key] and server.keys[key].value[name] end

-- The words that make up a value again.
local function parts_of(value)
  if type(value) ~= 'table' then return value end
  if value.kind == 'list' then return value.list end
  local parts = {}
  if value.kind == 'zset' then
    for _, member in ipairs(value.list) do
      parts[#parts + 1] = member
      parts[#parts + 1] = string.format('%.17g', value.score[member])
    end
    return parts
  end
  for i = 1, value.last do
    local name = value.names[i]
    if name then parts[#parts + 1] = name end
    if name and value.kind == 'hash' then parts[#parts + 1] = value.value[name] end
  end
  return parts
end

-- All keys but those that begin with `without`, each as {key, kind, parts}.
local function contents(server, without)
  local found = {}
  for key, value in pairs(server.keys) do
    if without == '' or string.sub(key, 1, #without) ~= without then
      found[#found + 1] = {key, type(value) == 'table' and value.kind or 'string', parts_of(value)}
    end
  end
  table.sort(found, function(one, other) return one[1] < other[1] end)
  return bytes(found)
end

return execute, function(chance)
  return {keys = {}, functions = {}, published = {}, chance = chance, scans = 0, cursors = {}, now = 0}
end, saved, restore, contents, busy, field

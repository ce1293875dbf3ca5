-- Redis as far as the engine uses it, in the Lua that runs the scripts: so a command of a script is a call of a Lua
-- function, and only what a client sends and is answered crosses over from Python.  What a command is, is a table: its
-- name at 1, then its arguments, all strings.  Answers are as scripts see them: string, number, false for nil, table.
local format, match, floor, insert, remove = string.format, string.match, math.floor, table.insert, table.remove

local S, K -- the server at work, and its keys: a string, or a table with the field `kind`
local COMMANDS, WORDS = {}, {}

local function fail(message) error({err = message}) end

-- A double as Redis shows it.
local function text_of(number)
  if number == math.huge then return 'inf' elseif number == -math.huge then return '-inf' end
  if number == floor(number) and number > -1e15 and number < 1e15 then return format('%d', number) end
  local short = format('%.15g', number)
  return tonumber(short) == number and short or format('%.17g', number)
end

local function integer(text)
  local number = tonumber(text)
  return number and number % 1 == 0 and number or fail('ERR value is not an integer or out of range')
end

local INFINITE = {inf = math.huge, ['+inf'] = math.huge, ['-inf'] = -math.huge}

local function score_of(text) return INFINITE[text] or tonumber(text) or fail('ERR value is not a valid float') end

-- -- values ------------------------------------------------------------------------------------------------------------
-- A dictionary (hash or set) keeps the order of insertion, so that a run can be repeated; a removed name leaves a hole.
local function put(d, name, value)
  d.value[name] = value
  if d.at[name] then return 0 end
  d.last, d.count = d.last + 1, d.count + 1
  d.names[d.last], d.at[name] = name, d.last
  return 1
end

local function names_of(d)
  local found = {}
  for i = 1, d.last do
    if d.names[i] then found[#found + 1] = d.names[i] end
  end
  return found
end

local function drop(d, name)
  local at = d.at[name]
  if not at then return 0 end
  d.names[at], d.at[name], d.value[name], d.count = false, nil, nil, d.count - 1
  if d.last > 16 and d.last > 2 * d.count then
    d.names, d.at, d.last = names_of(d), {}, d.count
    for i = 1, d.last do d.at[d.names[i]] = i end
  end
  return 1
end

-- A sorted set is a list of members in order, with the score of each.  The first place that is not before these:
local function place(z, score, member)
  local list, low, high = z.list, 1, #z.list + 1
  while low < high do
    local middle = floor((low + high) / 2)
    local of = z.score[list[middle]]
    if of < score or of == score and list[middle] < member then low = middle + 1 else high = middle end
  end
  return low
end

local function unrank(z, member)
  local score = z.score[member]
  if not score then return 0 end
  remove(z.list, place(z, score, member))
  z.score[member] = nil
  return 1
end

local function rank(z, score, member)
  local new = 1 - unrank(z, member)
  insert(z.list, place(z, score, member), member)
  z.score[member] = score
  return new
end

local MAKE = {
  hash = function() return {kind = 'hash', names = {}, at = {}, value = {}, last = 0, count = 0} end,
  set = function() return {kind = 'set', names = {}, at = {}, value = {}, last = 0, count = 0} end,
  list = function() return {kind = 'list', list = {}} end,
  zset = function() return {kind = 'zset', list = {}, score = {}} end,
}

local function get(key, kind)
  local value = K[key]
  if value ~= nil and (value.kind or 'string') ~= kind then
    fail('WRONGTYPE Operation against a key holding the wrong kind of value')
  end
  return value
end

local function make(key, kind)
  local value = get(key, kind)
  if value == nil then
    value = MAKE[kind]()
    K[key] = value
  end
  return value
end

-- Have `take` remove each of a command's arguments; a key with nothing left does not exist.
local function without(a, kind, take)
  local value, count = get(a[2], kind), 0
  if not value then return 0 end
  for i = 3, #a do count = count + take(value, a[i]) end
  if (value.count or #value.list) == 0 then K[a[2]] = nil end
  return count
end

-- The places `start` to `stop`, inclusive, counted from the end if negative; from 1, as Lua counts.
local function span(start, stop, length)
  local first, last = integer(start), integer(stop)
  if first < 0 then first = math.max(0, first + length) end
  if last < 0 then last = last + length end
  return first + 1, math.min(last + 1, length)
end

-- -- commands ----------------------------------------------------------------------------------------------------------
-- With the number of words as Redis has it: negative, if there may be more.
local function command(name, words, run) COMMANDS[name], WORDS[name] = run, words end

-- Run a command.
local function run(a)
  local name = a[1]
  local words = WORDS[name]
  if not words then fail("ERR unknown command '" .. tostring(name) .. "'") end
  if #a ~= words and (words > 0 or #a < -words) then
    fail("ERR wrong number of arguments for '" .. string.lower(name) .. "' command")
  end
  return COMMANDS[name](a)
end

local function unlink(a)
  local count = 0
  for i = 2, #a do
    if K[a[i]] ~= nil then
      K[a[i]] = nil
      count = count + 1
    end
  end
  return count
end
command('DEL', -2, unlink)
command('UNLINK', -2, unlink)
command('EXISTS', -2, function(a)
  local count = 0
  for i = 2, #a do count = count + (K[a[i]] ~= nil and 1 or 0) end
  return count
end)
command('TYPE', 2, function(a) return {ok = K[a[2]] == nil and 'none' or K[a[2]].kind or 'string'} end)
command('FLUSHALL', -1, function()
  for key in pairs(K) do K[key] = nil end
  return {ok = 'OK'}
end)

-- Names that match a pattern as KEYS has it, without brackets, in order.
local function matching(names, glob)
  local pattern = '^' .. glob:gsub('[%^%$%(%)%%%.%[%]%+%-]', '%%%0'):gsub('%*', '.*'):gsub('%?', '.') .. '$'
  local found = {}
  for name in pairs(names) do
    if match(name, pattern) then found[#found + 1] = name end
  end
  table.sort(found)
  return found
end
command('KEYS', 2, function(a) return matching(K, a[2]) end)

-- Where an option (in capitals) is among the words of a command, from some place on.
local function option(a, name, from)
  for i = from or 4, #a do
    if a[i] == name then return i end
  end
end

-- A cursor stands for the last name that was told, so whatever stays while a scan goes on is told once.
local function scan(a, names, at)
  local after, limit = a[at] ~= '0' and S.cursors[a[at]] or '', option(a, 'COUNT', at + 1)
  local glob, found, left = option(a, 'MATCH', at + 1), {}, nil
  limit = limit and integer(a[limit + 1]) or 10
  for _, name in ipairs(matching(names, '*')) do
    if name > after then
      if #found == limit then left = true; break end
      found[#found + 1] = name
    end
  end
  local cursor = '0'
  if left then
    S.scans = S.scans + 1
    cursor = text_of(S.scans)
    S.cursors[cursor] = found[#found]
  end
  if not glob then return cursor, found end
  local told, wanted = {}, {}
  for _, name in ipairs(found) do told[name] = true end
  return cursor, matching(told, a[glob + 1])
end
command('SCAN', -2, function(a) return {scan(a, K, 2)} end)
command('HSCAN', -3, function(a)
  local value = get(a[2], 'hash')
  local cursor, found = scan(a, value and value.at or {}, 3)
  local pairs_ = {}
  for _, name in ipairs(found) do
    pairs_[#pairs_ + 1] = name
    pairs_[#pairs_ + 1] = value.value[name]
  end
  return {cursor, pairs_}
end)
command('SSCAN', -3, function(a)
  local value = get(a[2], 'set')
  return {scan(a, value and value.at or {}, 3)}
end)

command('GET', 2, function(a) return get(a[2], 'string') or false end)
command('SET', -3, function(a)
  if option(a, 'NX') and K[a[2]] ~= nil then return false end
  K[a[2]] = a[3]
  return {ok = 'OK'}
end)
command('SETNX', 3, function(a)
  if K[a[2]] ~= nil then return 0 end
  K[a[2]] = a[3]
  return 1
end)
command('INCR', 2, function(a)
  local value = integer(get(a[2], 'string') or '0') + 1
  K[a[2]] = text_of(value)
  return value
end)

command('HSET', -4, function(a)
  if #a % 2 == 1 then fail("ERR wrong number of arguments for 'hset' command") end
  local value, new = make(a[2], 'hash'), 0
  for i = 3, #a, 2 do new = new + put(value, a[i], a[i + 1]) end
  return new
end)
command('HSETNX', 4, function(a)
  local value = make(a[2], 'hash')
  return value.value[a[3]] and 0 or put(value, a[3], a[4])
end)
command('HGET', 3, function(a)
  local value = get(a[2], 'hash')
  return value and value.value[a[3]] or false
end)
command('HMGET', -3, function(a)
  local value, found = get(a[2], 'hash'), {}
  for i = 3, #a do found[i - 2] = value and value.value[a[i]] or false end
  return found
end)
command('HGETALL', 2, function(a)
  local value, found = get(a[2], 'hash'), {}
  for _, name in ipairs(value and names_of(value) or {}) do
    found[#found + 1] = name
    found[#found + 1] = value.value[name]
  end
  return found
end)
command('HKEYS', 2, function(a)
  local value = get(a[2], 'hash')
  return value and names_of(value) or {}
end)
command('HLEN', 2, function(a)
  local value = get(a[2], 'hash')
  return value and value.count or 0
end)
command('HEXISTS', 3, function(a)
  local value = get(a[2], 'hash')
  return value and value.value[a[3]] and 1 or 0
end)
command('HDEL', -3, function(a) return without(a, 'hash', drop) end)
command('HINCRBY', 4, function(a)
  local step, value = integer(a[4]), make(a[2], 'hash')
  local before = value.value[a[3]] or '0'
  if not match(before, '^-?%d+$') then fail('ERR hash value is not an integer') end
  put(value, a[3], text_of(tonumber(before) + step))
  return tonumber(before) + step
end)

command('RPUSH', -3, function(a)
  local list = make(a[2], 'list').list
  for i = 3, #a do list[#list + 1] = a[i] end
  return #list
end)
command('LPUSH', -3, function(a)
  local list = make(a[2], 'list').list
  for i = 3, #a do insert(list, 1, a[i]) end
  return #list
end)
command('LLEN', 2, function(a)
  local value = get(a[2], 'list')
  return value and #value.list or 0
end)
local function range(list, first, last)
  local found = {}
  for i = first, last do found[#found + 1] = list[i] end
  return found
end
command('LRANGE', 4, function(a)
  local value = get(a[2], 'list')
  local list = value and value.list or {}
  return range(list, span(a[3], a[4], #list))
end)
command('LINDEX', 3, function(a)
  local value, at = get(a[2], 'list'), integer(a[3])
  return value and value.list[at < 0 and at + #value.list + 1 or at + 1] or false
end)
command('LTRIM', 4, function(a)
  local value = get(a[2], 'list')
  if value then
    value.list = range(value.list, span(a[3], a[4], #value.list))
    if #value.list == 0 then K[a[2]] = nil end
  end
  return {ok = 'OK'}
end)
command('LPOP', 2, function(a)
  local value = get(a[2], 'list')
  if not value then return false end
  local first = remove(value.list, 1)
  if #value.list == 0 then K[a[2]] = nil end
  return first
end)
local function position(list, wanted)
  for i, each in ipairs(list) do
    if each == wanted then return i end
  end
end
command('LREM', 4, function(a)
  local value, left, removed = get(a[2], 'list'), integer(a[3]), 0
  if left < 0 then fail('ERR the simulated LREM removes from the head only') end
  local at = value and position(value.list, a[4])
  while at do
    remove(value.list, at)
    removed, left = removed + 1, left - 1
    at = left ~= 0 and position(value.list, a[4])
  end
  if value and #value.list == 0 then K[a[2]] = nil end
  return removed
end)
command('LPOS', 3, function(a)
  local value = get(a[2], 'list')
  local at = value and position(value.list, a[3])
  return at and at - 1 or false
end)

command('SADD', -3, function(a)
  local value, new = make(a[2], 'set'), 0
  for i = 3, #a do new = new + put(value, a[i], true) end
  return new
end)
command('SREM', -3, function(a) return without(a, 'set', drop) end)
command('SCARD', 2, function(a)
  local value = get(a[2], 'set')
  return value and value.count or 0
end)
command('SISMEMBER', 3, function(a)
  local value = get(a[2], 'set')
  return value and value.value[a[3]] and 1 or 0
end)
command('SMEMBERS', 2, function(a)
  local value = get(a[2], 'set')
  return value and names_of(value) or {}
end)
command('SRANDMEMBER', 3, function(a)
  local value, found = get(a[2], 'set'), {}
  local members = value and names_of(value) or {}
  for _ = 1, math.min(integer(a[3]), #members) do
    S.chance = S.chance * 16807 % 2147483647 -- minimal standard generator
    found[#found + 1] = remove(members, S.chance % #members + 1)
  end
  return found
end)

command('ZADD', -4, function(a)
  local first, only_new, only_old = 3, false, false
  while a[first] == 'NX' or a[first] == 'XX' do
    only_new, only_old, first = only_new or a[first] == 'NX', only_old or a[first] == 'XX', first + 1
  end
  if first > #a or (#a - first) % 2 == 0 then fail('ERR syntax error') end
  for i = first, #a, 2 do score_of(a[i]) end
  local value, new = only_old and get(a[2], 'zset') or not only_old and make(a[2], 'zset'), 0
  for i = first, value and #a or 0, 2 do
    local there = value.score[a[i + 1]] ~= nil
    if not (only_new and there) and not (only_old and not there) then new = new + rank(value, score_of(a[i]), a[i + 1]) end
  end
  return new
end)
command('ZREM', -3, function(a) return without(a, 'zset', unrank) end)
command('ZCARD', 2, function(a)
  local value = get(a[2], 'zset')
  return value and #value.list or 0
end)
command('ZSCORE', 3, function(a)
  local value = get(a[2], 'zset')
  return value and value.score[a[3]] and text_of(value.score[a[3]]) or false
end)

-- Members at places, with their scores if the command says so.
local function told(a, z, first, last, step)
  local found, scored = {}, option(a, 'WITHSCORES')
  for i = first, last, step do
    found[#found + 1] = z.list[i]
    if scored then found[#found + 1] = text_of(z.score[z.list[i]]) end
  end
  return found
end
-- A bound of scores, and whether "(" takes out the bound itself.
local function bound_of(text)
  if string.byte(text) ~= 40 then return score_of(text), false end
  return score_of(string.sub(text, 2)), true
end

-- The sorted set of a command, and the places in it with scores between the bounds that follow.
local function between(a)
  local low, above = bound_of(a[3])
  local high, below = bound_of(a[4])
  local z = get(a[2], 'zset')
  if not z then return nil, 1, 0 end
  local list, score, first = z.list, z.score, 1
  while list[first] and (score[list[first]] < low or above and score[list[first]] == low) do first = first + 1 end
  local last = first - 1
  while list[last + 1] do
    local of = score[list[last + 1]]
    if of > high or below and of == high then break end
    last = last + 1
  end
  return z, first, last
end
local function by_score(a)
  local z, first, last = between(a)
  if not z then return {} end
  local limit = option(a, 'LIMIT')
  if limit then
    local offset, count = integer(a[limit + 1]), integer(a[limit + 2])
    if offset < 0 then return {} end
    first = first + offset
    if count >= 0 then last = math.min(last, first + count - 1) end
  end
  return told(a, z, first, last, 1)
end
command('ZRANGEBYSCORE', -4, by_score)
command('ZRANGE', -4, function(a)
  if option(a, 'BYSCORE') then return by_score(a) end
  local z = get(a[2], 'zset')
  local first, last = span(a[3], a[4], z and #z.list or 0)
  if not z then return {} end
  if not option(a, 'REV') then return told(a, z, first, last, 1) end
  return told(a, z, #z.list + 1 - first, #z.list + 1 - last, -1)
end)
command('ZCOUNT', 4, function(a)
  local _, first, last = between(a)
  return last - first + 1
end)
command('ZREMRANGEBYSCORE', 4, function(a)
  local z, first, last = between(a)
  for i = last, first, -1 do unrank(z, z.list[i]) end
  if z and #z.list == 0 then K[a[2]] = nil end
  return last - first + 1
end)

command('TIME', 1, function()
  return {text_of(floor(S.now / 1000000)), text_of(S.now % 1000000)}
end)
command('PING', 1, function() return {ok = 'PONG'} end)
command('SELECT', 2, function() return {ok = 'OK'} end)
command('PUBLISH', 3, function(a)
  insert(S.published, a[2])
  insert(S.published, a[3])
  return 0
end)

-- How to run a command and to refuse one; commands by name; and the way to say whose keys they are about: those of a
-- table with the fields keys, now (µs), published, chance, scans, cursors.
return run, fail, command, function(server) S, K = server, server.keys end

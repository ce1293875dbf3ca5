-- Shared by all verbs.  Keys are named in keys.py; KEYS[1] only says which shard (slot) the call belongs to.
-- Everything a user wrote is opaque here: it is stored and returned, never parsed.
local call, match, format, KEYS, ARGV, P, LEASES, TIMERS, KNOWN, MACHINE, TAKER

-- The first thing each verb does; nothing is kept from one call to the next.  (While a library is loaded, none of the
-- globals is there yet.)
local function enter(keys, argv)
  call, match, format, KEYS, ARGV = redis.call, string.match, string.format, keys, argv
  P = match(keys[1], '^[^}]*}:')
  LEASES, TIMERS, KNOWN, TAKER = P .. 'l', P .. 't', nil, nil
end

-- A finite number.  Nothing that a script has written is undone, so all arguments are looked at before the first write.
local function number(text)
  local value = tonumber(text)
  if not value or value ~= value or math.abs(value) == math.huge then error('not a number: ' .. tostring(text)) end
  return value
end

-- The server's time in ms, or the one given by a store with a clock of its own.
local function clock(given)
  if given ~= '' then return number(given) end
  local t = call('TIME')
  return tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
end

local function frame_key(exec, frame) return P .. 'f:' .. exec .. ':' .. frame end
local function inbox_key(exec, frame) return P .. 'b:' .. exec .. ':' .. frame end
local function fork_key(kind, exec, frame, epoch) return P .. kind .. ':' .. exec .. ':' .. frame .. ':' .. epoch end

-- "/3.0/5.2" is child 2 of fork 5 of "/3.0".
local function lineage(frame) return match(frame, '^(.*)/(%d+)%.(%d+)$') end

-- True while every fork this frame descends from is open: a closed one fences its whole subtree.
local function lineage_open(exec, frame)
  while frame ~= '' do
    local parent, epoch = lineage(frame)
    if not parent or call('HGET', fork_key('j', exec, parent, epoch), 'open') ~= '1' then return false end
    frame = parent
  end
  return true
end

-- The payloads a call refers to stand in ARGV[at...]: their number, then the hash and the text of each, '' for a text
-- that the caller believes to be here.  Keeps the new ones; answers where the arguments go on or, with nothing written,
-- nil if one is not here.
local function keep_payloads(exec, at)
  local key, last = P .. 'p:' .. exec, at + 2 * number(ARGV[at])
  if last > #ARGV then error('fewer payloads than there should be') end
  for i = at + 1, last, 2 do
    if ARGV[i + 1] == '' and call('HEXISTS', key, ARGV[i]) == 0 then return nil end
  end
  for i = at + 1, last, 2 do
    if ARGV[i + 1] ~= '' then call('HSETNX', key, ARGV[i], ARGV[i + 1]) end
  end
  return last + 1
end

-- The last of the records that are appended together carries the chain: a digest of the one before it, and of all
-- records since (codec/integrity.py).  `tail` is the record before them, '' if there is none; answers the new one.
local function linked(exec, tail, records)
  local link = redis.sha1hex((match(tail, '^%d+,%d+,(%x+),') or exec) .. table.concat(records))
  records[#records] = string.gsub(records[#records], ',,', ',' .. string.sub(link, 1, 8) .. ',', 1)
  return records[#records]
end

-- Whether the time of an open task, or of its execution, is over, though nobody may have reacted to that yet: the timer
-- is due, or is mail already.
local function overdue(exec, frame, epoch, now)
  local function over(of, timer)
    local due = tonumber(call('ZSCORE', TIMERS, exec .. ':' .. of .. ':' .. timer))
    return due and due <= now or call('LPOS', inbox_key(exec, of), 'T' .. timer)
  end
  return over(frame, epoch .. ':timeout') or over(frame, epoch .. ':heartbeat') or over('', '0:execution')
end

-- An execution's status; nil if there is none.  Its state machine, which never changes, is remembered during the call.
local function status_of(exec)
  local h = call('HMGET', P .. 'x:' .. exec, 'st', 'mn')
  KNOWN, MACHINE = exec, h[2] or ''
  return h[1]
end

local function running(exec) return status_of(exec) == 'RUNNING' end

-- Ready frames wait in a queue of their state machine, so that a worker finds those it serves however many others
-- there are.  The set `q` names the state machines whose queue is not empty.
local function queue(machine) return P .. 'q:' .. machine end

local function machine_of(exec)
  if exec ~= KNOWN then status_of(exec) end
  return MACHINE
end

local function enqueue(exec, frame, now)
  local machine = machine_of(exec)
  call('ZADD', queue(machine), 'NX', now, exec .. ':' .. frame)
  call('SADD', P .. 'q', machine)
end

local function unqueue(machine, member)
  if call('ZREM', queue(machine), member) == 1 and call('EXISTS', queue(machine)) == 0 then
    call('SREM', P .. 'q', machine)
  end
end

local function dequeue(exec, frame) unqueue(machine_of(exec), exec .. ':' .. frame) end

-- Fails unless what a frame is made ready in is of the right kind, before anything is written.
local function probe(exec, frame)
  call('LLEN', inbox_key(exec, frame))
  call('ZSCORE', queue(machine_of(exec)), exec .. ':' .. frame)
  call('SRANDMEMBER', P .. 'q', 1)
end

local function ring() call('PUBLISH', 'sw:bell', match(P, '%d+')) end

local function ready(exec, frame, now)
  enqueue(exec, frame, now)
  ring()
end

-- Counts what a worker is told is done (see store/upkeep/serials.py).
local function witness(owner) return call('HINCRBY', P .. 'w', owner, 1) end

-- A dead letter is a frame that is put aside; `dl` of the frame says why.  Answers whether it was one.
local function unbury(exec, frame)
  if call('HDEL', frame_key(exec, frame), 'dl') == 0 then return false end
  call('ZREM', P .. 'dl', exec .. ':' .. frame)
  call('HINCRBY', P .. 'x:' .. exec, 'dn', -1)
  return true
end

-- Timers of a frame are listed in its field `tm`, each as "<epoch>:<kind>@<due>," (a heartbeat puts its off).
local function unlisted(timers, epoch, kind)
  return string.sub((string.gsub(',' .. timers, ',' .. epoch .. ':' .. kind .. '@%d+,', ',')), 2)
end

local function disarm(exec, frame, timers)
  for timer in string.gmatch(timers or '', '([^,@]+)@%d+,') do
    call('ZREM', TIMERS, exec .. ':' .. frame .. ':' .. timer)
  end
end

-- Forget a fork; its open children are put on the list of frames to be dropped.
local function drop_fork(exec, frame, epoch, frames)
  for _, index in ipairs(call('SMEMBERS', fork_key('o', exec, frame, epoch))) do
    frames[#frames + 1] = frame .. '/' .. epoch .. '.' .. index
  end
  call('UNLINK', fork_key('j', exec, frame, epoch), fork_key('r', exec, frame, epoch),
    fork_key('i', exec, frame, epoch), fork_key('o', exec, frame, epoch))
end

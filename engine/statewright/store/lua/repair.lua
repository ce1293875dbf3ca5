-- What a sweep looks at, by kind of key (see sweep.lua): each function puts right what cannot be by itself, as no script
-- leaves it so.  What only Python can tell is handed over in `open`.
local repaired, open

-- Whoever is at home in the shard plans by what there was; now there may be more to do, or sooner.
local function count(what)
  repaired = repaired + 1
  call('HINCRBY', P .. 's', what, 1)
  ring()
end

local function frame_there(exec, frame) return call('EXISTS', frame_key(exec, frame)) == 1 end
local function queued(exec, frame) return call('ZSCORE', queue(machine_of(exec)), exec .. ':' .. frame) end
local function leased(exec, frame) return call('ZSCORE', LEASES, exec .. ':' .. frame) end
local function mail(exec, frame) return call('LLEN', inbox_key(exec, frame)) > 0 end

local function wake(exec, frame, now, what)
  ready(exec, frame, now)
  count(what)
end

-- Whether nobody will look at a frame until something happens to it.
local function parked(exec, frame)
  return not leased(exec, frame) and not queued(exec, frame) and call('HEXISTS', frame_key(exec, frame), 'dl') == 0
end

local function examine_timers(exec, frame, f, now)
  for epoch, kind, due in string.gmatch(f.tm or '', '(%d+):(%a+)@(%d+),') do
    local timer = exec .. ':' .. frame .. ':' .. epoch .. ':' .. kind
    if not call('ZSCORE', TIMERS, timer) and not call('LPOS', inbox_key(exec, frame), 'T' .. epoch .. ':' .. kind) then
      -- A heartbeat may have put it off: the whole interval once more.
      call('ZADD', TIMERS, kind == 'heartbeat' and now + tonumber(f.hb) or due, timer)
      count('timers')
    end
  end
end

local examine = {}

function examine.x(exec, _, _, now)
  local x = P .. 'x:' .. exec
  local h = call('HMGET', x, 'st', 'mn', 'ix', 't0', 'ex', 'td', 't1', 'up')
  local status, due = h[1], h[6]
  if not status then return end
  if status == 'RUNNING' or h[5] ~= '1' then
    for _, index in ipairs(indexes(h[2], h[3])) do
      local key = P .. 'e:' .. index .. ':' .. status
      if not call('ZSCORE', key, exec) then
        call('ZADD', key, h[4], exec)
        count('indexes')
      end
    end
  end
  if status == 'RUNNING' and due and not call('ZSCORE', TIMERS, exec .. '::0:execution')
      and not call('LPOS', inbox_key(exec, ''), 'T0:execution') and tonumber(due) > 0 then
    call('ZADD', TIMERS, due, exec .. '::0:execution')
    count('timers')
  end
  -- (The children of map runs go with their parents, and wait for being archived only.)
  if status ~= 'RUNNING' and not run_of(h[8])
      and not call('ZSCORE', P .. 'done', exec) and not call('ZSCORE', P .. 'z', exec) then
    call('ZADD', P .. (call('EXISTS', P .. 'z:' .. exec) == 1 and 'z' or 'done'), h[7], exec)
    count('archive')
  end
end

-- An archive belongs to a header that was emptied when it was written.
function examine.z(exec)
  local h = call('HMGET', P .. 'x:' .. exec, 'st', 'head')
  if (not h[1] or h[2]) and call('UNLINK', P .. 'z:' .. exec) == 1 then count('leftovers') end
end

function examine.f(exec, frame, _, now)
  local key, f = frame_key(exec, frame), {}
  local names = {'rev', 'ph', 'ep', 'tm', 'hb', 'aq', 'jb', 'ans', 'body', 'dl'}
  for i, value in ipairs(call('HMGET', key, unpack(names))) do f[names[i]] = value or nil end
  if not f.rev then return end
  if not running(exec) then
    drop_frames(exec, {frame}, now)
    return count('frames')
  end
  if not lineage_open(exec, frame) then return end -- its parent drops it
  if queued(exec, frame) and call('SADD', P .. 'q', machine_of(exec)) == 1 then count('queues') end
  examine_timers(exec, frame, f, now)
  if f.dl and call('ZADD', P .. 'dl', 'NX', now, exec .. ':' .. frame) == 1 then count('dead letters') end
  if not parked(exec, frame) then return end
  if mail(exec, frame) or not f.ph or f.ph == 'enter' then return wake(exec, frame, now, 'queues') end
  if f.ph == 'join' and call('HGET', fork_key('j', exec, frame, f.ep), 'open') ~= '1' then
    call('RPUSH', inbox_key(exec, frame), 'J' .. f.ep)
    return wake(exec, frame, now, 'inboxes')
  end
  if f.ph ~= 'task' or match(f.ans or '', '^(%d+):') == f.ep then return end
  if f.aq and f.aq ~= '' then
    if call('ZADD', P .. 'a:' .. f.aq, 'NX', now, exec .. ':' .. frame .. ':' .. f.ep) == 1 then
      count('queues')
    end
  else
    open[#open + 1] = {exec, frame, tonumber(f.rev), f.jb or '', f.body}
  end
end

function examine.u(exec, frame, epoch, now)
  local key, children = run_key(exec, frame, epoch), fork_key('o', exec, frame, epoch)
  local r = call('HMGET', key, 'st', 'open', 'running', 'idle', 'done')
  if not r[1] then return end
  local there = call('SCARD', children)
  if there <= 1000 then
    for _, child in ipairs(call('SMEMBERS', children)) do
      if not running(child) then -- it ends as one that was stopped
        call('SREM', children, child)
        call('HINCRBY', key, 'x:ABORTED', 1)
        call('HINCRBY', key, 'i:ABORTED', 1)
        there = there - 1
        count('map runs')
      end
    end
  end
  if tonumber(r[3]) ~= there then
    call('HSET', key, 'running', there)
    count('map runs')
  end
  if r[1] ~= 'RUNNING' then
    local text = 'A' .. exec .. ':' .. frame .. ':' .. epoch
    if call('EXISTS', children) == 1 and not call('LPOS', P .. 'n', text) then
      notice(text)
      count('notices')
    end
    return
  end
  if not running(exec) or not frame_there(exec, frame) then
    close_run(exec, frame, epoch, 'ABORTED', now)
    return count('map runs')
  end
  if not parked(exec, frame) or mail(exec, frame) then return end
  if r[2] == '1' and r[4] == '0' and r[5] == '0' then return wake(exec, frame, now, 'map runs') end
  if r[2] == '1' then judge_run(exec, frame, epoch, now) else call('RPUSH', inbox_key(exec, frame), 'J' .. epoch) end
  if mail(exec, frame) then wake(exec, frame, now, 'map runs') end
end

-- What workers were told is done is forgotten when it has not changed for an hour.
function examine.w(_, _, _, now)
  local counts = {}
  local found = call('HGETALL', P .. 'w')
  for i = 1, #found, 2 do counts[found[i]] = found[i + 1] end
  for owner, number in pairs(counts) do
    local seen, at = match(counts['s:' .. owner] or '', '^(%d+)@(%d+)$')
    if match(owner, '^s:') then -- see below
    elseif seen ~= number then
      call('HSET', P .. 'w', 's:' .. owner, format('%s@%d', number, now))
    elseif now - tonumber(at) > 3600000 then
      call('HDEL', P .. 'w', owner, 's:' .. owner)
    end
  end
end

-- The sets of names: of state machines that have ready frames, and of activities that have waiting tasks.
function examine.q()
  for _, machine in ipairs(call('SMEMBERS', P .. 'q')) do
    if call('EXISTS', queue(machine)) == 0 then
      call('SREM', P .. 'q', machine)
      count('queues')
    end
  end
end

function examine.a()
  for _, activity in ipairs(call('SMEMBERS', P .. 'a')) do -- that there are none any more is noticed here and elsewhere
    if call('EXISTS', P .. 'a:' .. activity) == 0 then call('SREM', P .. 'a', activity) end
  end
end

local function forget_without(there, kind)
  return function(exec, frame, epoch)
    local parts = {kind, exec}
    if frame then parts[3] = frame end
    if epoch then parts[4] = epoch end
    if not there(exec, frame, epoch) and call('UNLINK', P .. table.concat(parts, ':')) == 1 then count('leftovers') end
  end
end

local function header_there(exec) return call('EXISTS', P .. 'x:' .. exec) == 1 end
local function fork_there(exec, frame, epoch)
  return frame_there(exec, frame) or call('EXISTS', run_key(exec, frame, epoch)) == 1
end
examine.h = forget_without(header_there, 'h')
examine.p = forget_without(header_there, 'p')
examine.k = forget_without(header_there, 'k')
examine.b = forget_without(frame_there, 'b')
examine.j = forget_without(fork_there, 'j')
examine.r = forget_without(fork_there, 'r')
examine.i = forget_without(fork_there, 'i')
examine.o = forget_without(fork_there, 'o')

-- Members of sorted sets: whether one should be there.  (It may be gone since the caller has read it.)
local belongs = {}

local function runs(name)
  local exec, frame = match(name, '^([^:]*):(.*)$')
  return running(exec) and frame_there(exec, frame)
end

function belongs.l(_, name) return runs(name) end
function belongs.q(_, name) return runs(name) end

function belongs.t(_, name)
  local exec, frame, epoch, kind = match(name, '^([^:]*):([^:]*):(%d+):(%a+)$')
  local listed = call('HGET', frame_key(exec, frame), 'tm') or ''
  return running(exec)
    and (kind == 'execution' or string.find(',' .. listed, ',' .. epoch .. ':' .. kind .. '@', 1, true))
end

function belongs.a(activity, name)
  local exec, frame, epoch = match(name, '^([^:]*):([^:]*):(%d+)$')
  local f = call('HMGET', frame_key(exec, frame), 'ep', 'aq')
  return running(exec) and f[1] == epoch and f[2] == activity
end

function belongs.e(index, name) return call('HGET', P .. 'x:' .. name, 'st') == match(index, '([^:]*)$') end

local function ended(_, name)
  local status = status_of(name)
  return status and status ~= 'RUNNING'
end
belongs.done = ended
belongs.z = ended

function belongs.dl(_, name)
  local exec, frame = match(name, '^([^:]*):(.*)$')
  return running(exec) and call('HEXISTS', frame_key(exec, frame), 'dl') == 1
end

local MEANINGS = {l = 'leases', q = 'queues', t = 'timers', a = 'queues', e = 'indexes', dl = 'dead letters', done = 'archive', z = 'archive'}

local function examine_member(kind, of, name)
  local key = P .. kind .. (of ~= '' and ':' .. of or '')
  if belongs[kind](of, name) then
    if kind == 'a' and call('SADD', P .. 'a', of) == 1 then count('queues') end
    return
  end
  if call('ZREM', key, name) == 0 then return end
  if kind == 'q' and call('EXISTS', key) == 0 then call('SREM', P .. 'q', of) end
  count(MEANINGS[kind])
end

-- Map runs: the child executions of a distributed Map.  They live in the shard of the execution they belong to, so that
-- the end of a child and the counts of its run change together.
local function run_key(exec, frame, epoch) return fork_key('u', exec, frame, epoch) end

-- Something that is to be done about another execution, by whichever worker comes next (see drive/children/notices.py).
local function notice(text)
  call('RPUSH', P .. 'n', text)
  ring()
end

local function open_run(exec, frame, now, c)
  call('HSET', run_key(exec, frame, c.epoch), 'st', 'RUNNING', 'open', 1, 'at', now, 'body', c.body, 'window', c.window,
    'count', c.count, 'percentage', c.percentage, 'most', c.most, 'next', 0, 'cursor', '', 'read', 0, 'done', 0,
    'begun', 0, 'running', 0, 'idle', 0, 'size', 0)
  call('HSET', P .. 'runs', c.uuid, exec .. ':' .. frame .. ':' .. c.epoch)
  call('RPUSH', P .. 'k:' .. exec, c.uuid)
end

-- A run is over: its counts stay, its results go, children that still run are to be stopped.
local function close_run(exec, frame, epoch, status, now)
  local key, open = run_key(exec, frame, epoch), fork_key('o', exec, frame, epoch)
  if call('HGET', key, 'st') ~= 'RUNNING' then return end
  call('HSET', key, 'st', status, 'open', 0, 't1', now)
  call('HDEL', key, 'cursor')
  call('UNLINK', fork_key('r', exec, frame, epoch))
  if call('EXISTS', open) == 1 then notice('A' .. exec .. ':' .. frame .. ':' .. epoch) end
end

-- What follows from the counts of a run: too many failures or nothing left to do close it, room wakes whoever feeds it.
local function judge_run(exec, frame, epoch, now)
  local key = run_key(exec, frame, epoch)
  local r = call('HMGET', key, 'open', 'done', 'running', 'window', 'count', 'percentage', 'read', 'idle',
    'i:FAILED', 'i:TIMED_OUT', 'i:ABORTED')
  if r[1] ~= '1' then return end
  local bad = tonumber(r[9] or 0) + tonumber(r[10] or 0) + tonumber(r[11] or 0)
  local done, running, window = r[2] == '1', tonumber(r[3]), tonumber(r[4])
  local exceeded = r[5] == '' and r[6] == '' and bad > 0
  if r[5] ~= '' then exceeded = exceeded or bad > tonumber(r[5]) end
  -- A share of all items means something only when it is known how many there are.
  if r[6] ~= '' and done then exceeded = exceeded or bad > math.floor(tonumber(r[7]) * tonumber(r[6]) / 100) end
  if exceeded or (done and running == 0) then
    call('HSET', key, 'open', 0, 'exceeded', exceeded and 1 or 0)
    call('RPUSH', inbox_key(exec, frame), 'J' .. epoch)
    ready(exec, frame, now)
  elseif r[8] == '1' and not done and running <= math.floor(window / 2) then
    call('HSET', key, 'idle', 0)
    call('RPUSH', inbox_key(exec, frame), 'F' .. epoch)
    ready(exec, frame, now)
  end
end

-- "map_run:<exec>:<frame>:<epoch>:<index>:<items>" (see codec/runs.py)
local function run_of(link) return match(link or '', '^map_run:([^:]*):([^:]*):(%d+):(%d+):(%d+)$') end

-- A child execution begins: false if its run is closed, nil if it was begun before.
local function child_begins(link, child)
  local exec, frame, epoch, index, items = run_of(link)
  local key = run_key(exec, frame, epoch)
  local r = call('HMGET', key, 'open', 'next')
  if r[1] ~= '1' then return false end
  -- Children that ended may be gone, and those before `next` were all begun.
  if tonumber(index) < tonumber(r[2]) or call('HEXISTS', fork_key('r', exec, frame, epoch), index) == 1 then return nil end
  call('HINCRBY', key, 'begun', 1) -- each once, so that it shows if one is lost that came before others (advance.lua)
  call('HINCRBY', key, 'running', 1)
  call('HINCRBY', key, 'working', items)
  call('SADD', fork_key('o', exec, frame, epoch), child)
  return true
end

-- A child execution ends: its result is kept for the parent as <status>,<start>,<end>; output, error and cause in
-- fields of their own (prefixed o, e, c; h: its header).
local function child_ended(link, child, now, started, header, c)
  local exec, frame, epoch, index, items = run_of(link)
  local key, results = run_key(exec, frame, epoch), fork_key('r', exec, frame, epoch)
  local r = call('HMGET', key, 'open', 'most', 'size')
  if not r[1] then return end
  call('HINCRBY', key, 'running', -1)
  call('HINCRBY', key, 'working', -items)
  call('HINCRBY', key, 'x:' .. c.status, 1)
  call('HINCRBY', key, 'i:' .. c.status, items)
  call('SREM', fork_key('o', exec, frame, epoch), child)
  if r[1] ~= '1' then return end
  call('HSET', results, index, c.status .. ',' .. started .. ',' .. now)
  -- `most` is how many bytes of results may add up; empty: they are written to files, with what is in the header.
  if r[2] == '' then call('HSET', results, 'h' .. index, header) end
  -- An output that is kept apart is so for the child only, and may go with it.
  local apart, output = match(c.output, '^=@(%x+)$'), c.output
  if apart then output = '=' .. call('HGET', P .. 'p:' .. child, apart) end
  local size = call('HINCRBY', key, 'size', #output + #c.error + #c.cause)
  if r[2] == '' or size <= tonumber(r[2]) then
    call('HSET', results, 'o' .. index, output, 'e' .. index, c.error, 'c' .. index, c.cause)
  end
  judge_run(exec, frame, epoch, now)
end

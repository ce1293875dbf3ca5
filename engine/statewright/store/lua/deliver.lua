-- What its owner is told of a frame that was just leased to it.
local function told(exec, frame, rev, prev, entered, deliveries, body, inbox)
  local item = {false, false}
  if frame ~= '' then
    local parent, epoch, index = lineage(frame)
    item = call('HMGET', fork_key('i', exec, parent, epoch), index, 'k' .. index)
  end
  return {exec, frame, rev, prev, entered, call('LLEN', P .. 'h:' .. exec), deliveries, body, item[1], item[2], inbox}
end

-- Leases a frame to `owner`, fencing whoever held it; nil if there is nothing to run (its queue entries are removed).
-- A frame under a closed join stays readable: its parent's next commit drops it.
local function deliver(exec, frame, owner, deadline)
  local key, member = frame_key(exec, frame), exec .. ':' .. frame
  dequeue(exec, frame)
  local f = call('HMGET', key, 'rev', 'prev', 'entered', 'body', 'del', 'dl')
  if not f[1] or not running(exec) or not lineage_open(exec, frame) then
    call('ZREM', LEASES, member)
    return nil
  end
  if f[6] then unbury(exec, frame) end
  local deliveries = tonumber(f[5] or 0) + 1
  call('HSET', key, 'own', owner, 'cr', f[1], 'del', deliveries)
  call('ZADD', LEASES, deadline, member)
  return told(exec, frame, tonumber(f[1]), tonumber(f[2]), tonumber(f[3] or 0), deliveries, f[4],
    call('LRANGE', inbox_key(exec, frame), 0, 99))
end

-- "Commit and claim next": what a step makes ready goes to the worker that took it, in the answer to its commit, as far
-- as that worker has room (`TAKER`: owner, deadline, room, the rows of the answer, and whether there was more).
local function taken()
  if TAKER and #TAKER.rows < TAKER.room then return true end
  if TAKER then TAKER.more = 1 end
  return false
end

-- A child of a fork begins; its first events follow event `origin`.  Answers whether it waits for a worker.
local function beget(exec, child, origin, now)
  local key = frame_key(exec, child)
  if taken() then
    call('HSET', key, 'rev', 0, 'prev', origin, 'own', TAKER.owner, 'cr', 0, 'del', 1)
    call('ZADD', LEASES, TAKER.deadline, exec .. ':' .. child)
    table.insert(TAKER.rows, told(exec, child, 0, origin, 0, 1, false, {}))
    return false
  end
  call('HSET', key, 'rev', 0, 'prev', origin)
  enqueue(exec, child, now)
  return true
end

-- A frame that nobody holds has mail.
local function wake(exec, frame, now)
  if taken() then
    table.insert(TAKER.rows, deliver(exec, frame, TAKER.owner, TAKER.deadline))
  else
    ready(exec, frame, now)
  end
end

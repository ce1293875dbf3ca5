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
  local deliveries, item = tonumber(f[5] or 0) + 1, {false, false}
  call('HSET', key, 'own', owner, 'cr', f[1], 'del', deliveries)
  call('ZADD', LEASES, deadline, member)
  if frame ~= '' then
    local parent, epoch, index = lineage(frame)
    item = call('HMGET', fork_key('i', exec, parent, epoch), index, 'k' .. index)
  end
  return {exec, frame, tonumber(f[1]), tonumber(f[2]), tonumber(f[3] or 0), call('LLEN', P .. 'h:' .. exec), deliveries,
    f[4], item[1], item[2], call('LRANGE', inbox_key(exec, frame), 0, 99)}
end

-- What follows the end of an execution: its places in the indexes, and its successor.

-- The names of the indexes that list an execution: of all and of its state machine, or of the map run it belongs to.
local function indexes(machine, run) return run and run ~= '' and {run} or {'', machine} end

-- The execution hands over: `c` is its successor, which begins in the same commit and takes its place for whoever waits
-- for it (`link`).  Its input, if it is large, is a payload of this step.
local function succeed(exec, machine, link, c, now)
  local x, awaited = P .. 'x:' .. c.exec, match(link or '', '^awaited')
  if call('EXISTS', x) == 1 then -- somebody took its name: nothing of theirs is touched, and nobody waits for it
    if awaited then notice('E' .. exec) end
    return
  end
  call('HSET', P .. 'x:' .. exec, 'nx', c.arn)
  if c.payload ~= '' then
    call('HSET', P .. 'p:' .. c.exec, c.payload, call('HGET', P .. 'p:' .. exec, c.payload))
  end
  call('HSET', x, 'head', c.head, 'mn', machine, 'dg', '', 'st', 'RUNNING', 't0', c.started)
  if link and link ~= '' then call('HSET', x, 'up', link, 'ix', '', 'ex', 0) end
  for _, index in ipairs(indexes(machine)) do call('ZADD', P .. 'e:' .. index .. ':RUNNING', c.started, c.exec) end
  call('RPUSH', P .. 'h:' .. c.exec, linked(c.exec, '', {format('0,%d,,', now) .. c.event}))
  call('HSET', frame_key(c.exec, ''), 'body', c.body, 'ph', 'enter', 'ep', 0, 'prev', 1, 'rev', 1)
  if c.due ~= '' then call('ZADD', TIMERS, c.due, c.exec .. '::0:execution') end
  ready(c.exec, '', now)
  if awaited then notice('C' .. c.exec) end -- whoever waited may have stopped
end

-- Writes a step (see model.Step): history, frame, timers, forks, the end.  Used by create.lua and commit.lua.
-- A step arrives as ARGV[at...]: body, phase, epoch, place of the Entered event, number of events,
-- (previous, record) per event, then commands: a word and its arguments.

-- Forget frames with all that belongs to them, descendants included.  `f`: what is known of the last of them.
local function drop_frames(exec, frames, now, f)
  while #frames > 0 do
    local frame = table.remove(frames)
    local key, member = frame_key(exec, frame), exec .. ':' .. frame
    f = f or call('HMGET', key, 'tm', 'fk', 'aq', 'ep', 'mr', 'jb', 'dl')
    disarm(exec, frame, f[1])
    for epoch in string.gmatch(f[5] or '', '(%d+),') do close_run(exec, frame, epoch, 'ABORTED', now) end
    if f[6] and f[6] ~= '' then notice('C' .. f[6]) end
    if f[7] then unbury(exec, frame) end
    for epoch in string.gmatch(f[2] or '', '(%d+),') do drop_fork(exec, frame, epoch, frames) end
    if f[3] and f[3] ~= '' then call('ZREM', P .. 'a:' .. f[3], member .. ':' .. f[4]) end
    dequeue(exec, frame)
    call('ZREM', LEASES, member)
    call('UNLINK', key, inbox_key(exec, frame))
    f = nil
  end
end

-- Children `first` to `last` - 1 of a fork, ready to run; their first events follow event `origin`.
local function spawn(exec, parent, epoch, first, last, origin, now)
  local waiting = false
  for index = first, last - 1 do
    call('SADD', fork_key('o', exec, parent, epoch), index)
    waiting = beget(exec, parent .. '/' .. epoch .. '.' .. format('%d', index), origin, now) or waiting
  end
  if waiting then ring() end
end

-- Tell the parent, once, that its children came to an end.  (One without children holds its lease yet.)
local function joined(exec, parent, epoch, prev, now, childless)
  call('HSET', frame_key(exec, parent), 'prev', prev)
  call('RPUSH', inbox_key(exec, parent), 'J' .. epoch)
  if childless then ready(exec, parent, now) else wake(exec, parent, now) end
end

-- Appends events.  An event follows the frame's last one that is not a side event, unless it says otherwise; its
-- first argument is 's' for a side event, then the event id it follows and '@' with the time it happened, if given.
-- `tail` is the record before it, '' if there is none: no event is earlier than that.
-- Answers the ids of the last event and of the last one that is not a side event.
local function append(exec, at, count, base, prev, now, tail)
  local latest, last, main, records = tonumber(match(tail, '^%d+,(%d+),') or 0), prev, prev, {}
  for i = 1, count do
    local side, follows, time = '', '', ''
    if ARGV[at] ~= '' then side, follows, time = match(ARGV[at], '^(s?)(%d*)@?(%d*)$') end
    time = math.max(latest, time ~= '' and math.min(tonumber(time), now) or now)
    records[#records + 1] = format('%d,%d,,', follows ~= '' and follows or main, time) .. ARGV[at + 1]
    last, at = base + i, at + 2
    if side == '' then main = last end
    if #records == 500 or i == count then
      tail = linked(exec, tail, records)
      call('RPUSH', P .. 'h:' .. exec, unpack(records))
      records = {}
    end
  end
  return last, main, at
end

-- A child ends: keep its result, then close the join or let the next children in.
-- What follows what is as AWS has it (model.HistoryEvent, `side`).
local function finish(exec, frame, now, last, main, c, known)
  local parent, epoch, index = lineage(frame)
  local join = fork_key('j', exec, parent, epoch)
  local j = call('HMGET', join, 'next', 'left', 'failed', 'length', 'window', 'tolerance', 'map', 'origin')
  local upcoming, left, failures = tonumber(j[1]), tonumber(j[2]) - 1, tonumber(j[3])
  local length = tonumber(j[4])
  if c.failed == '1' then failures = failures + 1 end
  call('HSET', fork_key('r', exec, parent, epoch), index, c.result)
  call('SREM', fork_key('o', exec, parent, epoch), index)
  drop_frames(exec, {frame}, now, known)
  if failures > tonumber(j[6]) then
    call('HSET', join, 'left', left, 'failed', failures, 'open', 0, 'index', index, 'error', c.error, 'cause', c.cause)
    joined(exec, parent, epoch, main, now)
  elseif left == 0 then
    call('HSET', join, 'left', 0, 'failed', failures, 'open', 0)
    joined(exec, parent, epoch, last, now)
  else
    local room = tonumber(j[5]) - (upcoming - (length - left))
    local stop = math.min(length, upcoming + math.max(0, math.min(room, 500)))
    call('HSET', join, 'left', left, 'failed', failures, 'next', stop)
    spawn(exec, parent, epoch, upcoming, stop, j[7] == '1' and main or tonumber(j[8]), now)
  end
end

local function fork(exec, frame, now, origin, c)
  local length, window = tonumber(c.length), math.max(1, tonumber(c.window))
  local stop = math.min(length, window, 500)
  call('HSET', fork_key('j', exec, frame, c.epoch), 'next', stop, 'left', length, 'failed', 0, 'length', length,
    'window', window, 'tolerance', c.tolerance, 'map', c.map, 'origin', origin, 'body', c.body,
    'open', length > 0 and 1 or 0)
  spawn(exec, frame, c.epoch, 0, stop, origin, now)
  if length == 0 then joined(exec, frame, c.epoch, origin, now, true) end
end

-- The execution is over: only its header, its history, its payloads and its place in the indexes stay.  The header
-- keeps what identifies the last commits, so that a repetition of them is still answered.
local function finale(exec, now, c, commit, holder, known, successor)
  local x = P .. 'x:' .. exec
  local h = call('HMGET', x, 'mn', 't0', 'ix', 'up', 'head', 'ex')
  local ended = c.at ~= '' and c.at or now
  for _, word in ipairs(holder) do commit[#commit + 1] = word end
  call('HSET', x, 'st', c.status, 't1', ended, 'output', c.output, 'error', c.error, 'cause', c.cause, unpack(commit))
  local child = run_of(h[4])
  if child and h[6] == '1' then -- nothing of an EXPRESS child stays but its result
    call('ZREM', P .. 'e:' .. h[3] .. ':RUNNING', exec)
  else
    for _, index in ipairs(indexes(h[1], h[3])) do
      call('ZREM', P .. 'e:' .. index .. ':RUNNING', exec)
      call('ZADD', P .. 'e:' .. index .. ':' .. c.status, h[2], exec)
    end
    call('ZADD', P .. 'done', ended, exec)
  end
  call('ZREM', TIMERS, exec .. '::0:execution')
  drop_frames(exec, {''}, now, known)
  if child then
    child_ended(h[4], exec, now, h[2], h[5], c)
    if h[6] == '1' then call('UNLINK', x, P .. 'h:' .. exec, P .. 'p:' .. exec) end
  elseif successor then
    succeed(exec, h[1], h[4], successor, now)
  elseif match(h[4] or '', '^awaited') then
    notice('E' .. exec)
  end
  call('PUBLISH', 'sw:end', exec)
end

-- The arguments of each command.
local SHAPES = {
  timer = {'kind', 'due', 'delay'},
  activity = {'name'},
  fork = {'epoch', 'length', 'window', 'tolerance', 'map', 'body'},
  finish = {'failed', 'result', 'error', 'cause'},
  ['end'] = {'status', 'output', 'error', 'cause', 'at'},
  successor = {'exec', 'arn', 'started', 'head', 'body', 'event', 'due', 'payload'},
  drop = {'frame'},
  close = {'epoch'},
  job = {'child'},
  maprun = {'epoch', 'uuid', 'window', 'count', 'percentage', 'most', 'body'},
  endrun = {'epoch', 'status'},
  keep = {},
}

-- The commands from ARGV[at] on, by word.
local function read_commands(at)
  local commands = {}
  while at <= #ARGV do
    local word, c = ARGV[at], {}
    for i, name in ipairs(SHAPES[word]) do c[name] = ARGV[at + i] end
    commands[word] = commands[word] or {}
    table.insert(commands[word], c)
    at = at + 1 + #SHAPES[word]
  end
  return commands
end

-- Drops the frames and forks that are over; answers with the frame's forks that remain.
local function forget(exec, frame, forks, dropped, closed, now)
  local gone = {}
  for _, c in ipairs(dropped) do
    local parent, of, index = lineage(c.frame)
    call('SREM', fork_key('o', exec, parent, of), index)
    gone[#gone + 1] = c.frame
  end
  for _, c in ipairs(closed) do
    drop_fork(exec, frame, c.epoch, gone)
    forks = string.sub((string.gsub(',' .. forks, ',' .. c.epoch .. ',', ',', 1)), 2)
  end
  drop_frames(exec, gone, now)
  return forks
end

-- Arms the step's timers and answers with what to remember: the timers listed, and ms of the heartbeat timer.
local function arm(exec, frame, epoch, timers, now, listed, heartbeat)
  for _, c in ipairs(timers) do
    local due = c.due ~= '' and tonumber(c.due) or now + tonumber(c.delay)
    if c.kind == 'execution' then
      call('ZADD', TIMERS, due, exec .. '::0:execution')
      call('HSET', P .. 'x:' .. exec, 'td', format('%d', due))
    else
      call('ZADD', TIMERS, due, exec .. ':' .. frame .. ':' .. epoch .. ':' .. c.kind)
      listed = unlisted(listed, epoch, c.kind) .. format('%s:%s@%d,', epoch, c.kind, due)
      if c.kind == 'heartbeat' then heartbeat = c.delay end
    end
  end
  return listed, heartbeat
end

-- Adds a field to those to be written, if it has changed.
local function change(fields, name, value, was)
  if value ~= (was or '') then
    fields[#fields + 1] = name
    fields[#fields + 1] = value
  end
end

-- `old` has the frame's prev, tm, hb, fk, aq, ep, del, jb, mr.  `commit` is {'rev', n, 'cid', id, 'own', owner, 'cr', n,
-- 'cb', n}: what a repetition of the commit is recognised by.
-- Answers false if the frame is gone afterwards.
local function apply(at, exec, frame, now, base, old, commit, holder)
  local body, phase, epoch, place = ARGV[at], ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3])
  local none, last, main = {}
  -- The server's clock may have been set back since the last event: the execution stays where it was, and if that is
  -- not by much, so do the timers that are armed now.
  local tail = base > 0 and call('LINDEX', P .. 'h:' .. exec, -1) or ''
  local latest = tonumber(match(tail, '^%d+,(%d+),') or 0)
  if latest > now and latest - now <= 60000 then now = latest end
  last, main, at = append(exec, at + 5, tonumber(ARGV[at + 4]), base, old.prev, now, tail)
  local commands = read_commands(at)
  local forks = old.fk or ''
  if commands.drop or commands.close then
    forks = forget(exec, frame, forks, commands.drop or none, commands.close or none, now)
  end
  local runs = old.mr or ''
  for _, c in ipairs(commands.endrun or none) do
    close_run(exec, frame, c.epoch, c.status, now)
    runs = string.sub((string.gsub(',' .. runs, ',' .. c.epoch .. ',', ',', 1)), 2)
  end
  if runs ~= (old.mr or '') then call('HSET', frame_key(exec, frame), 'mr', runs) end
  local known = {old.tm, forks, old.aq, old.ep, runs, old.jb}
  if commands['end'] then
    finale(exec, now, commands['end'][1], commit, holder, known, commands.successor and commands.successor[1])
    return false
  end
  if commands.finish then
    finish(exec, frame, now, last, main, commands.finish[1], known)
    return false
  end
  local timers, heartbeat, activity, job = old.tm or '', old.hb or '', old.aq or '', old.jb or ''
  if not commands.keep then
    disarm(exec, frame, timers)
    if activity ~= '' then call('ZREM', P .. 'a:' .. activity, exec .. ':' .. frame .. ':' .. old.ep) end
    -- The order is left without its answer (see signal.lua): nobody waits for the nested execution any more.
    if job ~= '' then notice('C' .. job) end
    timers, heartbeat, activity, job = '', '', '', ''
  end
  timers, heartbeat = arm(exec, frame, epoch, commands.timer or none, now, timers, heartbeat)
  for _, c in ipairs(commands.activity or none) do
    activity = c.name
    call('ZADD', P .. 'a:' .. activity, now, exec .. ':' .. frame .. ':' .. epoch)
    call('SADD', P .. 'a', activity)
    ring()
  end
  for _, c in ipairs(commands.job or none) do job = c.child end
  for _, c in ipairs(commands.maprun or none) do
    open_run(exec, frame, now, c)
    runs = runs .. c.epoch .. ','
  end
  for _, c in ipairs(commands.fork or none) do
    fork(exec, frame, now, main, c)
    if not string.find(',' .. forks, ',' .. c.epoch .. ',', 1, true) then forks = forks .. c.epoch .. ',' end
  end
  local fields = {'body', body, 'ph', phase, 'ep', epoch, 'prev', main, unpack(commit)}
  change(fields, 'tm', timers, old.tm)
  change(fields, 'hb', heartbeat, old.hb)
  change(fields, 'aq', activity, old.aq)
  change(fields, 'fk', forks, old.fk)
  change(fields, 'jb', job, old.jb)
  if commands.maprun then change(fields, 'mr', runs, '') end
  change(fields, 'del', '0', old.del or '0')
  if place > 0 then change(fields, 'entered', format('%d', base + place)) end
  call('HSET', frame_key(exec, frame), unpack(fields))
  return true
end

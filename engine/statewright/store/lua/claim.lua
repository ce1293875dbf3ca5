-- claim: lapsed leases and due timers to ready, then lease ready frames, those that wait longest first.
-- ARGV: now, owner, lease ms, limit, patience ms (what has not waited for so long is left to others), state machines to
-- serve (none: all).
-- Answers {now, next due or false, notices, what the owner is known to have been told, frame...} (see deliver.lua).
local now, owner, limit = clock(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local deadline, moved = now + tonumber(ARGV[3]), {}
local since = now - tonumber(ARGV[5])

for _, member in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', since, 'LIMIT', 0, 100)) do
  call('ZREM', LEASES, member)
  local exec, frame = match(member, '^([^:]*):(.*)$')
  enqueue(exec, frame, since)
  moved[member] = true
end

-- Of very many timers no more than are likely to be leased: the others would only stand in line, in front of whatever
-- becomes ready meanwhile.
local most = math.max(10, math.min(limit, 100))
for _, timer in ipairs(call('ZRANGEBYSCORE', TIMERS, '-inf', since, 'LIMIT', 0, most)) do
  call('ZREM', TIMERS, timer)
  local exec, frame, epoch, kind = match(timer, '^([^:]*):([^:]*):(%d+):(%a+)$')
  local f = call('HMGET', frame_key(exec, frame), 'rev', 'tm')
  if f[1] then
    if kind ~= 'execution' then
      call('HSET', frame_key(exec, frame), 'tm', unlisted(f[2] or '', epoch, kind))
    end
    call('RPUSH', inbox_key(exec, frame), 'T' .. epoch .. ':' .. kind)
    enqueue(exec, frame, since)
    moved[exec .. ':' .. frame] = true
  end
end

-- The state machines to serve; of very many with work to do, some at a time.
local machines, waiting = {unpack(ARGV, 6)}, {}
if #machines == 0 then machines = call('SRANDMEMBER', P .. 'q', 100) end
for _, machine in ipairs(machines) do
  local members = call('ZRANGEBYSCORE', queue(machine), '-inf', since, 'WITHSCORES', 'LIMIT', 0, limit)
  for i = 1, #members, 2 do
    waiting[#waiting + 1] = {since = tonumber(members[i + 1]), place = #waiting, machine = machine, member = members[i]}
  end
end
table.sort(waiting, function(a, b) return a.since < b.since or (a.since == b.since and a.place < b.place) end)

local answer = {now, false, call('LLEN', P .. 'n'), 0}
for i = 1, math.min(limit, #waiting) do
  local member = waiting[i].member
  local exec, frame = match(member, '^([^:]*):(.*)$')
  local delivered = deliver(exec, frame, owner, deadline)
  answer[#answer + 1] = delivered
  if not delivered then unqueue(waiting[i].machine, member) end -- its execution may not say any more where it was
  moved[member] = nil
end

answer[4] = #answer > 4 and witness(owner) or tonumber(call('HGET', P .. 'w', owner) or 0)

-- When to look again: whatever comes first of what is left.
local function due(zset)
  local first = tonumber(call('ZRANGE', zset, 0, 0, 'WITHSCORES')[2])
  if first and (not answer[2] or first < answer[2]) then answer[2] = first end
end
due(LEASES)
due(TIMERS)
for _, machine in ipairs(machines) do due(queue(machine)) end
if next(moved) then ring() end -- somebody else may serve them
return answer

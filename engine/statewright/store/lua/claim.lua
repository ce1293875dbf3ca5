-- claim: lapsed leases and due timers to ready (at most 100 each), then lease ready frames.
-- ARGV: now, owner, lease ms, limit, state machines to serve (none: all).  Answers {now, next due or false, frame...} (see deliver.lua).
local now, owner, limit = clock(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local deadline, rung = now + tonumber(ARGV[3]), false

for _, member in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', now, 'LIMIT', 0, 100)) do
  call('ZREM', LEASES, member)
  call('ZADD', READY, 'NX', now, member)
  rung = true
end

for _, timer in ipairs(call('ZRANGEBYSCORE', TIMERS, '-inf', now, 'LIMIT', 0, 100)) do
  call('ZREM', TIMERS, timer)
  local exec, frame, epoch, kind = match(timer, '^([^:]*):([^:]*):(%d+):(%a+)$')
  local f = call('HMGET', frame_key(exec, frame), 'rev', 'tm')
  if f[1] then
    if kind ~= 'execution' then
      call('HSET', frame_key(exec, frame), 'tm', (string.gsub(f[2] or '', epoch .. ':' .. kind .. ',', '')))
    end
    call('RPUSH', inbox_key(exec, frame), 'T' .. epoch .. ':' .. kind)
    call('ZADD', READY, 'NX', now, exec .. ':' .. frame)
    rung = true
  end
end

local served
for i = 5, #ARGV do served = served or {}; served[ARGV[i]] = true end

-- Frames of state machines that are not served stay where they are, for others.
local function serves(exec)
  local machine = served and call('HGET', P .. 'x:' .. exec, 'mn')
  return not machine or served[machine]
end

local answer, looked_at, passed = {now, false}, 0, 0
while #answer - 2 < limit and looked_at < limit + 500 do
  local members = call('ZRANGEBYSCORE', READY, '-inf', now, 'LIMIT', passed, math.min(100, limit - #answer + 2))
  if #members == 0 then break end
  looked_at = looked_at + #members
  for _, member in ipairs(members) do
    local exec, frame = match(member, '^([^:]*):(.*)$')
    if serves(exec) then answer[#answer + 1] = deliver(exec, frame, owner, deadline) else passed = passed + 1 end
  end
end

if passed > 0 and #answer - 2 >= limit then answer[2] = now end
for _, queue in ipairs({passed == 0 and READY or LEASES, LEASES, TIMERS}) do
  local first = call('ZRANGE', queue, 0, 0, 'WITHSCORES')
  if first[2] and (not answer[2] or tonumber(first[2]) < answer[2]) then answer[2] = tonumber(first[2]) end
end
if rung and answer[2] and answer[2] <= now then call('PUBLISH', 'sw:bell', match(P, '%d+')) end
return answer

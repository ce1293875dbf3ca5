-- inspect: what is kept of an execution at one moment, but for payloads and for events beyond the first ones.  Reads only.
-- ARGV: exec, number of events.  Answers nil, or {header, length, events, payloads, places in the indexes, places in `done`
-- and `z`, frame...}: for a frame its id, its hash, its timers (time; false if it is not the one that was set), entries in
-- its inbox, since when it is a dead letter or false, and for each of its forks {epoch, join record, children with results,
-- open children}.
local exec = ARGV[1]
local x = P .. 'x:' .. exec
local h = call('HMGET', x, 'st', 'mn', 'ix')
if not h[1] then return nil end
local answer = {call('HGETALL', x), call('LLEN', P .. 'h:' .. exec),
  call('LRANGE', P .. 'h:' .. exec, 0, tonumber(ARGV[2]) - 1), call('HLEN', P .. 'p:' .. exec), {},
  {call('ZSCORE', P .. 'done', exec), call('ZSCORE', P .. 'z', exec)}}
for i, index in ipairs(indexes(h[2] or '', h[3])) do
  answer[5][i] = call('ZSCORE', P .. 'e:' .. index .. ':' .. h[1], exec)
end
local stack = {h[1] == 'RUNNING' and '' or nil}
while #stack > 0 do
  local frame = table.remove(stack)
  local key = frame_key(exec, frame)
  local f, timers, forks = call('HMGET', key, 'tm', 'fk'), {}, {}
  for timer, kind, due in string.gmatch(f[1] or '', '(%d+:(%a+))@(%d+),') do
    local set = call('ZSCORE', TIMERS, exec .. ':' .. frame .. ':' .. timer)
    timers[#timers + 1] = set and (kind == 'heartbeat' or tonumber(set) == tonumber(due)) and set -- heartbeats put it off
  end
  for epoch in string.gmatch(f[2] or '', '(%d+),') do
    local open = call('SMEMBERS', fork_key('o', exec, frame, epoch))
    forks[#forks + 1] = {epoch, call('HGETALL', fork_key('j', exec, frame, epoch)),
      call('HKEYS', fork_key('r', exec, frame, epoch)), open}
    for _, index in ipairs(open) do stack[#stack + 1] = frame .. '/' .. epoch .. '.' .. index end
  end
  answer[#answer + 1] = {frame, call('HGETALL', key), timers, call('LLEN', inbox_key(exec, frame)),
    call('ZSCORE', P .. 'dl', exec .. ':' .. frame), forks}
end
return answer

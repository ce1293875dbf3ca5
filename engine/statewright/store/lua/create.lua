-- create: an execution with its first history and its root frame.
-- ARGV: exec, now, nonce, digest, owner, lease ms, start time as the caller counted on, header, machine name, payloads,
-- step...
-- Answers {outcome, started at, now, history length}.
local exec, now, nonce, digest, owner = ARGV[1], clock(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local x, f, started, machine = P .. 'x:' .. exec, frame_key(exec, ''), tonumber(ARGV[7]), ARGV[9]
local known = call('HMGET', x, 'dg', 'st', 't0', 'nonce')
if known[1] then
  if known[4] == nonce then return {'OK', tonumber(known[3]), now, tonumber(call('HGET', x, 'n0'))} end
  return {known[1] == digest and known[2] == 'RUNNING' and 'DUP' or 'EXISTS', tonumber(known[3]), now, 0}
end
-- The step may show the start time to the definition, so it cannot be changed here any more.
if math.abs(now - started) > 1000 then return {'CLOCK', now, now, 0} end
local at = keep_payloads(exec, 10)
local phase, count = ARGV[at + 1], tonumber(ARGV[at + 4])
call('HSET', x, 'head', ARGV[8], 'mn', machine, 'dg', digest, 'st', 'RUNNING', 't0', started, 'nonce', nonce, 'n0', count)
call('ZADD', P .. 'e::RUNNING', started, exec)
call('ZADD', P .. 'e:' .. machine .. ':RUNNING', started, exec)
local holder = {'own', owner, 'cr', 1}
if apply(at, exec, '', now, 0, {prev = 0}, {'rev', 1, 'cid', nonce, 'cb', 0}, holder) then
  call('HSET', f, unpack(holder))
  if phase == 'enter' or phase == 'task' then
    if owner ~= '' then call('ZADD', LEASES, now + tonumber(ARGV[6]), exec .. ':') else ready(exec, '', now) end
  end
end
return {'OK', started, now, count}

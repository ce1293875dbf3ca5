-- create: an execution with its first history and its root frame.
-- ARGV: exec, now, nonce, digest, owner, lease ms, start time as the caller counted on, header, machine name, link or '',
-- map run it is listed under or '', 1 if nothing of it is to stay, payloads, step...
-- Answers {outcome, started at, now, history length}.
local exec, now, nonce, digest, owner = ARGV[1], clock(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local x, f, started, machine, link = P .. 'x:' .. exec, frame_key(exec, ''), tonumber(ARGV[7]), ARGV[9], ARGV[10]
local known = call('HMGET', x, 'dg', 'st', 't0', 'nonce', 'up')
if known[1] then
  if known[4] == nonce then return {'OK', tonumber(known[3]), now, tonumber(call('HGET', x, 'n0'))} end
  -- Only whom its link names is told of its end: nobody else may wait for it.
  local same = known[1] == digest and known[2] == 'RUNNING' and not match(link, '^awaited')
    or link ~= '' and known[5] == link
  -- Whoever orders it once more has lost the answer, too.
  local last = last_of(exec)
  if known[5] == link and match(link, '^awaited') and call('HGET', P .. 'x:' .. last, 'st') ~= 'RUNNING' then
    notice('E' .. last)
  end
  return {same and 'DUP' or 'EXISTS', tonumber(known[3]), now, 0}
end
-- The step may show the start time to the definition, so it cannot be changed here any more.  It may be past: a server
-- that is slow, or was away, gets the call late.
if started > now + 1000 or started < now - 60000 then return {'CLOCK', now, now, 0} end
if run_of(link) then
  local begins = child_begins(link, exec)
  if not begins then return {begins == false and 'CLOSED' or 'DUP', started, now, 0} end
end
if owner ~= '' then call('HEXISTS', P .. 'w', owner) end -- fails now if it cannot be counted below
local at = keep_payloads(exec, 13)
local phase, count = ARGV[at + 1], tonumber(ARGV[at + 4])
call('HSET', x, 'head', ARGV[8], 'mn', machine, 'dg', digest, 'st', 'RUNNING', 't0', started, 'nonce', nonce, 'n0', count)
if owner ~= '' then witness(owner) end
if link ~= '' then call('HSET', x, 'up', link, 'ix', ARGV[11], 'ex', ARGV[12]) end
for _, index in ipairs(indexes(machine, ARGV[11])) do call('ZADD', P .. 'e:' .. index .. ':RUNNING', started, exec) end
local holder = {'own', owner, 'cr', 1}
if apply(at, exec, '', now, 0, {prev = 0}, {'rev', 1, 'cid', nonce, 'cb', 0}, holder) then
  call('HSET', f, unpack(holder))
  if phase == 'enter' or phase == 'task' or phase == 'map_run' then
    if owner ~= '' then call('ZADD', LEASES, now + tonumber(ARGV[6]), exec .. ':') else ready(exec, '', now) end
  end
end
-- Its parent may have stopped waiting before this call arrived.
if match(link, '^awaited') then notice('C' .. exec) end
return {'OK', started, now, count}

-- create: an execution with its first history and its root frame.
-- ARGV: exec, now, nonce, digest, owner, lease ms, header, machine name, step...
-- Answers {outcome, started at, now, history length}.
local exec, now, nonce, digest, owner = ARGV[1], clock(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local x, f = P .. 'x:' .. exec, frame_key(exec, '')
local known = call('HMGET', x, 'dg', 'st', 't0', 'nonce')
if known[1] then
  if known[4] == nonce then return {'OK', tonumber(known[3]), now, tonumber(call('HGET', x, 'n0'))} end
  return {known[1] == digest and known[2] == 'RUNNING' and 'DUP' or 'EXISTS', tonumber(known[3]), now, 0}
end
call('HSET', x, 'head', ARGV[7], 'mn', ARGV[8], 'dg', digest, 'st', 'RUNNING', 't0', now, 'nonce', nonce,
  'n0', ARGV[13])
call('ZADD', P .. 'e::RUNNING', now, exec)
call('ZADD', P .. 'e:' .. ARGV[8] .. ':RUNNING', now, exec)
if apply(9, exec, '', now, 0, {prev = 0}, {'rev', 1, 'cid', nonce, 'own', owner, 'cr', 1, 'cb', 0}) then
  if owner ~= '' then call('ZADD', LEASES, now + tonumber(ARGV[6]), exec .. ':') else ready(exec, '', now) end
end
return {'OK', now, now, tonumber(ARGV[13])}

-- bury: put a frame aside that its owner cannot get on with; its timers and whatever else happens to it still wake it.
-- ARGV: exec, frame, now, owner, deliveries, reason, entries of its inbox that were tried.
-- Answers 1, or 0 if it is not the owner's any more, or is to be tried once more with what came meanwhile.
local exec, frame, now, tried = ARGV[1], ARGV[2], clock(ARGV[3]), number(ARGV[7])
local key, member = frame_key(exec, frame), exec .. ':' .. frame
local f = call('HMGET', key, 'own', 'dl')
if f[1] ~= ARGV[4] or not running(exec) or not lineage_open(exec, frame) then return 0 end
if call('LLEN', inbox_key(exec, frame)) > tried and tried < 100 then
  call('ZREM', LEASES, member)
  ready(exec, frame, now)
  return 0
end
call('HSET', key, 'dl', ARGV[5] .. ',' .. ARGV[6])
if not f[2] then
  call('ZADD', P .. 'dl', now, member)
  call('HINCRBY', P .. 'x:' .. exec, 'dn', 1)
end
call('ZREM', LEASES, member)
dequeue(exec, frame)
return 1

-- put_machine: create or update a state machine.  KEYS[1]: its record.
-- ARGV: now, name, arn, hash, definition, type, role.
-- Only a changed definition makes a new revision.
local key = KEYS[1]
local now = clock(ARGV[1])
if #ARGV ~= 7 then error('not as many arguments as there should be') end
local known = call('HMGET', key, 'hash', 'rev', 'created')
local rev, created = tonumber(known[2] or 0), known[3] or now
if known[1] ~= ARGV[4] then rev = rev + 1 end
call('SADD', P .. 'machines', ARGV[2]) -- first: the others cannot fail
if known[1] and known[1] ~= ARGV[4] then call('ZADD', P .. 'old', now, known[1]) end
call('SETNX', P .. 'd:' .. ARGV[4], ARGV[5])
call('HSET', key, 'name', ARGV[2], 'arn', ARGV[3], 'hash', ARGV[4], 'type', ARGV[6], 'role', ARGV[7],
  'created', created, 'rev', rev)
return {tonumber(created), rev}

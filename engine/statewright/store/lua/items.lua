-- items: a part of the items of a fork that the next commit of this frame makes; fenced like that commit.
-- ARGV: exec, frame, revision, owner, epoch, payloads, (field, value)...
local exec, frame, epoch = ARGV[1], ARGV[2], ARGV[5]
local key = frame_key(exec, frame)
local f = call('HMGET', key, 'rev', 'own', 'fk')
if f[1] ~= ARGV[3] or f[2] ~= ARGV[4] or not running(exec) or not lineage_open(exec, frame) then return 0 end
if not string.find(',' .. (f[3] or ''), ',' .. epoch .. ',', 1, true) then
  call('HSET', key, 'fk', (f[3] or '') .. epoch .. ',')
end
call('HSET', fork_key('i', exec, frame, epoch), unpack(ARGV, keep_payloads(exec, 6)))
return 1

-- items: a part of the items of a fork that the next commit of this frame makes; fenced like that commit.
-- ARGV: exec, frame, revision, owner, epoch, payloads, (field, value)...
local exec, frame, epoch = ARGV[1], ARGV[2], ARGV[5]
local key = frame_key(exec, frame)
local fields = #ARGV - 6 - 2 * number(ARGV[6])
if fields < 2 or fields % 2 ~= 0 then error('fields without values') end
local f = call('HMGET', key, 'rev', 'own', 'fk')
if f[1] ~= ARGV[3] or f[2] ~= ARGV[4] or not running(exec) or not lineage_open(exec, frame) then return 0 end
call('HLEN', fork_key('i', exec, frame, epoch)) -- fails here, if at all
if not string.find(',' .. (f[3] or ''), ',' .. epoch .. ',', 1, true) then
  call('HSET', key, 'fk', (f[3] or '') .. epoch .. ',')
end
call('HSET', fork_key('i', exec, frame, epoch), unpack(ARGV, keep_payloads(exec, 6)))
return 1

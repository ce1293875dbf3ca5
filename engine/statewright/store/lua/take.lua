-- take: hand one waiting activity task to a worker.  ARGV: queue entry, now, worker, nonce.
-- Answers the frame's body, or nil if the task is no longer there.
local entry, now, worker, nonce = ARGV[1], clock(ARGV[2]), ARGV[3], ARGV[4]
if not nonce then error('not as many arguments as there should be') end
local exec, frame, epoch = match(entry, '^([^:]*):([^:]*):(%d+)$')
local key = frame_key(exec, frame)
local f = call('HMGET', key, 'ph', 'ep', 'body', 'tk')
if f[4] == nonce and f[2] == epoch then return f[3] end
probe(exec, frame)
if call('ZREM', KEYS[1], entry) == 0 then return false end
if f[1] ~= 'task' or f[2] ~= epoch or not running(exec) or not lineage_open(exec, frame) then return false end
if overdue(exec, frame, epoch, now) then return false end
call('HSET', key, 'tk', nonce, 'aq', '')
call('RPUSH', inbox_key(exec, frame), 'K' .. epoch .. ':' .. worker)
ready(exec, frame, now)
return f[3]

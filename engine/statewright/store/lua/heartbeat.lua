-- heartbeat: start the heartbeat timer of an open task anew.  ARGV: exec, frame, now, epoch, ms or ''.
local exec, frame, now, epoch = ARGV[1], ARGV[2], clock(ARGV[3]), ARGV[4]
local status = call('HGET', P .. 'x:' .. exec, 'st')
if not status then return {'MISSING', now} end
local f = call('HMGET', frame_key(exec, frame), 'ph', 'ep', 'hb', 'ans')
local open = status == 'RUNNING' and f[1] == 'task' and f[2] == epoch and lineage_open(exec, frame)
if not open or match(f[4] or '', '^(%d+):') == epoch then return {'STALE', now} end
if overdue(exec, frame, epoch, now) then return {'STALE', now} end
if not f[3] or f[3] == '' then return {'OK', now} end
local after = number(ARGV[5] ~= '' and ARGV[5] or f[3])
call('ZADD', TIMERS, now + after, exec .. ':' .. frame .. ':' .. epoch .. ':heartbeat')
return {'OK', now}

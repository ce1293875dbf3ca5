-- signal: an entry for a frame's inbox.  ARGV: exec, frame, now, kind, epoch, entry, digest, worker, nonce, payloads.
-- Signals about a task are taken only while that task is open, and only one answer each; one from outside (of no worker)
-- only while there is time, so that nobody is told that an answer was taken which then counts for nothing.
local exec, frame, now, kind, epoch = ARGV[1], ARGV[2], clock(ARGV[3]), ARGV[4], ARGV[5]
local digest, nonce = ARGV[7], ARGV[9]
local status = call('HGET', P .. 'x:' .. exec, 'st')
if not status then return {'MISSING', now} end
local key = frame_key(exec, frame)
local f = call('HMGET', key, 'rev', 'ph', 'ep', 'ans', 'sn')
if status ~= 'RUNNING' or not f[1] then return {'STALE', now} end
if f[5] == nonce then return {'OK', now} end
local about_task = kind == 'answer' or kind == 'submitted' or kind == 'taken'
if about_task then
  local answered, by = match(f[4] or '', '^(%d+):(.*)$')
  if answered == epoch then return {kind == 'answer' and by == digest and 'DUP' or 'STALE', now} end
  if f[2] ~= 'task' or f[3] ~= epoch or not lineage_open(exec, frame) then return {'STALE', now} end
  if ARGV[8] == '' and overdue(exec, frame, epoch, now) then return {'STALE', now} end
end
probe(exec, frame)
keep_payloads(exec, 10)
call('HSET', key, 'sn', nonce)
if kind == 'answer' then call('HSET', key, 'ans', epoch .. ':' .. digest, 'jb', '') end
call('RPUSH', inbox_key(exec, frame), ARGV[6])
ready(exec, frame, now)
return {'OK', now}

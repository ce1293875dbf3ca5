-- task_state: what became of the task a frame ordered at an epoch.  ARGV: exec, frame, epoch, notice.
-- Answers {open | answered | over | ahead, 1 if the notice waits in this shard}.
local exec, frame, epoch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local pending = call('LPOS', P .. 'n', ARGV[4]) and 1 or 0
local status = call('HGET', P .. 'x:' .. exec, 'st')
if status ~= 'RUNNING' then return {status and 'over' or 'ahead', pending} end
local f = call('HMGET', frame_key(exec, frame), 'ph', 'ep', 'ans', 'rev')
-- A frame that is not there has ended, unless one it descends from has not come so far as to begin it.
while not f[4] and frame ~= '' do
  local parent, of, index = lineage(frame)
  f = call('HMGET', frame_key(exec, parent), 'ph', 'ep', 'ans', 'rev')
  if f[4] then
    local at, next = tonumber(f[2] or -1), tonumber(call('HGET', fork_key('j', exec, parent, of), 'next') or 0)
    local begun = at > tonumber(of) or at == tonumber(of) and (f[1] ~= 'join' or tonumber(index) < next)
    return {begun and 'over' or 'ahead', pending}
  end
  frame = parent
end
local at = tonumber(f[2] or -1)
if at < epoch then return {'ahead', pending} end
if at > epoch or f[1] ~= 'task' then return {'over', pending} end
return {match(f[3] or '', '^(%d+):') == ARGV[3] and 'answered' or 'open', pending}

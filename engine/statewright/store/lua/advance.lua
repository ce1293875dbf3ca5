-- advance: what a worker that feeds a map run has done; fenced by its lease of the Map's frame.
-- ARGV: exec, frame, now, owner, epoch, first child begun, first not begun, cursor, items read, 1 if all are read,
-- 1 if the worker stops here until there is room.
-- Answers {outcome, children that run, how many may}.
local exec, frame, now, owner, epoch = ARGV[1], ARGV[2], clock(ARGV[3]), ARGV[4], ARGV[5]
local key = run_key(exec, frame, epoch)
local r = call('HMGET', key, 'open', 'next', 'begun')
if call('HGET', frame_key(exec, frame), 'own') ~= owner or r[1] ~= '1' or not running(exec) then return {'STALE', 0, 0} end
-- Children that were begun may not be any more, if the store has lost something.
if r[2] == ARGV[6] and tonumber(r[3]) >= tonumber(ARGV[7]) then
  call('HSET', key, 'next', ARGV[7], 'cursor', ARGV[8], 'done', ARGV[10])
  call('HINCRBY', key, 'read', ARGV[9])
  call('HSET', frame_key(exec, frame), 'del', 0) -- it gets on: its deliveries count from here
elseif r[2] ~= ARGV[7] then -- else it is the same call again
  return {'STALE', 0, 0}
end
if ARGV[11] == '1' then
  call('HSET', key, 'idle', 1)
  witness(owner)
end
judge_run(exec, frame, epoch, now)
r = call('HMGET', key, 'running', 'window')
return {'OK', tonumber(r[1]), tonumber(r[2])}

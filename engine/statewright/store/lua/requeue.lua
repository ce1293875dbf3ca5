-- requeue: what a sweep found out in Python: a frame that should run and that nobody holds, or `what` was put right.
-- ARGV: exec, frame or '-', revision, now, what.  Answers 1 if it is so still.
local exec, frame = ARGV[1], ARGV[2]
repaired = 0
if frame ~= '-' then
  if call('HGET', frame_key(exec, frame), 'rev') ~= ARGV[3] or not running(exec) or not parked(exec, frame) then return 0 end
  ready(exec, frame, clock(ARGV[4]))
end
count(ARGV[5])
return 1

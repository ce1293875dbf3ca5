-- update_run: other limits for a running map run.  ARGV: exec, frame, now, epoch, (field, value)...
-- Answers 1, or 0 if it is not running.
local exec, frame, now, epoch = ARGV[1], ARGV[2], clock(ARGV[3]), ARGV[4]
local key = run_key(exec, frame, epoch)
if call('HGET', key, 'open') ~= '1' then return 0 end
call('HSET', key, unpack(ARGV, 5))
judge_run(exec, frame, epoch, now)
return 1

-- handed_on: the nested execution that a task waits for has handed over to another one.
-- ARGV: exec, frame, epoch, that other one, its checksum (the order itself names the first one only).
-- Answers 1 if that was not known.
local key = frame_key(ARGV[1], ARGV[2])
local f = call('HMGET', key, 'ph', 'ep', 'jb')
if not ARGV[5] or f[1] ~= 'task' or f[2] ~= ARGV[3] or (f[3] or '') == '' or f[3] == ARGV[4] then return 0 end
call('HSET', key, 'jb', ARGV[4], 'jn', ARGV[5])
return 1

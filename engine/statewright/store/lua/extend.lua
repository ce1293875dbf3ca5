-- extend: new deadlines for leases that are still held.  ARGV: now, owner, lease ms, (exec, frame, revision)...
-- A lapsed lease that nobody took yet is taken back.  Answers 1 or 0 for each.
local now, owner, answer = clock(ARGV[1]), ARGV[2], {}
local deadline = now + number(ARGV[3])
for at = 4, #ARGV, 3 do
  local exec, frame = ARGV[at], ARGV[at + 1]
  local member = exec .. ':' .. frame
  local f = call('HMGET', frame_key(exec, frame), 'rev', 'own')
  local held = f[1] == ARGV[at + 2] and f[2] == owner and running(exec) and lineage_open(exec, frame)
  if held and not call('ZSCORE', LEASES, member) then
    held = call('ZSCORE', queue(machine_of(exec)), member)
    if held and call('LLEN', inbox_key(exec, frame)) == 0 then dequeue(exec, frame) end
  end
  if held then call('ZADD', LEASES, deadline, member) end
  answer[#answer + 1] = held and 1 or 0
end
return answer

-- revive: dead letters of an execution (or one frame of it) are tried again as if they never had been.
-- ARGV: exec, now, frame...  Answers how many.
local exec, now, revived = ARGV[1], clock(ARGV[2]), 0
for at = 3, #ARGV do
  local frame = ARGV[at]
  if running(exec) and unbury(exec, frame) then
    call('HSET', frame_key(exec, frame), 'del', 0)
    ready(exec, frame, now)
    revived = revived + 1
  end
end
return revived

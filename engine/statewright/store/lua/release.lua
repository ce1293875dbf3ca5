-- release: give leased frames back.  ARGV: now, owner, (exec, frame, revision)...
-- A frame that is given back was not tried: its deliveries do not count.
local now, owner = clock(ARGV[1]), ARGV[2]
for at = 3, #ARGV, 3 do
  local exec, frame = ARGV[at], ARGV[at + 1]
  local f = call('HMGET', frame_key(exec, frame), 'rev', 'own', 'del')
  local ours = f[1] == ARGV[at + 2] and f[2] == owner
  if ours then probe(exec, frame) end
  if ours and call('ZREM', LEASES, exec .. ':' .. frame) == 1 then
    call('HSET', frame_key(exec, frame), 'del', math.max(0, tonumber(f[3] or 0) - 1))
    ready(exec, frame, now)
  end
end
return 1

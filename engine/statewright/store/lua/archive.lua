-- archive: what takes room of an ended execution becomes one compressed value.
-- ARGV: exec, when it ended, number of its events, of its payloads, the archive; '' leaves it as it is for good.
-- Answers 1, or 0 if it is not what was read, or not any more.
local exec, BULK = ARGV[1], {head = true, output = true, error = true, cause = true, nx = true}
local x, h, p = P .. 'x:' .. exec, P .. 'h:' .. exec, P .. 'p:' .. exec
local f = call('HMGET', x, 'st', 't1', 'head', 'up')
if not f[3] or f[1] == 'RUNNING' then
  call('ZREM', P .. 'done', exec)
  return 0
end
if f[2] ~= ARGV[2] or call('LLEN', h) ~= tonumber(ARGV[3]) or call('HLEN', p) ~= tonumber(ARGV[4]) then return 0 end
if ARGV[5] ~= '' then
  local kept, fields = {}, call('HGETALL', x)
  for i = 1, #fields, 2 do
    if not BULK[fields[i]] then
      kept[#kept + 1] = fields[i]
      kept[#kept + 1] = fields[i + 1]
    end
  end
  call('SET', P .. 'z:' .. exec, ARGV[5])
  call('UNLINK', x, h, p) -- a hash made anew is small again
  call('HSET', x, unpack(kept))
end
call('ZREM', P .. 'done', exec)
if not run_of(f[4]) then call('ZADD', P .. 'z', f[2], exec) end -- children of map runs go with their parents
return 1

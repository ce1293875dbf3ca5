-- announce: a worker is there, or goes; who else is there.  KEYS[1]: zset of workers (until when).
-- ARGV: now, owner ('': only look), for how many ms it counts as there (0: it goes), what it says of itself.
-- Answers {now, what each of them says...}.
local now, owner, said = clock(ARGV[1]), ARGV[2], P .. 'said'
local gone = call('ZRANGEBYSCORE', KEYS[1], '-inf', now)
if owner ~= '' and ARGV[3] == '0' then
  gone[#gone + 1] = owner
  call('PUBLISH', 'sw:bell', '')
end
for _, each in ipairs(gone) do
  call('ZREM', KEYS[1], each)
  call('HDEL', said, each)
end
if owner ~= '' and ARGV[3] ~= '0' then
  call('ZADD', KEYS[1], now + tonumber(ARGV[3]), owner)
  call('HSET', said, owner, ARGV[4])
end
local answer = {now}
for _, each in ipairs(call('ZRANGE', KEYS[1], 0, -1)) do answer[#answer + 1] = call('HGET', said, each) end
return answer

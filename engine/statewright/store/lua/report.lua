-- report: something about the store that people have to know.  KEYS[1]: the list of such; ARGV: now, kind, shard, since, what.
-- Of what all workers notice at about the same time one entry is kept, for each of many shards.  Answers 1 if this is it.
if call('HEXISTS', P .. 'meta', 'id') == 0 then return 0 end
local now, what = clock(ARGV[1]), ARGV[2] .. ',' .. ARGV[3]
for _, entry in ipairs(call('LRANGE', KEYS[1], 0, -1)) do
  local at, known = match(entry, '^(%d+),(%a+,%d+),')
  if known == what and math.abs(now - tonumber(at)) < 60000 then return 0 end
end
call('RPUSH', KEYS[1], format('%d,%s,%s,%s', now, what, ARGV[4], ARGV[5]))
call('LTRIM', KEYS[1], -1000, -1)
return 1

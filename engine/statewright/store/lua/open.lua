-- open: the store's identity, made once.  KEYS[1]: the meta hash; ARGV: schema, shards, id, secret, name of this library.
-- Answers {schema, shards, id, secret, library...}: libraries with which nobody has opened the store for 30 days.  They may
-- be deleted: a worker that still uses one loads it again.
local key, library, now = KEYS[1], 'library:' .. ARGV[5], clock('')
if call('EXISTS', key) == 0 then
  call('HSET', key, 'schema', ARGV[1], 'shards', ARGV[2], 'id', ARGV[3], 'secret', ARGV[4])
end
local answer = call('HMGET', key, 'schema', 'shards', 'id', 'secret')
if answer[1] ~= ARGV[1] then return answer end -- of another layout: nothing is touched
local day = 24 * 3600 * 1000
if (tonumber(call('HGET', key, library)) or 0) < now - day then
  call('HSET', key, library, now)
  local fields = call('HGETALL', key)
  for i = 1, #fields, 2 do
    local name = match(fields[i], '^library:(.*)$')
    if name and (tonumber(fields[i + 1]) or 0) < now - 30 * day then
      call('HDEL', key, fields[i])
      answer[#answer + 1] = name
    end
  end
end
return answer

-- open: the store's identity, made once.  KEYS[1]: the meta hash; ARGV: schema, shards, id, secret.
if call('EXISTS', KEYS[1]) == 0 then
  call('HSET', KEYS[1], 'schema', ARGV[1], 'shards', ARGV[2], 'id', ARGV[3], 'secret', ARGV[4])
end
return call('HMGET', KEYS[1], 'schema', 'shards', 'id', 'secret')

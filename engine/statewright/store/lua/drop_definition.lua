-- drop_definition: a definition that no execution refers to, if no state machine does, either.
-- KEYS[1]: the zset of those that were replaced; ARGV: hash, until when it must have been.  Answers 1 or 0.
local since = tonumber(call('ZSCORE', KEYS[1], ARGV[1]))
if not since or since > tonumber(ARGV[2]) then return 0 end
for _, name in ipairs(call('SMEMBERS', P .. 'machines')) do
  if call('HGET', P .. 'm:' .. name, 'hash') == ARGV[1] then return 0 end
end
call('UNLINK', P .. 'd:' .. ARGV[1])
call('ZREM', KEYS[1], ARGV[1])
return 1

-- sweep_turn: who goes on through the keys.  KEYS[1]: the place where all workers have come to.
-- ARGV: now, ms between two turns, ms of rest after the last key, cursor of the last turn of the caller or '', where it ended.
-- Answers the store's id and, without a cursor of the caller's, the cursor to go on at, or false if it is not time yet.
local now, place = clock(ARGV[1]), KEYS[1]
local id = call('HGET', P .. 'meta', 'id')
if not id then return {false, false} end -- emptied: it is not for us to begin a new one
local p = call('HMGET', place, 'cursor', 'due')
local cursor = p[1] or '0:0'
if ARGV[4] ~= '' then
  if ARGV[4] == cursor then
    call('HSET', place, 'cursor', ARGV[5], 'due', now + tonumber(ARGV[5] == '0:0' and ARGV[3] or ARGV[2]))
  end
  return {id, false}
end
if not p[2] then
  call('HSET', place, 'cursor', cursor, 'due', now + tonumber(ARGV[2])) -- a new store: nothing to do yet
  return {id, false}
end
-- (After the clock was set back by much, it is time as well.)
if now < tonumber(p[2]) and tonumber(p[2]) - now <= tonumber(ARGV[3]) then return {id, false} end
call('HSET', place, 'due', now + tonumber(ARGV[2])) -- nobody else does the same meanwhile
return {id, cursor}

-- delete: an execution that has ended, with all that belongs to it: first the children of its map runs, some at a time.
-- ARGV: exec, until when it must have ended, how many executions at most.
-- Answers {executions deleted, 1 if it is gone, 0 if there is more to be deleted, -1 if it has to stay}.
local most, deleted, looked = tonumber(ARGV[3]), 0, 0

-- 1: gone, 0: not yet, -1: it has to stay.
local function remove(exec)
  local x = P .. 'x:' .. exec
  local f = call('HMGET', x, 'st', 'mn', 'ix', 'up')
  local last = last_of(exec)
  if f[1] == 'RUNNING' or call('HGET', P .. 'x:' .. last, 'st') == 'RUNNING' then return -1 end
  -- Whoever waits for it has not been told yet.
  if match(f[4] or '', '^awaited') and call('LPOS', P .. 'n', 'E' .. last) then return -1 end
  for _, run in ipairs(call('LRANGE', P .. 'k:' .. exec, 0, -1)) do
    if call('EXISTS', P .. 'e:' .. run .. ':RUNNING') == 1 then return -1 end
    for _, status in ipairs({'SUCCEEDED', 'FAILED', 'TIMED_OUT', 'ABORTED'}) do
      local children = P .. 'e:' .. run .. ':' .. status
      while call('EXISTS', children) == 1 do
        for _, child in ipairs(call('ZRANGE', children, 0, 99)) do
          looked = looked + 1 -- at those that are gone, too
          if deleted >= most or looked > most then return 0 end
          local outcome = remove(child)
          if outcome ~= 1 then return outcome end
          call('ZREM', children, child)
        end
      end
    end
    local place = call('HGET', P .. 'runs', run)
    if place then call('UNLINK', P .. 'u:' .. place, P .. 'r:' .. place, P .. 'o:' .. place) end
    call('HDEL', P .. 'runs', run)
  end
  if deleted >= most then return 0 end
  if f[1] then
    for _, index in ipairs(indexes(f[2], f[3])) do call('ZREM', P .. 'e:' .. index .. ':' .. f[1], exec) end
    deleted = deleted + 1
  end
  call('ZREM', P .. 'done', exec)
  call('ZREM', P .. 'z', exec)
  call('UNLINK', x, P .. 'h:' .. exec, P .. 'p:' .. exec, P .. 'z:' .. exec, P .. 'k:' .. exec)
  return 1
end

local ended = call('HGET', P .. 'x:' .. ARGV[1], 't1')
if ended and tonumber(ended) > tonumber(ARGV[2]) then return {0, -1} end
local outcome = remove(ARGV[1])
-- What has to stay, perhaps for long, stands behind all others that are to be deleted, and not in their way.
if outcome == -1 and call('ZSCORE', P .. 'z', ARGV[1]) then call('ZADD', P .. 'z', ARGV[2] + 1, ARGV[1]) end
return {deleted, outcome}

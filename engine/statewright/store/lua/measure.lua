-- measure: how much there is to do in a shard.  ARGV: now, names of state machines.
-- Answers {now, leases, timers, first timer due or false, notices, dead letters,
-- {state machine, ready frames, since when the first is or false, running executions, ...},
-- {activity, waiting tasks, since when the first does or false, ...}}.
local now, machines, activities, seen = clock(ARGV[1]), {}, {}, {}
local function first(zset) return tonumber(call('ZRANGE', zset, 0, 0, 'WITHSCORES')[2]) or false end
local function add(machine)
  if seen[machine] then return end
  seen[machine] = true
  local n = #machines
  machines[n + 1], machines[n + 2] = machine, call('ZCARD', queue(machine))
  machines[n + 3], machines[n + 4] = first(queue(machine)), call('ZCARD', P .. 'e:' .. machine .. ':RUNNING')
end
for at = 2, #ARGV do add(ARGV[at]) end
for _, machine in ipairs(call('SMEMBERS', P .. 'q')) do add(machine) end
for _, activity in ipairs(call('SMEMBERS', P .. 'a')) do
  local waiting, n = call('ZCARD', P .. 'a:' .. activity), #activities
  if waiting == 0 then call('SREM', P .. 'a', activity) else
    activities[n + 1], activities[n + 2], activities[n + 3] = activity, waiting, first(P .. 'a:' .. activity)
  end
end
return {now, call('ZCARD', LEASES), call('ZCARD', TIMERS), first(TIMERS), call('LLEN', P .. 'n'),
  call('ZCARD', P .. 'dl'), machines, activities}

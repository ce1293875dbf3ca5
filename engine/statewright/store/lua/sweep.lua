-- sweep: look at some of a shard's keys and members, and put right what no script leaves so.
-- ARGV: now, (k, kind, execution, frame or '', epoch or '' | m, kind, name, member, '')...
-- Answers {number of repairs, (exec, frame, revision, nested execution, body) of each task that waits for an answer...}.
local now = clock(ARGV[1])
repaired, open = 0, {}
for at = 2, #ARGV, 5 do
  local kind, one, two, three = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  if ARGV[at] == 'm' then
    examine_member(kind, one, two)
  else
    local depth = ({w = 0, q = 0, a = 0, x = 1, h = 1, p = 1, z = 1, k = 1, f = 2, b = 2})[kind] or 3
    examine[kind](depth > 0 and one or nil, depth > 1 and two or nil, depth > 2 and three or nil, now)
  end
end
return {repaired, unpack(open)}

-- open_frames: descendants of a frame, in tree order.  ARGV: exec, frame.
-- Answers {frame, prev, entered, body or nil, item or nil, key or nil} for each.
local exec, answer, stack = ARGV[1], {}, {ARGV[2]}
while #stack > 0 do
  local frame = table.remove(stack)
  local f = call('HMGET', frame_key(exec, frame), 'prev', 'entered', 'body', 'fk')
  if frame ~= ARGV[2] and f[1] then
    local parent, epoch, index = lineage(frame)
    local item = call('HMGET', fork_key('i', exec, parent, epoch), index, 'k' .. index)
    answer[#answer + 1] = {frame, tonumber(f[1]), tonumber(f[2] or 0), f[3], item[1], item[2]}
  end
  local children = {}
  for epoch in string.gmatch(f[4] or '', '(%d+),') do
    local indexes = call('SMEMBERS', fork_key('o', exec, frame, epoch))
    table.sort(indexes, function(a, b) return tonumber(a) < tonumber(b) end)
    for _, index in ipairs(indexes) do children[#children + 1] = frame .. '/' .. epoch .. '.' .. index end
  end
  for i = #children, 1, -1 do stack[#stack + 1] = children[i] end
end
return answer

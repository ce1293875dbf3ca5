-- nested: how a nested execution stands.  ARGV: exec.
-- Answers {status or false, link, 1 if its end has still to be told}.
local h = call('HMGET', P .. 'x:' .. ARGV[1], 'st', 'up')
return {h[1], h[2] or '', call('LPOS', P .. 'n', 'E' .. ARGV[1]) and 1 or 0}

-- nested: how a nested execution stands, or the last of those that it handed over to.  ARGV: exec.
-- Answers {its id, status or false, link, 1 if its end has still to be told}.
local last = last_of(ARGV[1])
local h = call('HMGET', P .. 'x:' .. last, 'st', 'up')
return {last, h[1], h[2] or '', call('LPOS', P .. 'n', 'E' .. last) and 1 or 0}

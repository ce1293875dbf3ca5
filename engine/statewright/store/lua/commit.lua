-- commit: one step of one frame, all or nothing.
-- ARGV: exec, frame, revision, commit id, owner, now, base if pinned, consumed, keep ms, requeue, epoch of the fork whose
-- items were sent ahead or '', number of their fields, id of the commit this one builds on or '', how many frames more
-- its owner would take on, their lease ms, payloads, step...
-- Answers {outcome, base, now, entries left in the inbox}, for an owner with room also 1 if more became ready than it has
-- room for, and the frames that are its now (see deliver.lua); STALE with the frame's revision for a base, -1 if there is
-- none, -2 if there is no such execution.
local exec, frame, revision, cid, owner = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local now, consumed, keep = clock(ARGV[6]), tonumber(ARGV[8]), number(ARGV[9])
local room, deadline = number(ARGV[14]), now + number(ARGV[15])
local key, inbox, member = frame_key(exec, frame), inbox_key(exec, frame), exec .. ':' .. frame
local stale = {'STALE', -1, now, 0}

local status = status_of(exec)
local ended = status ~= 'RUNNING'
if not status then return {'STALE', -2, now, 0} end
if ended and frame ~= '' then return stale end
local f = call('HMGET', ended and P .. 'x:' .. exec or key,
  'rev', 'cid', 'own', 'cr', 'cb', 'prev', 'tm', 'hb', 'aq', 'fk', 'del', 'ep', 'jb', 'mr')
local rev = tonumber(f[1])
stale[2] = rev or -1
if not rev or f[3] ~= owner then return stale end
-- Since its claim (at revision `cr`) this owner alone has committed: an older revision within that is a repetition.
if revision < rev and revision >= tonumber(f[4]) and (revision < rev - 1 or f[2] == cid) then
  return {'DUP', tonumber(f[5]), now, ended and 0 or call('LLEN', inbox)}
end
if ended or rev ~= revision or not lineage_open(exec, frame) then return stale end
-- Where a commit before this one was refused, the revision may be right by chance: by a commit sent before the claim.
if ARGV[13] ~= '' and ARGV[13] ~= f[2] then return stale end
-- Mail that was delivered to the owner and is not there any more: the store has lost something since.
if consumed > 0 and call('LLEN', inbox) < consumed then return stale end
local base = call('LLEN', P .. 'h:' .. exec)
if ARGV[7] ~= '' and tonumber(ARGV[7]) ~= base then return {'BASE', base, now, 0} end
-- The calls that brought the items may have been refused, though this one is not.
if ARGV[11] ~= '' and call('HLEN', fork_key('i', exec, frame, ARGV[11])) ~= tonumber(ARGV[12]) then
  return {'ITEMS', base, now, 0}
end
local at = keep_payloads(exec, 16)
if not at then return {'NEED', base, now, 0} end

if keep == 0 then witness(owner) end
if consumed > 0 then call('LTRIM', inbox, consumed, -1) end
if room > 0 then TAKER = {owner = owner, deadline = deadline, room = room, rows = {}, more = 0} end

local function answer(waiting)
  if not TAKER then return {'OK', base, now, waiting} end
  return {'OK', base, now, waiting, TAKER.more, unpack(TAKER.rows)}
end

local old = {prev = tonumber(f[6]), tm = f[7], hb = f[8], aq = f[9], fk = f[10], del = f[11], ep = f[12],
  jb = f[13], mr = f[14]}
if not apply(at, exec, frame, now, base, old, {'rev', rev + 1, 'cid', cid, 'cb', base}, {'own', owner, 'cr', f[4]}) then
  return answer(0)
end
if keep < 0 then return answer(0) end -- the lease stays as it is
local waiting = call('LLEN', inbox)
if keep > 0 then
  call('ZADD', LEASES, now + keep, member)
  if waiting == 0 then dequeue(exec, frame) end -- else it was made ready by mail that its owner has not seen
else
  call('ZREM', LEASES, member)
  if waiting > 0 or ARGV[10] == '1' then ready(exec, frame, now) else dequeue(exec, frame) end
end
return answer(waiting)

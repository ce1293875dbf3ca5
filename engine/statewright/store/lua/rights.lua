-- rights: which of the commands the verbs use may not be run by the caller.  ARGV: their names.
local missing = {}
for _, name in ipairs(ARGV) do
  local words = {name, P .. '-', P .. '-', P .. '-'}
  if name == 'TIME' then words = {name} end
  if name == 'PUBLISH' then words = {name, 'sw:bell', '0'} end
  if not redis.acl_check_cmd(unpack(words)) then missing[#missing + 1] = name end
end
return missing

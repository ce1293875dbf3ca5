-- claim_frame: lease one frame whatever its queue entries say.  ARGV: exec, frame, now, owner, lease ms.
return deliver(ARGV[1], ARGV[2], ARGV[4], clock(ARGV[3]) + number(ARGV[5])) or {}

"""Keys in Redis that one holder has at a time, while it keeps saying so: a bot's worker, the balancer that leads a loop.

What nobody of ours wrote, a key that never ends or is of another type, must not keep everybody out for ever.
"""

from __future__ import annotations

# KEYS: the key. ARGV: holder, time to live in ms, longest time to live that it may have in ms. 1: ours now. 0: another has it;
# one that would never end, or not for too long, ends after the time to live.
TAKE = """
local holder = redis.pcall('GET', KEYS[1])
if type(holder) == 'string' and holder ~= ARGV[1] then
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 or left > tonumber(ARGV[3]) then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# KEYS: the key. ARGV: holder. Lets go of it, if it is the holder's.
RELEASE = """
if redis.pcall('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""

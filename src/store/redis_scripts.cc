#include "store/redis_scripts.h"

#include <openssl/evp.h>

#include <array>
#include <span>
#include <utility>

#include "base/digest.h"

namespace sosie::store {
namespace {

std::string sha1_hex(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr);
  return base::to_hex(std::span(digest).first(size));
}

// What the writing scripts share.
constexpr std::string_view kPrelude = R"(
local meta, accounts, priorities, expiries, hits, partitions, scopes = unpack(KEYS)
local name = ARGV[1]
local call = redis.call
-- Of a put or a move, ARGV[3] is the dimension.
local format, held, clock, recounts, index =
  unpack(call('HMGET', meta, 'format', 'bytes', 'clock', 'recounts', 'index:' .. (ARGV[3] or '')))
held, clock, recounts = tonumber(held or 0), tonumber(clock or 0), tonumber(recounts or 0)

local function number(key, field) return tonumber(call('HGET', key, field) or 0) end

local function leave(partition)
  if call('HINCRBY', partitions, partition, -65536) < 65536 then call('HDEL', partitions, partition) end
end

local function join(partition, dimension)
  if call('HINCRBY', partitions, partition, 65536) == 65536 then call('HINCRBY', partitions, partition, dimension) end
end

-- Why a vector cannot be written, if so.
local function refusal(partition, dimension)
  if not format or not index then return {'index'} end
  local beside = number(partitions, partition)
  if beside > 0 and beside % 65536 ~= dimension then return {'dimension', beside % 65536} end
end

-- An entry came to its scope or left it. The sum is below zero, so that the largest scope is the last of all.
local function count(scope, bytes)
  if tonumber(call('ZINCRBY', scopes, bytes, scope)) == 0 then call('ZREM', scopes, scope) end
  if tonumber(call('ZINCRBY', scopes, -bytes, 'all')) == 0 then call('ZREM', scopes, 'all') end
end

-- Whether the entry was there. Its accounts go in any case.
local function remove(id)
  local packed = call('HGET', accounts, id)
  if packed then
    local bytes, worth, sliding, scope, partition, exact, counted, lasts = cmsgpack.unpack(packed)
    call('HDEL', accounts, id)
    call('ZREM', priorities, id)
    if not lasts then call('ZREM', expiries, id) end
    call('HDEL', hits, id)
    held = call('HINCRBY', meta, 'bytes', -bytes)
    call('HINCRBY', meta, 'entries', -1)
    call('SREM', name .. 'exact:' .. exact, id)
    if call('SREM', name .. 'scope:' .. scope, id) == 1 and call('EXISTS', name .. 'scope:' .. scope) == 0 then
      call('HINCRBY', meta, 'scopes', -1)
    end
    if counted == recounts then count(scope, -bytes) end
    if partition ~= '' then leave(partition) end
  end
  return call('UNLINK', name .. 'entry:' .. id)
end

local function expire(now, most, keep)
  local removed = 0
  for _, id in ipairs(call('ZRANGE', expiries, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
    if id ~= keep then
      remove(id)
      removed = removed + 1
    end
  end
  return removed
end

-- The largest scope, if it has more bytes than this, and others are beside it.
local function scope_above(share)
  local scope, bytes = unpack(call('ZRANGE', scopes, 0, 0, 'REV', 'WITHSCORES'))
  return scope and tonumber(bytes) > share and tonumber(bytes) < held and scope
end

-- Of some entries of the scope, drawn by chance: to keep the order within every scope would make each put and hit dearer.
local function least_valuable_of(scope, keep)
  local ids = call('SRANDMEMBER', name .. 'scope:' .. scope, 8)
  local scores, worst = ids[1] and call('ZMSCORE', priorities, unpack(ids)), {}
  for i, id in ipairs(ids) do
    local priority = tonumber(scores[i])
    if id ~= keep and priority and (not worst[1] or priority < worst[2]) then worst = {id, priority} end
  end
  return worst
end

local function least_valuable(keep)
  local worst = call('ZRANGE', priorities, 0, 1, 'WITHSCORES')
  return worst[1] == keep and {worst[3], worst[4]} or worst
end

-- The least valuable first; the clock is the priority of the last one (greedy-dual). One scope must not push out all others:
-- beyond half of the bound it makes room itself.
local function evict(bound, most, keep)
  local removed, large = 0, true
  while bound > 0 and held > bound do
    if removed == most then return removed, 1 end
    large = large and scope_above(bound / 2)
    local worst = large and least_valuable_of(large, keep) or {}
    if not worst[1] then worst = least_valuable(keep) end
    if not worst[1] then break end
    if tonumber(worst[2]) > clock then
      clock = tonumber(worst[2])
      call('HSET', meta, 'clock', worst[2])
    end
    remove(worst[1])
    removed = removed + 1
  end
  return removed, 0
end
)";

// The first write is one that a full server refuses: then nothing has changed.
constexpr std::string_view kPut = R"(
local id, dimension, partition, exact, scope = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local bytes, worth, sliding, expires, life = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], ARGV[11]
if format and format ~= '1' then return {'format', format} end
local refused = dimension > 0 and refusal(partition, dimension)
if refused then return refused end

call('HINCRBY', meta, 'entries', 1)
if not format then call('HSET', meta, 'format', '1') end
remove(id)
call('HSET', name .. 'entry:' .. id, unpack(ARGV, 14))
if life ~= '' then call('PEXPIRE', name .. 'entry:' .. id, life) end
call('HSET', accounts, id, cmsgpack.pack(bytes, worth, sliding, scope, partition, exact, recounts, expires == ''))
call('ZADD', priorities, clock + worth, id)
if expires ~= '' then call('ZADD', expiries, expires, id) end
held = call('HINCRBY', meta, 'bytes', bytes)
count(scope, bytes)
call('SADD', name .. 'exact:' .. exact, id)
if call('SADD', name .. 'scope:' .. scope, id) == 1 and call('SCARD', name .. 'scope:' .. scope) == 1 then
  call('HINCRBY', meta, 'scopes', 1)
end
if dimension > 0 then join(partition, dimension) end
local expired = expire(ARGV[13], 32, id)
local evicted, above = evict(tonumber(ARGV[12]), 200, id)
return {'ok', expired, evicted, above}
)";

// The first write is one that a full server refuses.
constexpr std::string_view kMove = R"(
local id, dimension, from, to, vector = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
if format and format ~= '1' then return {'format', format} end
local entry, packed = name .. 'entry:' .. id, call('HGET', accounts, id)
if not packed or call('HGET', entry, 'partition') ~= from then return {'ok', 0} end
local refused = refusal(to, dimension)
if refused then return refused end
local account, before = {cmsgpack.unpack(packed)}, number(partitions, from) % 65536
local more = (dimension - before) * 4

call('HSET', entry, 'partition', to, 'vector:' .. dimension, vector)
if more ~= 0 then call('HDEL', entry, 'vector:' .. before) end
account[2] = account[2] * account[1] / (account[1] + more)
account[1], account[5] = account[1] + more, to
call('HSET', accounts, id, cmsgpack.pack(unpack(account)))
call('HINCRBY', meta, 'bytes', more)
if account[7] == recounts then count(account[4], more) end
leave(from)
join(to, dimension)
return {'ok', 1}
)";

constexpr std::string_view kTouch = R"(
local afterlife = tonumber(ARGV[2])
for i = 3, #ARGV, 2 do
  local id, now = ARGV[i], tonumber(ARGV[i + 1])
  local entry = name .. 'entry:' .. id
  local packed = call('HGET', accounts, id)
  local expires = tonumber(call('ZSCORE', expiries, id) or math.huge)
  if packed and expires > now and call('EXISTS', entry) == 1 then
    local bytes, worth, sliding = cmsgpack.unpack(packed)
    call('ZADD', priorities, clock + worth * (1 + call('HINCRBY', hits, id, 1)), id)
    if sliding > 0 and now + sliding > expires then
      call('ZADD', expiries, now + sliding, id)
      call('HSET', entry, 'expires', now + sliding)
      call('PEXPIRE', entry, sliding + afterlife)
    end
  end
end
)";

constexpr std::string_view kErase = R"(
local removed = 0
for i = 2, #ARGV do removed = removed + remove(ARGV[i]) end
return removed
)";

constexpr std::string_view kEraseMatching = R"(
local found, removed = call('SSCAN', name .. 'scope:' .. ARGV[2], ARGV[3], 'COUNT', 200), 0
for _, id in ipairs(found[2]) do
  local tags = call('HGET', name .. 'entry:' .. id, 'tags') or ''
  local matches = true
  for i = 4, #ARGV do matches = matches and string.find(tags, ARGV[i], 1, true) end
  if matches then removed = removed + remove(id) end
end
return {found[1], removed}
)";

constexpr std::string_view kExpire = "return expire(ARGV[2], ARGV[3])";

constexpr std::string_view kEvict = "return {evict(tonumber(ARGV[2]), tonumber(ARGV[3]))}";

constexpr std::string_view kCheck = R"(
local size = call('HLEN', accounts)
if call('ZCARD', priorities) ~= size or number(meta, 'entries') ~= size then
  call('UNLINK', unpack(KEYS))
  return 'broken'
end
local found = call('HSCAN', accounts, call('HGET', meta, 'cursor') or '0', 'COUNT', 200)
call('HDEL', meta, 'cursor')  -- The first write is one that a full server takes: then it takes all others.
if found[1] ~= '0' then call('HSET', meta, 'cursor', found[1]) end
for i = 1, #found[2], 2 do
  local id, account = found[2][i], {cmsgpack.unpack(found[2][i + 1])}
  if call('EXISTS', name .. 'entry:' .. id) == 0 then
    remove(id)
  else
    call('SADD', name .. 'scope:' .. account[4], id)
    if account[7] ~= recounts then
      account[7] = recounts
      call('HSET', accounts, id, cmsgpack.pack(unpack(account)))
      count(account[4], account[1])
    end
  end
end
if -tonumber(call('ZSCORE', scopes, 'all') or 0) == held then return 'right' end
if found[1] == '0' then  -- All are counted, and somebody has removed some without saying so.
  call('UNLINK', scopes)
  call('HINCRBY', meta, 'recounts', 1)
end
return 'counting'
)";

// Only what is a store's for certain: a name is a prefix that others may use, too.
constexpr std::string_view kDiscard = R"(
local entry = name .. 'entry:'
local function begins(key, what) return string.sub(key, 1, #what) == what end
for i = 2, #ARGV do
  local key = ARGV[i]
  if begins(key, entry) and #key == #entry + 32 then
    if call('HEXISTS', accounts, string.sub(key, #entry + 1)) == 0 then call('UNLINK', key) end
  elseif #key == #name + 6 + 64 and (begins(key, name .. 'exact:') or begins(key, name .. 'scope:')) and call('TYPE', key).ok == 'set' then
    for _, id in ipairs(call('SMEMBERS', key)) do
      if call('HEXISTS', accounts, id) == 0 then call('SREM', key, id) end
    end
  end
end
)";

constexpr std::string_view kExact = R"(
local entry, now, earliest, rows, found = ARGV[1] .. 'entry:', tonumber(ARGV[2]), tonumber(ARGV[3]), {}, {}
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local e = redis.call('HMGET', entry .. id, 'created', 'expires', 'tags')
  local created = tonumber(e[1])
  local passes = created and (not e[2] or now < tonumber(e[2])) and (not earliest or created >= earliest)
  for i = 5, #ARGV do passes = passes and e[3] and string.find(e[3], ARGV[i], 1, true) end
  if passes then rows[#rows + 1] = {created, id} end
end
table.sort(rows, function(a, b) return a[1] > b[1] or (a[1] == b[1] and a[2] < b[2]) end)
for i = 1, math.min(#rows, tonumber(ARGV[4])) do
  local id = rows[i][2]
  local fields = redis.call('HMGET', entry .. id, 'scope', 'prompt', 'response', 'attributes', 'created', 'expires', 'exact_only')
  found[i] = {id, unpack(fields)}
end
return found
)";

RedisScript writing(std::string_view body) { return RedisScript(std::string(kPrelude) + std::string(body)); }

}  // namespace

RedisScript::RedisScript(std::string the_text) : text(std::move(the_text)), sha(sha1_hex(text)) {}

const RedisScripts& redis_scripts() {
  static const RedisScripts scripts{
      .put = writing(kPut),
      .move = writing(kMove),
      .touch = writing(kTouch),
      .erase = writing(kErase),
      .erase_matching = writing(kEraseMatching),
      .expire = writing(kExpire),
      .evict = writing(kEvict),
      .check = writing(kCheck),
      .discard = writing(kDiscard),
      .exact = RedisScript(std::string(kExact)),
  };
  return scripts;
}

}  // namespace sosie::store

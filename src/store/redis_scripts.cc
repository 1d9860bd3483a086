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
local meta, accounts, priorities, expiries, hits, partitions = unpack(KEYS)
local name = ARGV[1]
local call = redis.call

local function number(key, field) return tonumber(call('HGET', key, field) or 0) end

-- Whether the entry was there. Its accounts go in any case.
local function remove(id)
  local packed = call('HGET', accounts, id)
  if packed then
    local bytes, worth, sliding, scope, partition, exact = cmsgpack.unpack(packed)
    call('HDEL', accounts, id)
    call('ZREM', priorities, id)
    call('ZREM', expiries, id)
    call('HDEL', hits, id)
    call('HINCRBY', meta, 'bytes', -bytes)
    call('HINCRBY', meta, 'entries', -1)
    call('SREM', name .. 'exact:' .. exact, id)
    if call('SREM', name .. 'scope:' .. scope, id) == 1 and call('EXISTS', name .. 'scope:' .. scope) == 0 then
      call('HINCRBY', meta, 'scopes', -1)
    end
    if partition ~= '' and call('HINCRBY', partitions, partition, -65536) < 65536 then call('HDEL', partitions, partition) end
  end
  return call('UNLINK', name .. 'entry:' .. id)
end

local function expire(now, most, keep)
  local count = 0
  for _, id in ipairs(call('ZRANGE', expiries, '-inf', now, 'BYSCORE', 'LIMIT', 0, most)) do
    if id ~= keep then
      remove(id)
      count = count + 1
    end
  end
  return count
end

-- The least valuable first; the clock is the priority of the last one (greedy-dual).
local function evict(bound, most, keep)
  local count = 0
  while bound > 0 and number(meta, 'bytes') > bound do
    if count == most then return count, 1 end
    local worst = call('ZRANGE', priorities, 0, 1, 'WITHSCORES')
    if worst[1] == keep then worst = {worst[3], worst[4]} end
    if not worst[1] then break end
    if tonumber(worst[2]) > number(meta, 'clock') then call('HSET', meta, 'clock', worst[2]) end
    remove(worst[1])
    count = count + 1
  end
  return count, 0
end
)";

// The first write is one that a full server refuses: then nothing has changed.
constexpr std::string_view kPut = R"(
local id, dimension, partition, exact, scope = ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5], ARGV[6]
local bytes, worth, sliding, expires, life = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10], ARGV[11]
local known = call('HMGET', meta, 'format', 'index:' .. ARGV[3])
if known[1] and known[1] ~= '1' then return {'format', known[1]} end
if dimension > 0 then
  if not known[1] or not known[2] then return {'index'} end
  local beside = number(partitions, partition)
  if beside > 0 and beside % 65536 ~= dimension then return {'dimension', beside % 65536} end
end

call('HINCRBY', meta, 'writes', 1)
if not known[1] then call('HSET', meta, 'format', '1') end
remove(id)
call('HSET', name .. 'entry:' .. id, unpack(ARGV, 14))
if life ~= '' then call('PEXPIRE', name .. 'entry:' .. id, life) end
call('HSET', accounts, id, cmsgpack.pack(bytes, worth, sliding, scope, partition, exact))
call('ZADD', priorities, number(meta, 'clock') + worth, id)
if expires ~= '' then call('ZADD', expiries, expires, id) end
call('HINCRBY', meta, 'bytes', bytes)
call('HINCRBY', meta, 'entries', 1)
call('SADD', name .. 'exact:' .. exact, id)
if call('SADD', name .. 'scope:' .. scope, id) == 1 and call('SCARD', name .. 'scope:' .. scope) == 1 then
  call('HINCRBY', meta, 'scopes', 1)
end
if dimension > 0 and call('HINCRBY', partitions, partition, 65536) == 65536 then
  call('HINCRBY', partitions, partition, dimension)
end
local expired = expire(ARGV[13], 32, id)
local evicted, above = evict(tonumber(ARGV[12]), 1000, id)
return {'ok', expired, evicted, above}
)";

constexpr std::string_view kTouch = R"(
local afterlife, clock = tonumber(ARGV[2]), number(meta, 'clock')
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
local count = 0
for i = 2, #ARGV do count = count + remove(ARGV[i]) end
return count
)";

constexpr std::string_view kEraseMatching = R"(
local found, count = call('SSCAN', name .. 'scope:' .. ARGV[2], ARGV[3], 'COUNT', 200), 0
for _, id in ipairs(found[2]) do
  local tags = call('HGET', name .. 'entry:' .. id, 'tags') or ''
  local matches = true
  for i = 4, #ARGV do matches = matches and string.find(tags, ARGV[i], 1, true) end
  if matches then count = count + remove(id) end
end
return {found[1], count}
)";

constexpr std::string_view kExpire = "return expire(ARGV[2], ARGV[3])";

constexpr std::string_view kEvict = "return {evict(tonumber(ARGV[2]), tonumber(ARGV[3]))}";

constexpr std::string_view kCheck = R"(
local size = call('HLEN', accounts)
if call('ZCARD', priorities) ~= size or number(meta, 'entries') ~= size then
  call('DEL', unpack(KEYS))
  return 'broken'
end
local found = call('HSCAN', accounts, ARGV[2], 'COUNT', 200)
for i = 1, #found[2], 2 do
  if call('EXISTS', name .. 'entry:' .. found[2][i]) == 0 then remove(found[2][i]) end
end
return found[1]
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

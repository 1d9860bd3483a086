// redis_scripts.h: the Lua that changes and reads a store in Redis, each a single step that nobody sees half done.
// What the keys mean stands in docs/redis-store.md.
#pragma once

#include <string>
#include <string_view>

namespace sosie::store {

/// A script and the name by which a server knows it. A plain value.
struct RedisScript {
  explicit RedisScript(std::string text);
  std::string text;
  std::string sha;
};

/// KEYS of those that write: meta, accounts, priorities, expiries, hits, partitions, scopes. ARGV[1] is the prefix of all keys.
struct RedisScripts {
  /// ARGV: prefix, id, dimension (0: no vector), partition or "", exact key, scope key, bytes, worth, sliding ttl, expires or "", life in
  /// Redis or "", bound or 0, time, then fields and values. Returns {"ok", expired, evicted, 1: still above the bound}
  /// or {"index"} (there is none), {"format", its number}, {"dimension", that of the others}.
  RedisScript put;
  /// ARGV: prefix, id, dimension, partition as it is and as it is to be, vector. Gives an entry that lies there another vector; all else
  /// stays. Returns {"ok", 1: it did} or what `put` returns where it refuses.
  RedisScript move;
  /// ARGV: prefix, what the server keeps an entry beyond its life, then id and time of each hit in turn.
  RedisScript touch;
  /// ARGV: prefix, ids. Returns how many there were.
  RedisScript erase;
  /// ARGV: prefix, scope key, cursor, tags. Returns {next cursor, how many}.
  RedisScript erase_matching;
  /// ARGV: prefix, now, most. Returns how many.
  RedisScript expire;
  /// ARGV: prefix, bound, most. Returns {how many, 1: still above the bound}.
  RedisScript evict;
  /// ARGV: prefix. Goes on with a walk over all accounts, which all processes share: forgets entries that the server has dropped by
  /// itself, and counts those into the bytes of their scope that are not. Returns "right"; or "counting", when the bytes of the scopes
  /// are not yet what they should be; or "broken", when accounts are gone: they are then begun anew, and `discard` must go over all keys.
  RedisScript check;
  /// ARGV: prefix, keys. Removes what no account speaks of.
  RedisScript discard;
  /// KEYS: a set of ids. ARGV: prefix, now, created at the earliest or "", most, tags. Only reads. Returns id and fields
  /// of each, newest first.
  RedisScript exact;
};

const RedisScripts& redis_scripts();

}  // namespace sosie::store

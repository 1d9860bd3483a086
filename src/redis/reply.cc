#include "redis/reply.h"

#include <array>
#include <utility>

namespace sosie::redis {
namespace {

struct Meaning {
  std::string_view begins;  // of the server's text
  ErrorCode code;
  std::string_view message;
};

constexpr std::array<Meaning, 17> kMeanings{{
    {"NOAUTH", ErrorCode::permission_denied,
     "the Redis server asks for a password: set it (and the user) in the options or the URL"},
    {"WRONGPASS", ErrorCode::permission_denied, "the Redis server refuses the user or the password: check both"},
    {"ERR AUTH", ErrorCode::permission_denied, "the Redis server has no password set and refuses one: leave it out"},
    {"ERR invalid password", ErrorCode::permission_denied, "the Redis server refuses the password: check it"},
    {"NOPERM", ErrorCode::permission_denied,
     "the Redis user may not run this command or touch this key: widen its ACL"},
    {"OOM", ErrorCode::resource_exhausted,
     "the Redis server is out of memory: raise maxmemory or set an eviction policy"},
    {"LOADING", ErrorCode::unavailable, "the Redis server is still loading its data: try again later"},
    {"BUSY", ErrorCode::unavailable, "the Redis server is busy with a script: try again later"},
    {"MASTERDOWN", ErrorCode::unavailable, "the Redis replica has lost its primary: try again later"},
    {"READONLY", ErrorCode::unavailable, "this Redis server is a read-only replica: name the primary"},
    {"TRYAGAIN", ErrorCode::unavailable, "the Redis cluster is moving this key: try again later"},
    {"CLUSTERDOWN", ErrorCode::unavailable, "the Redis cluster is down: try again later"},
    {"ERR max number of clients", ErrorCode::unavailable,
     "the Redis server has no connection left: raise its maxclients"},
    {"MOVED", ErrorCode::unsupported,
     "this Redis server is part of a cluster that keeps the key elsewhere: use a single server"},
    {"ASK", ErrorCode::unsupported,
     "this Redis server is part of a cluster that keeps the key elsewhere: use a single server"},
    {"NOPROTO", ErrorCode::unsupported,
     "the Redis server does not speak this protocol: leave protocol=3 out of the URL"},
    {"ERR unknown command", ErrorCode::unsupported,
     "the Redis server does not know the command: it needs the search module (Redis 8 or "
     "redis-stack)"},
}};

}  // namespace

const Reply* Reply::find(std::string_view name) const noexcept {
  if (kind != Kind::map && kind != Kind::array) return nullptr;
  for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
    if (items[i].kind == Kind::string && items[i].text == name) return &items[i + 1];
  }
  return nullptr;
}

Error to_error(const Reply& reply) {
  for (const Meaning& meaning : kMeanings) {
    if (reply.text.starts_with(meaning.begins)) return {meaning.code, std::string(meaning.message)};
  }
  // The server's own words may quote the command; only its first word, the kind of error, goes on.
  std::string kind;
  for (const char c : std::string_view(reply.text).substr(0, 32)) {
    if (c < 'A' || c > 'Z') break;
    kind += c;
  }
  return {ErrorCode::internal, "the Redis server refuses the command (" + (kind.empty() ? "no code" : kind) + ")"};
}

}  // namespace sosie::redis

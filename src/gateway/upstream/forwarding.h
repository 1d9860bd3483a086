// forwarding.h: which headers cross the gateway, and what an upstream's failure looks like to the client.
#pragma once

#include <string>
#include <string_view>

#include "gateway/options.h"
#include "net/http_client.h"
#include "net/http_message.h"

namespace sosie::gateway {

/// Who reads an answer.
enum class ReadBy {
  cache,       ///< The cache and other callers, too. It must come plain, and be an answer to the question alone.
  one_caller,  ///< This caller alone, but by an API that is understood here: it must come plain.
  caller,      ///< This caller alone, as it comes.
};

/// Header lines for the upstream: the caller's in their order, less what belongs to its connection and to us. Where the upstream has
/// a key of its own, every API key of the caller gives way to it. An Idempotency-Key stays here where others may read the answer:
/// an upstream that knows the key answers with what it once said, to whatever question. For the caller as it comes also
/// Accept-Encoding and Cache-Control are passed on. Cookies never are: a browser sends this host's, whoever set them.
std::string upstream_header_lines(const net::HeaderList& headers, const UpstreamOptions& upstream, const Compat& compat,
                                  ReadBy reader = ReadBy::cache);

/// Header lines for the client: the upstream's, less what belongs to its connection, and Content-Type and Date.
std::string client_header_lines(const net::HeaderList& headers);

/// The same with Content-Type and Date: an answer that is not touched.
std::string untouched_header_lines(const net::HeaderList& headers);

/// The path below the upstream's base URL for a target that begins with "/v1". Empty: a target that could leave the base
/// path ("..", in any spelling) or is no path.
std::string_view upstream_target(std::string_view target);

/// The query for the upstream, from the caller's (with its "?", or empty), byte for byte. Where the upstream has a key of its own, the
/// parameters that are API keys are left out.
std::string upstream_query(std::string_view query, const UpstreamOptions& upstream);

/// 502, 503 or 504, as OpenAI's clients read it. Names no address and no key. Once the upstream has the call, with
/// "x-should-retry: false"; else with Retry-After.
net::Reply upstream_failure_reply(const net::ClientError& failure);

/// A failure of the upstream in words, for whichever API it is said in.
struct FailureWords {
  int status;
  std::string_view message, code;
  std::string headers;  ///< Further lines: "x-should-retry: false" where the upstream has the call, Retry-After where it was not asked.
};
FailureWords failure_words(const net::ClientError& failure);

}  // namespace sosie::gateway

// cache_debug.h: what Bifrost says of a hit inside the body (contract: its `extra_fields.cache_debug`).
#pragma once

#include <string>
#include <string_view>

#include "gateway/reply/outcome.h"

namespace sosie::gateway {

/// Puts "extra_fields":{"cache_debug":{…}} of a hit at the end of an answer: a JSON object, or a stream, where the last event with an
/// object gets it. An answer of another form stays as it is.
void add_cache_debug(std::string& answer, bool stream, const Outcome& outcome);

}  // namespace sosie::gateway

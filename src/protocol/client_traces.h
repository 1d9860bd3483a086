// client_traces.h: what coding agents write into their requests to trace them: new for each request or session, and no matter to the
// answer.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "protocol/scope.h"

namespace sosie::protocol {

/// Instructions without the line that Claude Code puts before them, "x-anthropic-billing-header: cc_version=…; cch=…;". A line that says
/// anything but such pairs stays.
std::string_view without_billing_header(std::string_view instructions) noexcept;

/// Who a request is for, into the part "user"; without the session that Claude Code says there, too: behind "_session_", or as
/// "session_id" of a JSON text.
void add_user(Scope& scope, simdjson::dom::element user);

}  // namespace sosie::protocol

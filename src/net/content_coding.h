// content_coding.h: request bodies without their Content-Encoding.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_message.h"
#include "sosie/result.h"

namespace sosie::net {

/// What `decode_content` takes, as an Accept-Encoding header says it.
inline constexpr std::string_view kContentCodings = "gzip, zstd";

/// The codings that the headers name, in lower case and in their order, "identity" left out: "" for none, "gzip", "gzip, br".
std::string content_coding(const HeaderList& headers);

/// Decodes a whole body. Never holds more than `max_bytes` of what is decoded, whatever the body promises.
/// Errors: unsupported (another coding, or several), invalid_argument (not such a body, or cut off), resource_exhausted (longer than
/// `max_bytes`). The result has room for kBodyPadding bytes beyond its size.
Result<std::string> decode_content(std::string_view coding, std::string_view body, std::uint64_t max_bytes);

}  // namespace sosie::net

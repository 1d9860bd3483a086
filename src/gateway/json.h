// json.h: the JSON of the protocol room under this room's name.
#pragma once

#include "protocol/json.h"

namespace sosie::gateway {

using protocol::append_canonical_json;
using protocol::append_json;
using protocol::append_json_number;
using protocol::append_json_string;
using protocol::has_duplicate_keys;
using protocol::JsonReader;

}  // namespace sosie::gateway

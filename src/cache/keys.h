// keys.h: the digests that an entry is stored and found by.
//
// Thread-safety: pure functions. Every part is length-prefixed, so no two different inputs share a key by concatenation.
#pragma once

#include <string_view>

#include "base/digest.h"
#include "sosie/embedder.h"
#include "sosie/entry.h"

namespace sosie::cache {

/// Same scope, same text but for case. Who wants the same case compares the prompts found.
base::Digest exact_key(std::string_view scope, std::string_view prompt);

/// Where vectors may meet: same scope, same encoder, and nothing different in what the encoder does not see.
base::Digest partition(std::string_view scope, const Embedder& embedder, const Embedding& embedding);
/// The same, of an encoder with this fingerprint.
base::Digest partition_of(std::string_view scope, std::string_view fingerprint, std::string_view unseen);

/// See `EntryId`.
EntryId entry_id(std::string_view scope, std::string_view prompt, const Attributes& attributes);

}  // namespace sosie::cache

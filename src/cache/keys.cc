#include "cache/keys.h"

#include <span>

#include "text/utf8.h"

namespace sosie::cache {

base::Digest exact_key(std::string_view scope, std::string_view prompt) {
  return base::DigestBuilder().add("exact").add(scope).add(text::case_fold(prompt)).finish();
}

base::Digest partition(std::string_view scope, const Embedder& embedder, const Embedding& embedding) {
  return partition_of(scope, embedder.fingerprint(), embedding.unseen);
}

base::Digest partition_of(std::string_view scope, std::string_view fingerprint, std::string_view unseen) {
  return base::DigestBuilder().add("partition").add(scope).add(fingerprint).add(unseen).finish();
}

EntryId entry_id(std::string_view scope, std::string_view prompt, const Attributes& attributes) {
  base::DigestBuilder builder;
  builder.add("entry").add(scope).add(prompt);
  for (const auto& [name, value] : attributes) builder.add(name).add(value);
  const base::Digest digest = builder.finish();
  return base::to_hex(std::span(digest).first(16));
}

}  // namespace sosie::cache

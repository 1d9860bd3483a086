#include "store/entry_row.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "store/checksum.h"

namespace sosie::store {
namespace {

std::string_view as_bytes(const base::Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

bool to_digest(std::string_view bytes, base::Digest& digest) {
  if (bytes.size() != digest.size()) return false;
  std::memcpy(digest.data(), bytes.data(), digest.size());
  return true;
}

}  // namespace

std::int64_t keys_check(std::string_view id, std::string_view scope, const base::Digest& exact_key, const base::Digest& partition,
                        std::string_view vector, const Attributes& attributes, std::initializer_list<std::int64_t> numbers) {
  std::int64_t sum = checksum(vector, checksum(as_bytes(partition), checksum(as_bytes(exact_key), checksum(scope, checksum(id)))));
  for (const auto& [name, value] : attributes) sum = checksum(value, checksum(name, sum));
  return checksum({reinterpret_cast<const char*>(numbers.begin()), numbers.size() * sizeof(std::int64_t)}, sum);
}

std::optional<StoredEntry> read_keys(const Statement& columns, Attributes attributes, std::vector<float>& vector) {
  StoredEntry entry;
  entry.row = columns.number(0);
  entry.id = columns.bytes(1);
  entry.scope = columns.bytes(2);
  if (!to_digest(columns.bytes(3), entry.exact_key) || !to_digest(columns.bytes(4), entry.partition)) return std::nullopt;
  entry.created_ms = columns.number(5);
  if (!columns.is_null(6)) entry.expires_ms = columns.number(6);
  entry.sliding_ttl_ms = columns.number(7);
  entry.cost = columns.real(8);
  entry.attributes = std::move(attributes);
  const std::string_view floats = columns.bytes(10);
  const std::int64_t check = keys_check(entry.id, entry.scope, entry.exact_key, entry.partition, floats, entry.attributes,
                                        {entry.created_ms, entry.expires_ms, entry.sliding_ttl_ms});
  if (columns.number(9) != check || floats.size() % sizeof(float) != 0) return std::nullopt;
  vector.resize(floats.size() / sizeof(float));
  if (!floats.empty()) std::memcpy(vector.data(), floats.data(), floats.size());
  for (const float value : vector) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  // No checksum covers the cost, which only orders what is evicted.
  if (!(entry.cost >= 0) || !std::isfinite(entry.cost)) entry.cost = 0;
  entry.dimension = vector.size();
  return entry;
}

}  // namespace sosie::store

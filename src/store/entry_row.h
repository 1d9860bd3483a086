// entry_row.h: a row of sosie.db and its checksums.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>
#include <vector>

#include "store/entry_table.h"
#include "store/sqlite.h"

namespace sosie::store {

/// All but the texts, in the order of `read_keys`.
inline constexpr const char* kKeyColumns = "row,id,scope,exact_key,partition,created_ms,expires_ms,sliding_ttl_ms,cost,keys_check,vector";
inline constexpr int kKeyColumnCount = 11;

/// Over everything but the texts, which are not read when a store opens.
std::int64_t keys_check(std::string_view id, std::string_view scope, const base::Digest& exact_key, const base::Digest& partition,
                        std::string_view vector, const Attributes& attributes, std::initializer_list<std::int64_t> numbers);

/// The row that `columns` stands on. Unset: it is not as it was written.
std::optional<StoredEntry> read_keys(const Statement& columns, Attributes attributes, std::vector<float>& vector);

}  // namespace sosie::store

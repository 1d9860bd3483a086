// result.h: errors as values.
//
// Thread-safety: plain values; distinct objects are independent.
#pragma once

#include <cassert>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sosie {

/// The closed set of failures. A cache miss is not among them: it is an answer.
enum class ErrorCode {
  invalid_argument,    ///< The caller's input breaks a stated rule; nothing was done.
  not_found,           ///< A named file, model or entry does not exist.
  unavailable,         ///< A peer or a resource cannot be used now; trying later may work.
  deadline_exceeded,   ///< The time allowed ran out.
  cancelled,           ///< The caller or a shutdown ended the operation.
  resource_exhausted,  ///< A stated limit (size, queue, disk) is reached.
  data_corruption,     ///< Stored bytes contradict their own description.
  permission_denied,   ///< The operating system or a peer refuses access.
  unsupported,         ///< Understood, but this build or machine cannot do it.
  internal,            ///< A broken promise of ours: please report it.
};

/// The code's stable lower-case name, e.g. "invalid_argument".
std::string_view to_string(ErrorCode code) noexcept;

/// A failure. `message` is for people: it says what went wrong and what to do next, and never holds a secret or a prompt.
struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;
};

/// Either a `T` or an `Error`. A strict subset of `std::expected<T, Error>`.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  /// REQUIRES: has_value().
  T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  T&& operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T* operator->() noexcept { return std::get_if<0>(&state_); }
  const T* operator->() const noexcept { return std::get_if<0>(&state_); }

  /// REQUIRES: !has_value().
  Error& error() & noexcept { return *std::get_if<1>(&state_); }
  const Error& error() const& noexcept { return *std::get_if<1>(&state_); }
  Error&& error() && noexcept { return std::move(*std::get_if<1>(&state_)); }

 private:
  std::variant<T, Error> state_;
};

/// Success without a value, or an `Error`.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return has_value(); }

  /// REQUIRES: !has_value().
  const Error& error() const& noexcept { return *error_; }
  Error&& error() && noexcept { return std::move(*error_); }

 private:
  std::optional<Error> error_;
};

}  // namespace sosie

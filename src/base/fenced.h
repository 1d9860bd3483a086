// fenced.h: where exceptions end: at the top of a thread, and of what runs for somebody who waits for a value.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <type_traits>

#include "sosie/result.h"

namespace sosie::base {

/// The error that an exception stands for: resource_exhausted where there was no memory, else internal.
inline Error error_of(std::exception_ptr thrown) noexcept {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return {ErrorCode::resource_exhausted, "out of memory"};  // short enough to need none
  } catch (const std::exception& failure) {
    try {
      return {ErrorCode::internal, failure.what()};
    } catch (...) {
      return {ErrorCode::resource_exhausted, "out of memory"};
    }
  } catch (...) {
    return {ErrorCode::internal, "an exception"};
  }
}

/// What `job` returns, or what it throws as an error.
template <class Job, class T = std::invoke_result_t<Job&>>
Result<T> fenced(Job&& job) noexcept {
  try {
    if constexpr (std::is_void_v<T>) {
      job();
      return {};
    } else {
      return job();
    }
  } catch (...) {
    return error_of(std::current_exception());
  }
}

}  // namespace sosie::base

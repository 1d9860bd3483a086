// task.h: the coroutine type of net and of what is built on it, and how an await reports errors.
//
// Rules (they hold for every coroutine here): `co_await` stands alone as a statement, as the initialiser of a named local
// or on the right of an assignment; parameters are values, or references to what owns the coroutine; errors are values.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace sosie::net {

using Executor = boost::asio::any_io_executor;

template <class T>
using Task = boost::asio::awaitable<T>;

/// Completion token: the await yields (error_code, values…) and throws nothing.
inline constexpr auto as_values = boost::asio::as_tuple(boost::asio::use_awaitable);

using SteadyTime = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

inline SteadyTime after(Milliseconds wait) { return std::chrono::steady_clock::now() + wait; }

}  // namespace sosie::net

// asio/redis_semantic_cache.h: RedisSemanticCache with Asio completion tokens (use_awaitable, use_future, callbacks, …).
//
//   auto found = co_await sosie::async_get_cache(cache, key, {.prompt = "…"}, boost::asio::use_awaitable);
//
// Optional: needs Boost.Asio (1.81 or newer), which the other public headers do not. Completions are dispatched to the
// handler's associated executor. A lazy token (use_awaitable, deferred) begins the call at its co_await: what `call` refers to
// must live until then.
#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sosie/redis_semantic_cache.h"

namespace sosie {
namespace detail {

/// A callback that carries `handler` to its executor, and keeps that executor at work until then.
template <class T, class Handler>
std::function<void(Result<T>)> to_callback(Handler handler) {
  auto executor = boost::asio::get_associated_executor(handler);
  struct State {
    Handler handler;
    boost::asio::executor_work_guard<decltype(executor)> work;
  };
  auto state = std::make_shared<State>(State{std::move(handler), boost::asio::make_work_guard(executor)});
  return [state](Result<T> result) {
    boost::asio::dispatch(state->work.get_executor(), [state, result = std::move(result)]() mutable {
      Handler handler = std::move(state->handler);
      state->work.reset();
      handler(std::move(result));
    });
  };
}

}  // namespace detail

/// Completes with `Result<RedisFound>`. See `RedisSemanticCache::async_get_cache`.
template <class Token>
auto async_get_cache(RedisSemanticCache& cache, std::string key, RedisCall call, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<RedisFound>)>(
      [](auto handler, RedisSemanticCache* cache, std::string key, RedisCall call) {
        cache->async_get_cache(std::move(key), call, detail::to_callback<RedisFound>(std::move(handler)));
      },
      token, &cache, std::move(key), call);
}

/// Completes with `Result<void>`. See `RedisSemanticCache::async_set_cache`.
template <class Token>
auto async_set_cache(RedisSemanticCache& cache, std::string key, std::string response, RedisCall call, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<void>)>(
      [](auto handler, RedisSemanticCache* cache, std::string key, std::string response, RedisCall call) {
        cache->async_set_cache(std::move(key), std::move(response), call, detail::to_callback<void>(std::move(handler)));
      },
      token, &cache, std::move(key), std::move(response), call);
}

/// Completes with `Result<void>`. See `RedisSemanticCache::async_set_cache_pipeline`.
template <class Token>
auto async_set_cache_pipeline(RedisSemanticCache& cache, std::vector<RedisSemanticCache::Item> items, RedisCall call, Token&& token) {
  return boost::asio::async_initiate<Token, void(Result<void>)>(
      [](auto handler, RedisSemanticCache* cache, std::vector<RedisSemanticCache::Item> items, RedisCall call) {
        cache->async_set_cache_pipeline(std::move(items), call, detail::to_callback<void>(std::move(handler)));
      },
      token, &cache, std::move(items), call);
}

}  // namespace sosie

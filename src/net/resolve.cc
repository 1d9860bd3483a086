#include "net/resolve.h"

#include <boost/asio/ip/address.hpp>
#include <memory>

#include "net/event.h"

namespace sosie::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

/// A lookup that may be left behind.
struct Resolution {
  explicit Resolution(const asio::any_io_executor& executor) : resolver(executor), done(executor) {}
  tcp::resolver resolver;
  Event done;
  error_code failure;
  std::vector<tcp::endpoint> endpoints;
};

}  // namespace

Task<Result<std::vector<tcp::endpoint>>> resolve(asio::any_io_executor executor, std::string host, std::uint16_t port,
                                                 SteadyTime deadline) {
  error_code not_an_address;
  const auto address = asio::ip::make_address(host, not_an_address);
  if (!not_an_address) {
    std::vector<tcp::endpoint> one{tcp::endpoint(address, port)};
    co_return one;
  }
  auto state = std::make_shared<Resolution>(executor);
  state->resolver.async_resolve(host, std::to_string(port), tcp::resolver::numeric_service,
                                [state](const error_code& failure, const tcp::resolver::results_type& found) {
                                  state->failure = failure;
                                  for (const auto& each : found) state->endpoints.push_back(each.endpoint());
                                  state->done.set();
                                });
  const bool in_time = co_await state->done.wait(deadline);
  if (!in_time) {
    state->resolver.cancel();
    co_return Error{ErrorCode::deadline_exceeded, "the name of the server could not be resolved in time"};
  }
  if (state->failure || state->endpoints.empty())
    co_return Error{ErrorCode::unavailable, "the name of the server cannot be resolved: " + state->failure.message()};
  co_return std::move(state->endpoints);
}

}  // namespace sosie::net

// resolve.h: the addresses of a host.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "net/task.h"
#include "sosie/result.h"

namespace sosie::net {

/// At least one. An address (IPv6 without brackets) is read at once; a name is looked up.
/// Errors: deadline_exceeded (the lookup is left behind: the system's resolver cannot be interrupted), unavailable.
Task<Result<std::vector<boost::asio::ip::tcp::endpoint>>> resolve(boost::asio::any_io_executor executor,
                                                                  std::string host, std::uint16_t port,
                                                                  SteadyTime deadline);

}  // namespace sosie::net

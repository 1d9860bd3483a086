// load_generator.h: repeats one HTTP request over several keep-alive connections and times every answer.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "sosie/result.h"

namespace sosie::app {

struct LoadResult {
  std::vector<double> latencies_us;  ///< Of every answer, unordered.
  double seconds = 0;
  std::uint64_t errors = 0;  ///< Answers other than 200.
};

/// Runs on the calling thread, to 127.0.0.1:`port`, until `duration` is over or it is interrupted. Answers must carry Content-Length.
///
/// Errors: unavailable (cannot connect, or the peer hung up), internal (an answer without Content-Length).
Result<LoadResult> generate_load(std::uint16_t port, const std::string& request, std::size_t connections, std::chrono::milliseconds duration);

}  // namespace sosie::app

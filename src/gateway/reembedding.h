// reembedding.h: entries of a former encoder are embedded anew, in the background.
#pragma once

#include <atomic>
#include <chrono>

#include "gateway/state.h"

namespace sosie::gateway {

/// Works in small steps of the encoders' least urgent jobs, so that lookups come first. Ends when all is done, when the server stops, or at
/// a fault. Thread-safety: safe. Outlives the workers.
class Reembedding {
 public:
  explicit Reembedding(GatewayState& state) : state_(state) {}

  /// Begins, or goes on after a fault; does nothing while it is under way, or done.
  void start();

 private:
  enum class Phase { idle, under_way, done };

  /// Goes over the entries, which with a store in Redis takes a while: not on an encoder.
  void make_list();
  void step();
  void next();
  void give_up(const Error& error);

  GatewayState& state_;
  std::atomic<Phase> phase_{Phase::idle};
  // Of the step, of which there is one at a time.
  bool has_begun_ = false;
  std::chrono::steady_clock::time_point told_{};
};

}  // namespace sosie::gateway

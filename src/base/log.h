// log.h: the one way to say something to the operator. Never give it a prompt, an answer or a key.
#pragma once

#include <string_view>

namespace sosie::base {

enum class LogLevel { debug, info, warning, error, off };

/// Process-wide. Thread-safety: safe. Default: info, on standard error.
void set_log_level(LogLevel level) noexcept;
void log(LogLevel level, std::string_view message);

inline void log_info(std::string_view message) { log(LogLevel::info, message); }
inline void log_warning(std::string_view message) { log(LogLevel::warning, message); }
inline void log_error(std::string_view message) { log(LogLevel::error, message); }

}  // namespace sosie::base

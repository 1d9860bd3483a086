// interrupt.h: ctrl-C in a command that works through many things: it ends at once and says how far it came.
#pragma once

#include <string>

namespace sosie::app {

/// From here on SIGINT and SIGTERM set what `interrupted` tells. A second one ends the process, as without this.
void catch_interrupts();

bool interrupted() noexcept;

/// Says on standard error that the command was interrupted, and `how_far`. Returns the exit code: 128 and the signal's number.
int end_interrupted(const std::string& how_far);

}  // namespace sosie::app

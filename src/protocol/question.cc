#include "protocol/question.h"

namespace sosie::protocol {

std::string_view to_string(Surface surface) noexcept {
  switch (surface) {
    case Surface::chat: return "chat";
    case Surface::completions: return "completions";
    case Surface::responses: return "responses";
    case Surface::messages: return "messages";
    case Surface::embeddings: break;
  }
  return "embeddings";
}

}  // namespace sosie::protocol

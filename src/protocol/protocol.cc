#include "protocol/protocol.h"

#include "protocol/chat.h"
#include "protocol/completions.h"
#include "protocol/embeddings.h"
#include "protocol/messages.h"
#include "protocol/responses.h"

namespace sosie::protocol {

const Protocol& protocol_of(Surface surface) noexcept {
  switch (surface) {
    case Surface::chat: return chat_protocol();
    case Surface::completions: return completions_protocol();
    case Surface::responses: return responses_protocol();
    case Surface::messages: return messages_protocol();
    case Surface::embeddings: break;
  }
  return embeddings_protocol();
}

const Protocol* owner_of(std::string_view kept) noexcept {
  for (std::size_t i = 0; i < kSurfaces; ++i) {
    const Protocol& protocol = protocol_of(static_cast<Surface>(i));
    if (protocol.owns(kept)) return &protocol;
  }
  return nullptr;
}

std::optional<std::string> kept_for(const Protocol& wanted, JsonReader& reader, std::string_view kept,
                                    std::string_view request) {
  if (wanted.owns(kept)) return std::string(kept);
  const Protocol* owner = owner_of(kept);
  if (owner == nullptr) return std::nullopt;
  const auto answer = owner->to_answer(reader, kept);
  if (!answer) return std::nullopt;
  return wanted.from_answer(reader, *answer, request);
}

}  // namespace sosie::protocol

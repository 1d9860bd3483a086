// Any bytes as a chat request and as an upstream's answer, whole and streamed: read or refused, and what is kept can be replayed.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "gateway/chat_answer.h"
#include "gateway/chat_assembler.h"
#include "gateway/chat_request.h"
#include "net/sse.h"

using namespace sosie;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static gateway::JsonReader reader;
  std::string text(reinterpret_cast<const char*>(data), size);
  text.reserve(size + net::kBodyPadding);
  static_cast<void>(gateway::read_chat_request(reader, text, {}));

  auto kept = gateway::keep_completion(reader, text);
  if (std::holds_alternative<gateway::NotKept>(kept)) {
    gateway::ChatAssembler assembler;
    net::SseParser events(1 << 16);
    if (!events.feed(text)) return 0;
    while (const auto event = events.next()) assembler.add(reader, event->data);
    kept = assembler.finish(reader);
  }
  if (const auto* answer = std::get_if<std::string>(&kept)) {
    if (!gateway::replay_plain(*answer, 1) || !gateway::replay_stream(reader, *answer, 1, true)) std::abort();
  }
  return 0;
}

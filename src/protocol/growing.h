// growing.h: for tests and the benchmark of slopes: requests, answers and streams of any size, of each shape whose reading might take
// more than twice as long at twice the size.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/protocol.h"

namespace sosie::protocol {

enum class Side { request, answer, stream };

struct Growing {
  std::string_view name;
  Surface surface;
  Side side;
  std::string_view head, piece, tail;  ///< '#' in a piece is its number. Of a stream: events' data, a line each.

  /// Of `count` pieces.
  std::string make(std::size_t count) const {
    std::string text(head);
    for (std::size_t i = 0; i < count; ++i) {
      if (i != 0) text.push_back(side == Side::stream ? '\n' : ',');
      const std::string number = std::to_string(i);
      for (const char c : piece) c == '#' ? static_cast<void>(text.append(number)) : text.push_back(c);
    }
    return text.append(tail);
  }
};

inline const std::vector<Growing>& all_that_grow() {
  static const std::vector<Growing> all = {
      {"chat: text and unknown parts by turns", Surface::chat, Side::request, R"({"model":"m","messages":[{"role":"user","content":[)",
       R"({"type":"text","text":"a line of a question, long enough to show what is counted again for each part of it\nand another line behind it that makes it longer still, and so on, and on"},{"type":"x"})", "]}]}"},
      {"chat: messages", Surface::chat, Side::request, R"({"model":"m","messages":[)", R"({"role":"user","content":"a"},{"role":"assistant","content":"b"})", "]}"},
      {"chat: calls of tools and results", Surface::chat, Side::request, R"({"model":"m","messages":[{"role":"user","content":"a"},)",
       R"({"role":"assistant","tool_calls":[{"id":"c#","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},{"role":"tool","tool_call_id":"c#","content":"r"})", "]}"},
      {"chat: tools", Surface::chat, Side::request, R"({"model":"m","messages":[{"role":"user","content":"a"}],"tools":[)",
       R"({"type":"function","function":{"name":"f#","parameters":{"type":"object"}}})", "]}"},
      {"chat: stop sequences", Surface::chat, Side::request, R"({"model":"m","messages":[{"role":"user","content":"a"}],"stop":[)", R"("s#")", "]}"},
      {"messages: text and unknown blocks by turns", Surface::messages, Side::request, R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)",
       R"({"type":"text","text":"a line of a question, long enough to show what is counted again for each part of it\nand another line behind it that makes it longer still, and so on, and on"},{"type":"x","cache_control":{}})", "]}]}"},
      {"messages: system blocks", Surface::messages, Side::request, R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"system":[)",
       R"({"type":"text","text":"a"})", "]}"},
      {"messages: results of tools", Surface::messages, Side::request, R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[)",
       R"({"type":"tool_result","tool_use_id":"t#","content":[{"type":"text","text":"r"}]})", "]}]}"},
      {"messages: tools", Surface::messages, Side::request, R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a"}],"tools":[)",
       R"({"name":"f#","input_schema":{"type":"object"},"eager_input_streaming":true})", "]}"},
      {"responses: text and unknown parts by turns", Surface::responses, Side::request, R"({"model":"m","input":[{"role":"user","content":[)",
       R"({"type":"input_text","text":"a line of a question, long enough to show what is counted again for each part of it\nand another line behind it that makes it longer still, and so on, and on"},{"type":"x"})", "]}]}"},
      {"responses: items", Surface::responses, Side::request, R"({"model":"m","input":[)",
       R"({"role":"user","content":"a"},{"type":"function_call","call_id":"c#","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c#","output":"r"})", "]}"},
      {"responses: tools", Surface::responses, Side::request, R"({"model":"m","input":"a","tools":[)", R"({"type":"function","name":"f#","parameters":{}})", "]}"},
      {"completions: prompts", Surface::completions, Side::request, R"({"model":"m","prompt":[)", R"("p#")", "]}"},
      {"embeddings: numbers", Surface::embeddings, Side::request, R"({"model":"m","input":[)", "#", "]}"},
      {"chat: an answer of calls", Surface::chat, Side::answer, R"({"object":"chat.completion","choices":[{"index":0,"finish_reason":"tool_calls","message":{"tool_calls":[)",
       R"({"id":"c#","type":"function","function":{"name":"f","arguments":{"a":1}}})", "]}}]}"},
      {"messages: an answer of blocks", Surface::messages, Side::answer, R"({"id":"m","type":"message","role":"assistant","stop_reason":"end_turn","content":[)", R"({"type":"text","text":"a"})", "]}"},
      {"responses: an answer of items", Surface::responses, Side::answer, R"({"id":"r","object":"response","created_at":1,"status":"completed","output":[)",
       R"({"type":"function_call","call_id":"c#","name":"f","arguments":""})", "]}"},
      {"chat: a stream of text", Surface::chat, Side::stream, "", R"({"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"}}]})",
       "\n" R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})" "\n[DONE]"},
      {"chat: a stream of calls", Surface::chat, Side::stream, "", R"({"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c#","function":{"name":"f","arguments":"{}"}}]}}]})",
       "\n" R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})" "\n[DONE]"},
      {"chat: a stream of details", Surface::chat, Side::stream, "", R"({"choices":[{"index":0,"delta":{"content":"a","reasoning_details":[{"type":"reasoning.text","text":"a","index":#}]}}]})",
       "\n" R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})" "\n[DONE]"},
      {"chat: a stream of fields", Surface::chat, Side::stream, "", R"({"f#":1,"choices":[{"index":0,"delta":{"g#":1}}]})", "\n[DONE]"},
      {"messages: a stream of blocks", Surface::messages, Side::stream,
       R"({"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"usage":{"input_tokens":1}}})" "\n",
       R"({"type":"content_block_start","index":#,"content_block":{"type":"text","text":""}})" "\n"
       R"({"type":"content_block_delta","index":#,"delta":{"type":"text_delta","text":"a"}})" "\n"
       R"({"type":"content_block_stop","index":#})",
       "\n" R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})" "\n" R"({"type":"message_stop"})"},
      {"responses: a stream of items", Surface::responses, Side::stream, "", R"({"type":"response.output_item.done","output_index":#,"item":{"type":"message","content":[{"type":"output_text","text":"a"}]}})",
       "\n" R"({"type":"response.completed","response":{"id":"r","object":"response","created_at":1,"status":"completed","output":[]}})"},
  };
  return all;
}

/// Reads it as the gateway would. False: it is not read, or not kept.
inline bool read_growing(const Growing& growing, JsonReader& reader, Scope& scope, const std::string& text) {
  const Protocol& api = protocol_of(growing.surface);
  Question question;
  if (growing.side == Side::request) {
    scope.clear();
    const auto root = reader.read_copy(text);
    simdjson::dom::object object;
    if (!root || root->get_object().get(object) != simdjson::SUCCESS || api.read(object, {}, question, scope)) return false;
    static_cast<void>(scope.digest());
    return !scope.parts().empty();
  }
  if (growing.side == Side::answer) return std::holds_alternative<Kept>(api.keep(reader, text, question));
  const auto assembler = api.assembler();
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    static_cast<void>(assembler->add(reader, {}, line));
  }
  return std::holds_alternative<Kept>(assembler->finish(reader, question));
}

}  // namespace sosie::protocol

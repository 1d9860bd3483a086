// conversation.h: what every chat API says in its own words, in one form: so that one stored answer serves them all.
//
// All functions write into parts of a `Scope`. Two requests of two APIs that mean the same add the same parts with the
// same bytes.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol {

/// Of one list: messages, items, parts of a message, tools. The cache does not read longer ones.
inline constexpr std::size_t kMostParts = 50'000;
BadRequest too_long(std::string_view field);

enum class Role { system, user, assistant, tool };  ///< A developer's message is the system's.

/// Writes the turns of a conversation into an open part of a scope. Neighbouring texts of one turn join with a line
/// break, as one string does; the places of joins between texts that break lines themselves are written, too. An empty
/// text is none.
///
/// "history" holds the turns before the last one of the user's. "last_turn" holds what surrounds the text of that one
/// (see `begin_asked`) and every turn behind it. Both are absent where they are empty: `Scope::drop` them then.
class Turns {
 public:
  explicit Turns(std::string& out) : out_(out) {}

  void begin(Role role, std::string_view name = {});
  /// Begins the last turn of the user's: its texts are appended to `prompt` and only their places written. A turn of
  /// nothing but text writes nothing at all.
  void begin_asked(std::string& prompt, std::string_view name = {});

  void text(std::string_view text);
  /// `arguments`: JSON text or not; written canonically where it is JSON. Calls are numbered: their ids are made up
  /// anew each time.
  void tool_call(std::string_view id, std::string_view name, std::string_view arguments);
  void tool_result(std::string_view id);  ///< Its content follows as texts and others.
  /// Images, audio, files, thinking, anything else: its kind and its canonical JSON.
  void other(std::string_view kind, simdjson::dom::element value);
  /// A further key of the message that no other function knows. In any order.
  void field(std::string_view key, simdjson::dom::element value);
  void end();

 private:
  void piece(char kind, std::string_view bytes);
  void flush_text();

  std::string& out_;
  std::string* asked_ = nullptr;  // The prompt, of a turn whose text goes there.
  std::size_t begin_ = 0;         // Of the turn, in out_.
  bool bare_ = true;              // Nothing but text so far.
  std::string joined_;            // Texts not written yet.
  std::size_t texts_ = 0;         // How many they are; of an asked turn all of the turn's.
  bool open_text_ = false;
  bool broken_ = false;      // One of them breaks a line.
  std::size_t lines_ = 0;    // Line breaks in an asked turn's texts.
  std::vector<std::size_t> joins_;
  std::vector<std::pair<std::string_view, simdjson::dom::element>> fields_;
  std::unordered_map<std::string_view, std::size_t> calls_;
  std::size_t call_count_ = 0;
};

/// Defaults of all chat APIs: a value that equals its default adds nothing.
void add_temperature(Scope& scope, simdjson::dom::element value);  ///< Default 1.
void add_top_p(Scope& scope, simdjson::dom::element value);        ///< Default 1.
void add_max_tokens(Scope& scope, simdjson::dom::element value);
void add_stop(Scope& scope, simdjson::dom::element value);  ///< A string or an array of them; an empty array is none.
void add_reasoning_effort(Scope& scope, simdjson::dom::element value);

/// One function that the model may call. Parts of the same name are gathered in the order of adding.
struct FunctionTool {
  std::string_view name, description;
  std::optional<simdjson::dom::element> parameters;  ///< JSON schema.
  std::optional<bool> strict;  ///< As the API takes it, its default filled in. False where it has no such thing.
};
void append_function_tool(std::string& tools, const FunctionTool& tool);

/// "auto" (the default: adds nothing), "none", "required", or the name of one function.
enum class ToolChoice { automatic, none, required, function };
void add_tool_choice(Scope& scope, ToolChoice choice, std::string_view function = {});

/// `json_object`, or `json_schema` with its members; plain text is the default and adds nothing.
void add_json_object_format(Scope& scope);
void add_json_schema_format(Scope& scope, std::string_view name, simdjson::dom::element schema, bool strict,
                            std::string_view description);

}  // namespace sosie::protocol

// protocol.h: what must be known of an API to answer it from the cache: how a request reads, what of an answer is kept, and how a
// kept answer is said again.
//
// The kept form is the API's own whole (not streamed) answer, small and with its id first, so that a plain repeat needs no parsing:
// nothing is lost for a caller of the same API. For a caller of another one it goes through `Answer`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "decide/reason.h"
#include "protocol/answer.h"
#include "protocol/json.h"
#include "protocol/question.h"
#include "protocol/scope.h"

namespace sosie::protocol {

using decide::Reason;

/// Why an answer is not kept.
struct NotKept {
  NotKept() = default;
  NotKept(Reason why, std::string_view where = {}) : reason(why), field(where) {}

  Reason reason = Reason::none;  ///< None: it may be kept.
  /// What of the answer it is about, e.g. "choices[0].finish_reason", or the event that a stream lacks, e.g. "[DONE]".
  std::string field;

  bool empty() const noexcept { return reason == Reason::none; }
  /// The same of `parent`, whose inside it is about: "choices[0]" makes "choices[0].finish_reason".
  NotKept in(std::string_view parent) const;
};

/// "choices[0]".
std::string element_name(std::string_view list, std::size_t position);

/// The field of an answer that is at fault as a whole.
inline constexpr std::string_view kWholeAnswer = "(the whole answer)";

struct Kept {
  std::string answer;              ///< The kept form.
  std::vector<std::string> tools;  ///< Names of the functions it calls.
};

/// The whole answer out of the events of its stream. What it does not understand makes it give up: the stream is passed on all
/// the same, only not kept. Thread-safety: none.
class Assembler {
 public:
  virtual ~Assembler() = default;

  /// What of an event a stream of chat completions or completions has for those alone who ask for its usage.
  enum class ForUsage {
    nothing,
    member,  ///< The top-level "usage", which is null: another event has it.
    event,   ///< All of it: it says nothing but the usage.
  };

  /// One event: its `event:` name (may be empty) and its data, not empty.
  virtual ForUsage add(JsonReader& reader, std::string_view event, std::string_view data) = 0;

  /// Gives up what it has gathered, for the answer is too long to be kept; says what events are all the same.
  virtual void forget() = 0;

  /// Whether the API's own end has come: "[DONE]", "message_stop", "response.completed". Nothing of use follows.
  virtual bool done() const noexcept = 0;

  /// Whether the answer is all there though the end itself is missing; such a stream is passed on as whole, and not kept.
  virtual bool ended() const noexcept = 0;

  /// Whether the upstream itself has said, in an event of the stream, that it failed. Nothing is missing behind that.
  virtual bool failed() const noexcept = 0;

  /// Only a complete answer is kept: see `Protocol::keep`.
  virtual std::variant<Kept, NotKept> finish(JsonReader& reader, const Question& question) const = 0;
};

/// A plain answer: `head` and then `tail`, which is a view of the kept form.
struct PlainReplay {
  std::string head;
  std::string_view tail;
};

struct ReplayOptions {
  std::int64_t created = 0;     ///< Unix seconds.
  bool include_usage = false;   ///< Of streams of chat and completions.
};

/// Thread-safety: every method may be called concurrently (with a JsonReader each).
class Protocol {
 public:
  virtual ~Protocol() = default;

  virtual Surface surface() const noexcept = 0;

  /// Reads a request's body: the prompt and traits into `question`, all else that can change the answer into `scope`.
  /// Adds "api" to the scope only where the request cannot share answers with the other chat APIs whatever is configured
  /// (completions, embeddings); else the caller does. `without`: a top-level key that is the gateway's own, to be skipped; may be empty.
  virtual std::optional<BadRequest> read(simdjson::dom::object body, std::string_view without, Question& question, Scope& scope) const = 0;

  /// The kept form of a whole answer with status 200. Only a complete one is kept: it says something, ended by itself, has as
  /// many choices as were asked for. Cut off by a limit, filtered, failed, or paused ones are not.
  virtual std::variant<Kept, NotKept> keep(JsonReader& reader, std::string_view body, const Question& question) const = 0;

  /// Null: the API does not stream.
  virtual std::unique_ptr<Assembler> assembler() const = 0;

  /// Whether this is the kept form of this API, by its first bytes.
  virtual bool owns(std::string_view kept) const noexcept = 0;

  /// Why a kept answer of this API is none for who asks `question`, though scope and text say so: no_usage, not_stored. None: it is.
  virtual Reason misfit(std::string_view /*kept*/, const Question& /*question*/) const { return Reason::none; }

  /// Unset (of all that follow): `kept` is not in this API's kept form, or cannot be said so.
  virtual std::optional<PlainReplay> replay(std::string_view kept, const ReplayOptions& options) const = 0;

  /// The whole stream, event by event, each closed by a blank line; texts are cut at word borders and joined they are the kept ones.
  virtual std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept, const ReplayOptions& options) const = 0;

  virtual std::optional<Answer> to_answer(JsonReader& reader, std::string_view kept) const = 0;

  /// The kept form of an answer that came by another API. `request`: the body of the request to be answered, for what the API's
  /// answers repeat of it.
  virtual std::optional<std::string> from_answer(JsonReader& reader, const Answer& answer, std::string_view request) const = 0;

  /// An error in the API's own form: a body, and an event for a stream that breaks off (with its blank line).
  virtual std::string error_body(int status, std::string_view message, std::string_view param, std::string_view code) const = 0;
  virtual std::string error_event(int status, std::string_view message, std::string_view code) const = 0;
};

/// Lives for ever.
const Protocol& protocol_of(Surface surface) noexcept;

/// The kept form in `wanted`'s own shape, moved there through `Answer` where it is another API's. Unset: it cannot be said there.
std::optional<std::string> kept_for(const Protocol& wanted, JsonReader& reader, std::string_view kept, std::string_view request);

/// The API whose kept form this is. Null: none's.
const Protocol* owner_of(std::string_view kept) noexcept;

/// Appends `body` without the top-level member `key`, byte for byte otherwise. REQUIRES: `body` is a valid JSON object.
std::string without_member(std::string_view body, std::string_view key);

/// The same for a member within objects: "metadata.user_id". An object that this leaves empty goes, too.
std::string without_path(std::string_view body, std::string_view path);

/// The body of a request for a stream of chat completions or completions, which then says its usage at the end; byte for byte otherwise.
/// REQUIRES: `body` is a valid JSON object, its "stream_options" an object, null or absent.
std::string with_usage_asked_for(std::string_view body);

/// `prefix` and 24 characters or more of [0-9a-zA-Z], new each time. Thread-safety: safe.
std::string new_id(std::string_view prefix);

/// Pieces of about an eighth, cut behind spaces; never inside a character.
std::vector<std::string_view> cut_at_words(std::string_view text);

}  // namespace sosie::protocol

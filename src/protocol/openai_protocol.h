// openai_protocol.h: what OpenAI's APIs have in common.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "protocol/completion_answer.h"
#include "protocol/completion_assembler.h"
#include "protocol/openai_error.h"
#include "protocol/protocol.h"

namespace sosie::protocol {

/// Errors have one form.
class OpenAiProtocol : public Protocol {
 public:
  std::string error_body(int status, std::string_view message, std::string_view param,
                         std::string_view code) const override {
    return openai_error_body(status, message, param, code);
  }

  std::string error_event(int status, std::string_view message, std::string_view code) const override {
    return openai_error_event(status, message, code);
  }
};

/// Chat completions and completions: answers of choices, in one of two forms.
class CompletionProtocol : public OpenAiProtocol {
 public:
  /// `form` lives for ever.
  explicit CompletionProtocol(const CompletionForm& form) : form_(form) {}

  std::variant<Kept, NotKept> keep(JsonReader& reader, std::string_view body, const Question& question) const override {
    return keep_completion(form_, reader, body, question.traits.choices);
  }

  std::unique_ptr<Assembler> assembler() const override { return std::make_unique<CompletionAssembler>(form_); }

  Reason misfit(std::string_view kept, const Question& question) const override {
    return !question.stream && is_marked_without_usage(form_, kept) ? Reason::no_usage : Reason::none;
  }

  bool owns(std::string_view kept) const noexcept override { return owns_completion(form_, kept); }

  std::optional<PlainReplay> replay(std::string_view kept, const ReplayOptions& options) const override {
    return replay_completion(form_, kept, options.created);
  }

  std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept,
                                           const ReplayOptions& options) const override {
    return replay_completion_stream(form_, reader, kept, options);
  }

 private:
  const CompletionForm& form_;
};

}  // namespace sosie::protocol

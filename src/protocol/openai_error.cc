#include "protocol/openai_error.h"

#include "protocol/json.h"

namespace sosie::protocol {
namespace {

std::string_view type_of(int status) {
  if (status == 401) return "authentication_error";
  if (status == 403) return "permission_error";
  if (status == 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}

void append_or_null(std::string& out, std::string_view text) {
  text.empty() ? static_cast<void>(out.append("null")) : append_json_string(out, text);
}

}  // namespace

std::string openai_error_body(int status, std::string_view message, std::string_view param, std::string_view code) {
  std::string json = R"({"error":{"message":)";
  append_json_string(json, message);
  json.append(R"(,"type":)");
  append_json_string(json, type_of(status));
  json.append(R"(,"param":)");
  append_or_null(json, param);
  json.append(R"(,"code":)");
  append_or_null(json, code);
  return json.append("}}");
}

std::string openai_error_event(int status, std::string_view message, std::string_view code) {
  return "data: " + openai_error_body(status, message, {}, code) + "\n\n";
}

}  // namespace sosie::protocol

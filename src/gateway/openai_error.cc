#include "gateway/openai_error.h"

#include "gateway/json.h"

namespace sosie::gateway {
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

std::string error_object(int status, std::string_view message, std::string_view param, std::string_view code) {
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

}  // namespace

net::Reply openai_error(int status, std::string_view message, std::string_view param, std::string_view code) {
  net::Reply reply;
  reply.status = status;
  reply.body = error_object(status, message, param, code);
  return reply;
}

}  // namespace sosie::gateway

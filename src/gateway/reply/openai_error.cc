#include "gateway/reply/openai_error.h"

#include "protocol/openai_error.h"

namespace sosie::gateway {

net::Reply openai_error(int status, std::string_view message, std::string_view param, std::string_view code) {
  net::Reply reply;
  reply.status = status;
  reply.body = protocol::openai_error_body(status, message, param, code);
  return reply;
}

}  // namespace sosie::gateway

// stub_upstream: an upstream that costs next to nothing: chat, Responses and messages, plain, and chat as a stream; one thread, thousands of connections.
//
//   stub_upstream [--delay MS] [--events N] [--gap MS] [--bytes N]
//
// --delay: before an answer's head. A stream has N events with text, --gap apart. Answers carry --bytes of text that differs by request.
// GET /calls says how many POSTs have come. Prints "listening on http://127.0.0.1:PORT" and serves until it is killed.
#include <sys/resource.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using asio::use_awaitable;
using Milliseconds = std::chrono::milliseconds;

namespace {

struct Options {
  Milliseconds delay{0}, gap{0};
  std::size_t events = 8, bytes = 240;
};

Options options;
std::uint64_t calls = 0;

/// Words, the first of which tells requests apart.
std::string text_for(std::string_view body) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : body) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  std::string text = "Answer " + std::to_string(hash) + ": ";
  while (text.size() < options.bytes) text += "as you would expect ";
  text.resize(options.bytes, ' ');
  return text;
}

std::string plain_answer(std::string_view target, std::string_view body) {
  const std::string text = text_for(body);
  if (target == "/v1/chat/completions") {
    return R"({"id":"chatcmpl-1","object":"chat.completion","created":1750000000,"model":"stub-model","choices":[{"index":0,"message":{"role":"assistant","content":")" +
           text + R"("},"finish_reason":"stop"}],"usage":{"prompt_tokens":16,"completion_tokens":48,"total_tokens":64}})";
  }
  if (target == "/v1/responses") {
    return R"({"id":"resp_1","object":"response","created_at":1750000000,"status":"completed","model":"stub-model","output":[{"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"text":")" +
           text + R"("}]}],"usage":{"input_tokens":16,"output_tokens":48,"total_tokens":64}})";
  }
  if (target == "/v1/messages") {
    return R"({"id":"msg_1","type":"message","role":"assistant","model":"stub-model","content":[{"type":"text","text":")" + text +
           R"("}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":16,"output_tokens":48}})";
  }
  return R"({"object":"other","text":")" + text + "\"}";
}

std::string event(std::string_view delta, std::string_view finish_reason) {
  std::string data = R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1750000000,"model":"stub-model","choices":[{"index":0,"delta":)";
  data.append(delta).append(",\"finish_reason\":").append(finish_reason).append("}]}\n\n");
  return data;
}

/// A chunk of the body; empty: the last one.
asio::awaitable<void> write_chunk(beast::tcp_stream& stream, std::string data) {
  char size[20];
  const int digits = std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  data.insert(0, size, static_cast<std::size_t>(digits)).append("\r\n");
  co_await asio::async_write(stream, asio::buffer(data), use_awaitable);
}

asio::awaitable<void> write_stream(beast::tcp_stream& stream, std::string text) {
  http::response<http::empty_body> head(http::status::ok, 11);
  head.set(http::field::content_type, "text/event-stream");
  head.chunked(true);
  http::response_serializer<http::empty_body> serializer(head);
  co_await http::async_write_header(stream, serializer, use_awaitable);
  co_await write_chunk(stream, event(R"({"role":"assistant","content":""})", "null"));
  asio::steady_timer timer(stream.get_executor());
  auto due = std::chrono::steady_clock::now();
  for (std::size_t i = 0; i < options.events; ++i) {
    if (options.gap.count() > 0) {
      due += options.gap;
      timer.expires_at(due);
      co_await timer.async_wait(use_awaitable);
    }
    const std::size_t begin = text.size() * i / options.events, end = text.size() * (i + 1) / options.events;
    co_await write_chunk(stream, event("{\"content\":\"" + text.substr(begin, end - begin) + "\"}", "null"));
  }
  co_await write_chunk(stream, event("{}", "\"stop\"") + "data: [DONE]\n\n");
  co_await write_chunk(stream, "");
}

asio::awaitable<void> serve(tcp::socket socket) {
  try {
    socket.set_option(tcp::no_delay(true));
    beast::tcp_stream stream(std::move(socket));
    beast::flat_buffer buffer;
    asio::steady_timer timer(stream.get_executor());
    for (;;) {
      http::request<http::string_body> request;
      co_await http::async_read(stream, buffer, request, use_awaitable);
      const std::string target(request.target());
      const bool counted = request.method() == http::verb::post;
      calls += counted ? 1 : 0;
      if (counted && options.delay.count() > 0) {
        timer.expires_after(options.delay);
        co_await timer.async_wait(use_awaitable);
      }
      const std::string& body = request.body();
      const bool streamed = body.find("\"stream\": true") != std::string::npos || body.find("\"stream\":true") != std::string::npos;
      if (streamed && target == "/v1/chat/completions") {
        co_await write_stream(stream, text_for(body));
        continue;
      }
      http::response<http::string_body> response(http::status::ok, 11);
      response.set(http::field::content_type, "application/json");
      response.body() = target == "/calls" ? std::to_string(calls) : plain_answer(target, body);
      response.prepare_payload();
      co_await http::async_write(stream, response, use_awaitable);
    }
  } catch (const boost::system::system_error&) {
    // The client has left.
  }
}

asio::awaitable<void> listen(tcp::acceptor& acceptor) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(use_awaitable);
    asio::co_spawn(acceptor.get_executor(), serve(std::move(socket)), asio::detached);
  }
}

int usage() {
  std::fputs("usage: stub_upstream [--delay MS] [--events N] [--gap MS] [--bytes N]\n", stderr);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return usage();
    const std::string_view name = argv[i];
    const auto value = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--delay") {
      options.delay = Milliseconds(value);
    } else if (name == "--gap") {
      options.gap = Milliseconds(value);
    } else if (name == "--events" && value > 0) {
      options.events = value;
    } else if (name == "--bytes") {
      options.bytes = value;
    } else {
      return usage();
    }
  }
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);

  asio::io_context context(1);
  tcp::acceptor acceptor(context, {asio::ip::make_address("127.0.0.1"), 0});
  asio::co_spawn(context, listen(acceptor), asio::detached);
  std::printf("listening on http://127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  context.run();
}

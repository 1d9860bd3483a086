// serve: the gateway, with everything that needs no configuration.
#include <algorithm>
#include <csignal>
#include <cstdio>

#include "base/log.h"
#include "command.h"
#include "embed/endpoint_embedder.h"
#include "embed/local_encoder.h"
#include "gateway/server.h"
#include "gateway_settings.h"
#include "net/url.h"
#include "values.h"

namespace sosie::app {
namespace {

struct ServeArguments {
  CacheChoice cache;
  Settings settings;
  gateway::ServerOptions server;
  std::string listen;
  std::string upstream;
  std::optional<std::chrono::milliseconds> upstream_timeout, replay_pace;
};

/// As far as it can be told from the URL: a client's variables, say, that are set for the server, too.
bool is_this_server(const std::string& url, const ListenAddress& listen) {
  const auto base = net::parse_base_url(url);
  if (!base || base->port != listen.port || listen.port == 0) return false;
  const auto is_here = [](std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); };
  const bool everywhere = listen.address == "0.0.0.0" || listen.address == "::";
  return base->host == listen.address || (is_here(base->host) && (everywhere || is_here(listen.address)));
}

void greet(const gateway::Server& server, const ServeArguments& arguments, const CacheOptions& cache, const std::string& embedder) {
  const std::string url = server.url();
  std::printf("listening on %s\n", url.c_str());
  if (!arguments.settings.file.empty()) std::printf("config       %s\n", arguments.settings.file.c_str());
  std::printf("data in      %s\n", describe_store(cache).c_str());
  std::printf("encoder      %s\n", embedder.c_str());
  for (const auto& upstream : arguments.server.upstreams) {
    std::printf("upstream     %s\n", describe_upstream(upstream).c_str());
    if (const std::string doubt = doubt_upstream(upstream); !doubt.empty()) base::log_warning(doubt);
  }
  if (arguments.server.upstreams.empty())
    std::printf("upstream     none: only what is cached is answered (--upstream URL, or OPENAI_BASE_URL and OPENAI_API_KEY)\n");
  std::printf(
      "\nTry, in another terminal:\n"
      "  curl -s -H 'Authorization: Bearer demo' %s/v1/caches/demo/entries -d '{\"prompt\":\"How do I reset my password?\",\"response\":\"Settings, Security, Reset.\"}'\n"
      "  curl -s -H 'Authorization: Bearer demo' %s/v1/caches/demo/entries/search -d '{\"prompt\":\"How can I reset my password?\"}'\n"
      "  curl -s %s/metrics\n\n",
      url.c_str(), url.c_str(), url.c_str());
  std::fflush(stdout);
}

// Opens the embedder and sets what depends on its kind; returns how it is called.
Result<std::string> open_embedder(CacheOptions& cache, gateway::ServerOptions& server) {
  if (cache.embedding_endpoint) {
    auto endpoint = embed::EndpointEmbedder::open(*cache.embedding_endpoint);
    if (!endpoint) return endpoint.error();
    cache.embedder = *endpoint;
    server.embedding_model.clear();  // Callers may not ask it with our key.
    // Threads that wait for it, not that compute.
    if (server.encoder_threads == gateway::ServerOptions{}.encoder_threads) server.encoder_threads = cache.embedding_endpoint->max_connections;
    return (*endpoint)->describe();
  }
  auto encoder = embed::LocalEncoder::open(cache.encoder);
  if (!encoder) return encoder.error();
  cache.embedder = *encoder;
  server.embedding_model = (*encoder)->model_name();
  return std::string((*encoder)->model_name()) + ", " + (*encoder)->precision_name() + " with " + std::string((*encoder)->kernel_name());
}

int run_serve(ServeArguments& arguments) {
  std::signal(SIGPIPE, SIG_IGN);  // A peer, or whoever read the greeting, may hang up at any time.
  const auto listen = parse_listen(arguments.listen);
  if (!listen) return fail({ErrorCode::invalid_argument, std::string("--listen wants ") + kListenWanted + ", not " + arguments.listen});
  arguments.server.address = listen->address;
  arguments.server.port = listen->port;
  if (arguments.replay_pace) arguments.server.replay_pace = std::min(*arguments.replay_pace, kLongestPace);
  auto upstreams = find_upstreams(arguments.settings.upstreams, arguments.upstream);
  if (!upstreams) return fail(upstreams.error());
  for (auto& upstream : *upstreams) {
    if (is_this_server(upstream.base_url, *listen))
      return fail({ErrorCode::invalid_argument, "the upstream " + upstream.base_url + " is this server itself: name the API that it stands in front of"});
    if (arguments.upstream_timeout) allow_silence(upstream, *arguments.upstream_timeout);
  }
  arguments.server.upstreams = std::move(*upstreams);
  auto options = choose_cache(arguments.cache);
  if (!options) return fail(options.error());
  const auto embedder = open_embedder(*options, arguments.server);
  if (!embedder) return fail(embedder.error());
  auto cache = SemanticCache::open(*options);
  if (!cache) return fail(cache.error());
  auto server = gateway::Server::start(std::make_shared<SemanticCache>(std::move(*cache)), arguments.server);
  if (!server) return fail(server.error());
  server->run_until_signal([&] { greet(*server, arguments, *options, *embedder); });
  return kOk;
}

}  // namespace

void add_serve(CLI::App& app, const Settings& settings, Run& run) {
  static ServeArguments arguments;
  arguments.settings = settings;
  arguments.server = settings.server;
  arguments.listen = settings.listen;
  auto* command = app.add_subcommand("serve", "Serve the OpenAI-compatible gateway and the LangCache routes");
  command->add_option("--listen", arguments.listen, "IP address, or localhost (127.0.0.1), and port; port 0: any free one")->capture_default_str();
  command->add_option("--upstream", arguments.upstream,
                      "API that answers misses, e.g. https://api.openai.com/v1 (default: those of the configuration file, else of "
                      "$OPENAI_BASE_URL and $ANTHROPIC_BASE_URL). $OPENAI_API_KEY, where set, is sent to it; else the caller's key is passed on");
  add_duration(*command, "--upstream-timeout", arguments.upstream_timeout,
               "Longest silence of the upstreams: to the answer's headers, and between its pieces (default: 600s, 60s)");
  command
      ->add_option_function<std::vector<std::string>>(
          "--compat",
          [](const std::vector<std::string>& names) {
            const auto compat = parse_compat(names);
            if (!compat) throw CLI::ValidationError("--compat", std::string("wants any ") + kCompatWanted);
            arguments.server.compat = *compat;
          },
          "Whose headers are understood and given besides our own: litellm, portkey, helicone, cloudflare, bifrost (default: litellm)")
      ->delimiter(',')
      ->type_name("NAMES");
  command->add_flag("--opt-in", arguments.server.opt_in, "Only requests that ask for the cache use it");
  add_duration(*command, "--replay-pace", arguments.replay_pace, "Between two events of a stream from the cache; 0s: none, the default",
               std::chrono::milliseconds{0});
  command->add_option("--encoder-threads", arguments.server.encoder_threads, "Lookups by meaning at a time")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  command->add_option("--io-threads", arguments.server.io_threads, "Threads that run the sockets")->check(CLI::Range(1, 256))->capture_default_str();
  add_bytes(*command, "--max-body-bytes", arguments.server.max_body_bytes, "Larger requests get 413, e.g. 64MB")->default_str("32MB");
  command
      ->add_option_function<std::string>(
          "--expiry",
          [](const std::string& name) { arguments.cache.options.expiry = name == "sliding" ? Expiry::sliding : Expiry::absolute; },
          "absolute: --ttl counts from storing; sliding: from the last hit")
      ->check(CLI::IsMember({"absolute", "sliding"}))
      ->type_name("NAME");
  add_cache_options(*command, settings, arguments.cache);
  command->footer(
      "Examples:\n"
      "  sosie serve\n"
      "  sosie serve --listen 127.0.0.1:9000 --data /var/lib/sosie --upstream http://127.0.0.1:11434/v1 --ttl 7d");
  command->callback([&run] { run = [] { return run_serve(arguments); }; });
}

}  // namespace sosie::app

// What sosie.litellm stands on: RedisCore and its two drivers, with questions and answers as Python objects.
#include <pybind11/stl.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cache/redis_core.h"
#include "cache/redis_engine.h"
#include "convert.h"
#include "recent_embedder.h"
#include "rooms.h"
#include "text/token_window.h"

namespace sosie::python {
namespace {

using cache::RedisAnswer;
using cache::RedisPeer;
using cache::RedisQuestion;
using cache::RedisWrite;
using Answer = std::optional<RedisAnswer>;
using SharedQuestion = std::shared_ptr<RedisQuestion>;

/// A Python function that C++ threads may hold, call and drop.
class Callback {
 public:
  explicit Callback(py::object function) : function_(new py::object(std::move(function)), &drop) {}

  /// Calls it with what `make` makes. A loop that has been closed meanwhile raises, and nobody is left to be told.
  template <class Make>
  void operator()(Make&& make) const {
    py::gil_scoped_acquire gil;
    try {
      (*function_)(make());
    } catch (py::error_already_set& failure) {
      failure.discard_as_unraisable("sosie: telling the end of an asynchronous call");
    }
  }

 private:
  static void drop(py::object* function) {
    py::gil_scoped_acquire gil;
    delete function;
  }
  std::shared_ptr<py::object> function_;
};

py::object answer_object(Answer answer) {
  if (!answer) return py::none();
  return py::cast(std::make_shared<RedisAnswer>(std::move(*answer)));
}

/// The error as an exception object, to be given to a future.
py::object exception_object(const Error& error) {
  const py::object type = py::module_::import("sosie._errors").attr("error_class")(std::string(to_string(error.code)));
  return type(error.message);
}

class Core {
 public:
  Core(std::unique_ptr<cache::RedisEngine> engine, std::shared_ptr<RecentEmbedder> embedder,
       std::shared_ptr<std::atomic<std::size_t>> max_tokens)
      : engine_(std::move(engine)), embedder_(std::move(embedder)), max_tokens_(std::move(max_tokens)) {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() { close(); }

  /// Waits for asynchronous calls under way.
  void close() {
    if (!engine_) return;
    auto last = std::move(engine_);
    last_stats_ = last->core().stats();
    unlocked([&] { last.reset(); });
  }

  void set_max_input_tokens(std::size_t tokens) { *max_tokens_ = tokens; }

  SharedQuestion question(const py::object& key, const std::string& request) const {
    const std::string key_bytes = bytes_of(key, "key");
    auto engine = open();
    auto made = value_of(unlocked_for(request.size(), [&] {
      const auto mine = std::move(engine);
      return mine->core().question(key_bytes, {.request = request});
    }));
    return made ? std::make_shared<RedisQuestion>(std::move(*made)) : nullptr;
  }

  /// `vector`: the prompt's, where it is known; else None, and the core embeds.
  py::object find(const SharedQuestion& question, const py::object& vector, const py::object& done) const {
    RedisQuestion asked = *question;
    if (!vector.is_none()) asked.embedding = floats(vector.cast<py::buffer>());
    return run<Answer>(job(&cache::RedisCore::find, std::move(asked)), done);
  }

  py::object find_exact(const SharedQuestion& question, const py::object& done) const {
    return run<Answer>(job(&cache::RedisCore::find_exact, *question), done);
  }

  py::object find_near(const SharedQuestion& question, const py::buffer& vector, const py::object& done) const {
    RedisQuestion asked = *question;
    asked.embedding = floats(vector);
    return run<Answer>(job(&cache::RedisCore::find_near, std::move(asked)), done);
  }

  /// `writes`: (question, vector or None, value, ttl in seconds or None).
  py::object store(const std::vector<std::tuple<SharedQuestion, py::object, py::object, std::optional<double>>>& writes,
                   const py::object& done) const {
    std::vector<RedisWrite> made;
    for (const auto& [question, vector, value, ttl] : writes) {
      RedisWrite& write = made.emplace_back(RedisWrite{*question, bytes_of(value, "value"), ttl});
      if (!vector.is_none()) write.question.embedding = floats(vector.cast<py::buffer>());
    }
    cache::RedisCore* core = &open()->core();
    return run<void>([core, made = std::move(made)](RedisPeer& peer) { return core->store(peer, made); }, done);
  }

  void count(const std::shared_ptr<RedisAnswer>& answer) const {
    if (engine_) engine_->core().count(answer ? Answer(RedisAnswer{{}, answer->similarity, answer->exact}) : Answer());
  }
  void count_fault() const {
    if (engine_) engine_->core().count(Error{});
  }
  void count_embedding() { ++embeddings_; }

  RedisCacheStats stats() const {
    RedisCacheStats stats = engine_ ? engine_->core().stats() : last_stats_;
    stats.embeddings = embedder_ ? embedder_->embedded() : embeddings_.load();
    return stats;
  }

 private:
  static std::vector<float> floats(const py::buffer& buffer) {
    const py::buffer_info info = buffer.request();
    if (info.format != py::format_descriptor<float>::format() || info.ndim != 1 || info.strides[0] != sizeof(float) ||
        info.size == 0) {
      raise({ErrorCode::invalid_argument, "a vector must be an array of float32"});
    }
    const auto* data = static_cast<const float*>(info.ptr);
    return {data, data + info.size};
  }

  std::shared_ptr<cache::RedisEngine> open() const {
    if (!engine_) throw py::value_error("the cache is closed");
    return engine_;
  }

  using Step = net::Task<Result<Answer>> (cache::RedisCore::*)(RedisPeer&, RedisQuestion);

  cache::RedisEngine::Job<Answer> job(Step step, RedisQuestion question) const {
    cache::RedisCore* core = &open()->core();
    return [core, step, question = std::move(question)](RedisPeer& peer) { return (core->*step)(peer, question); };
  }

  /// Blocks and returns the result, or returns at once and calls `done` with the result or an exception later.
  template <class T>
  py::object run(cache::RedisEngine::Job<T> job, const py::object& done) const {
    auto engine = open();
    if (done.is_none()) {
      Result<T> result = unlocked([&] {
        const auto mine = std::move(engine);  // the last one waits for threads that want the GIL
        return mine->template block<T>(job);
      });
      return object_of(std::move(result), [](const Error& error) -> py::object { raise(error); });
    }
    std::function<void(Result<T>)> tell = [callback = Callback(done)](Result<T> result) {
      callback([&] { return object_of(std::move(result), exception_object); });
    };
    unlocked([&] {
      const auto mine = std::move(engine);
      mine->template spawn<T>(std::move(job), std::move(tell));
    });
    return py::none();
  }

  template <class T, class OnError>
  static py::object object_of(Result<T> result, OnError&& on_error) {
    if (!result) return on_error(result.error());
    if constexpr (std::is_void_v<T>) {
      return py::none();
    } else {
      return answer_object(std::move(*result));
    }
  }

  std::shared_ptr<cache::RedisEngine> engine_;
  std::shared_ptr<RecentEmbedder> embedder_;  // null: LiteLLM embeds
  std::shared_ptr<std::atomic<std::size_t>> max_tokens_;
  std::atomic<std::uint64_t> embeddings_{0};  // by LiteLLM
  RedisCacheStats last_stats_;
};

/// One of the keyword arguments; all are given.
template <class T>
T setting(const py::kwargs& settings, const char* name) {
  return settings[name].cast<T>();
}
std::string text_setting(const py::kwargs& settings, const char* name) {
  return setting<std::optional<std::string>>(settings, name).value_or("");
}

std::unique_ptr<Core> open_core(const py::kwargs& settings) {
  RedisSemanticCacheOptions options;
  options.host = text_setting(settings, "host");
  options.port = text_setting(settings, "port");
  options.password = text_setting(settings, "password");
  options.redis_url = setting<std::optional<std::string>>(settings, "redis_url");
  options.similarity_threshold = setting<double>(settings, "similarity_threshold");
  options.embedding_model = setting<std::string>(settings, "embedding_model");
  options.index_name = setting<std::string>(settings, "index_name");
  options.embedding_max_input_tokens = setting<std::optional<std::size_t>>(settings, "embedding_max_input_tokens");
  options.embedding_timeout = duration(settings["embedding_timeout"], "embedding_timeout");
  options.connection.username = text_setting(settings, "username");
  options.connection.password = options.password;
  options.connection.db = setting<int>(settings, "db");
  options.connection.tls.enabled = setting<bool>(settings, "ssl");
  options.connection.tls.verify = setting<bool>(settings, "ssl_verify");
  options.connection.tls.ca_file = text_setting(settings, "ca_file");
  options.connection.tls.client_certificate = text_setting(settings, "certificate");
  options.connection.tls.client_key = text_setting(settings, "key");
  const auto connect_timeout = duration(settings["connect_timeout"], "socket_connect_timeout");
  if (connect_timeout) options.connection.connect_timeout = *connect_timeout;
  const auto command_timeout = duration(settings["command_timeout"], "socket_timeout");
  if (command_timeout) options.connection.command_timeout = *command_timeout;
  options.connection.pool_size = setting<std::size_t>(settings, "pool_size");
  options.index = setting<bool>(settings, "hnsw") ? RedisIndex::hnsw : RedisIndex::flat;
  options.compat = setting<bool>(settings, "upstream") ? Compat::upstream : Compat::sosie;

  std::shared_ptr<RecentEmbedder> embedder;
  auto max_tokens = std::make_shared<std::atomic<std::size_t>>(options.embedding_max_input_tokens.value_or(0));
  cache::RedisCore::Unseen unseen;
  if (const auto local = cache::local_model(options.embedding_model)) {
    embedder = std::make_shared<RecentEmbedder>(value_of(unlocked([&] { return open_local_encoder(*local); })));
    options.embedder = embedder;
  } else {
    // A Router may set the limit after the cache was made, so it is looked up at each use.
    unseen = [max_tokens](std::string_view text) {
      const std::size_t tokens = *max_tokens;
      if (tokens == 0) return std::string();
      return std::string(text.substr(text::window_of(text, tokens).size()));
    };
  }
  auto core = value_of(unlocked([&] { return cache::RedisCore::open(std::move(options), std::move(unseen)); }));
  auto engine = std::make_unique<cache::RedisEngine>(std::move(core));
  return std::make_unique<Core>(std::move(engine), std::move(embedder), std::move(max_tokens));
}

}  // namespace

void bind_litellm_core(py::module_& module) {
  py::class_<RedisQuestion, SharedQuestion>(module, "RedisQuestion")
      .def_readonly("id", &RedisQuestion::id)
      .def_property_readonly("prompt", [](const RedisQuestion& q) { return text_of(q.prompt); })
      .def_readonly("same_text_only", &RedisQuestion::same_text_only);
  py::class_<RedisAnswer, std::shared_ptr<RedisAnswer>>(module, "RedisAnswer")
      .def_property_readonly("stored", [](const RedisAnswer& a) { return py::bytes(a.stored); })
      .def_readonly("similarity", &RedisAnswer::similarity)
      .def_readonly("exact", &RedisAnswer::exact);
  py::class_<RedisCacheStats>(module, "RedisCacheStats")
      .def_readonly("exact_hits", &RedisCacheStats::exact_hits)
      .def_readonly("semantic_hits", &RedisCacheStats::semantic_hits)
      .def_readonly("misses", &RedisCacheStats::misses)
      .def_readonly("stored", &RedisCacheStats::stored)
      .def_readonly("embeddings", &RedisCacheStats::embeddings)
      .def_readonly("faults", &RedisCacheStats::faults);
  py::class_<Core>(module, "RedisCore")
      .def(py::init(&open_core))
      .def("question", &Core::question, py::arg("key"), py::arg("request"))
      .def("find", &Core::find, py::arg("question"), py::arg("vector"), py::arg("done") = py::none())
      .def("find_exact", &Core::find_exact, py::arg("question"), py::arg("done") = py::none())
      .def("find_near", &Core::find_near, py::arg("question"), py::arg("vector"), py::arg("done") = py::none())
      .def("store", &Core::store, py::arg("writes"), py::arg("done") = py::none())
      .def("count", &Core::count, py::arg("answer").none(true))
      .def("count_fault", &Core::count_fault)
      .def("count_embedding", &Core::count_embedding)
      .def("set_max_input_tokens", &Core::set_max_input_tokens, py::arg("tokens"))
      .def("stats", &Core::stats)
      .def("close", &Core::close);
}

}  // namespace sosie::python

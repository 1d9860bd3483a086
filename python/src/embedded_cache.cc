// sosie.SemanticCache and its encoders.
#include <pybind11/stl.h>
#include <pybind11/stl/filesystem.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "convert.h"
#include "embed/endpoint_embedder.h"
#include "embed/local_encoder.h"
#include "rooms.h"
#include "sosie/cache.h"

namespace sosie::python {
namespace {

template <class Enum>
Enum named(const std::string& given, const char* what, std::initializer_list<std::pair<const char*, Enum>> names) {
  std::string allowed;
  for (const auto& [name, value] : names) {
    if (given == name) return value;
    allowed += (allowed.empty() ? "" : ", ") + std::string(name);
  }
  raise({ErrorCode::invalid_argument, std::string(what) + " must be one of: " + allowed});
}

using SharedEncoder = std::shared_ptr<Embedder>;

std::shared_ptr<embed::LocalEncoder> open_encoder(const std::optional<std::filesystem::path>& model, const std::string& precision,
                           std::size_t threads, const std::string& prefix) {
  LocalEncoderOptions options;
  options.prefix = prefix;
  options.model = model.value_or(std::filesystem::path{});
  options.precision = named<Precision>(precision, "precision",
                                       {{"automatic", Precision::automatic},
                                        {"f32", Precision::f32},
                                        {"bf16", Precision::bf16},
                                        {"int8", Precision::int8}});
  options.threads = threads;
  return value_of(unlocked([&] { return embed::LocalEncoder::open(options); }));
}

std::shared_ptr<embed::EndpointEmbedder> open_endpoint(const std::string& model, const std::string& url, const std::string& api_key,
                                                       const py::object& timeout, std::size_t dimension, std::size_t max_tokens,
                                                       const std::string& prefix, std::size_t max_connections) {
  RemoteEmbedderOptions options;
  options.url = url;
  options.model = model;
  options.api_key = api_key;
  if (const auto given = duration(timeout, "timeout")) options.timeout = *given;
  options.dimension = dimension;
  options.max_tokens = max_tokens;
  options.prefix = prefix;
  options.max_connections = max_connections;
  return value_of(unlocked([&] { return embed::EndpointEmbedder::open(options); }));
}

std::vector<std::shared_ptr<const Embedding>> embed_texts(const SharedEncoder& encoder, const std::vector<py::object>& texts) {
  std::vector<std::string> bytes;
  for (const auto& text : texts) bytes.push_back(bytes_of(text, "a text"));
  auto embedded = value_of(unlocked([&] {
    const std::vector<std::string_view> views(bytes.begin(), bytes.end());
    return encoder->embed(views);
  }));
  std::vector<std::shared_ptr<const Embedding>> result;
  for (auto& one : embedded) result.push_back(std::make_shared<const Embedding>(std::move(one)));
  return result;
}

/// The cache behind a door that can be closed. The pointer is touched with the GIL held only.
class Cache {
 public:
  explicit Cache(std::shared_ptr<SemanticCache> cache) : cache_(std::move(cache)) {}
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;
  ~Cache() { close(); }

  /// Calls under way on other threads end first; the last of them closes the store.
  void close() {
    if (auto last = std::move(cache_)) unlocked([&] { last.reset(); });
  }

  template <class Work>
  auto with(Work&& work) const {
    if (!cache_) throw py::value_error("the cache is closed");
    auto cache = cache_;
    return value_of(unlocked([&] {
      const auto mine = std::move(cache);  // the last one closes the store, which takes its time
      return work(*mine);
    }));
  }

  bool closed() const { return cache_ == nullptr; }

 private:
  std::shared_ptr<SemanticCache> cache_;
};

std::unique_ptr<Cache> open_cache(const std::optional<std::filesystem::path>& data, double threshold,
                                  const py::object& ttl, const std::string& expiry, std::uint64_t max_bytes,
                                  const std::string& durability, const SharedEncoder& encoder,
                                  const std::optional<std::filesystem::path>& model, const std::string& precision,
                                  std::size_t threads) {
  CacheOptions options;
  options.data = data.value_or(std::filesystem::path{});
  options.threshold = {threshold};
  options.ttl = duration(ttl, "ttl");
  options.expiry = named<Expiry>(expiry, "expiry", {{"absolute", Expiry::absolute}, {"sliding", Expiry::sliding}});
  options.max_bytes = max_bytes;
  options.durability = named<Durability>(
      durability, "durability", {{"power_loss", Durability::power_loss}, {"process_crash", Durability::process_crash}});
  options.embedder = encoder ? encoder : open_encoder(model, precision, threads, "");
  return std::make_unique<Cache>(value_of(unlocked([&]() -> Result<std::shared_ptr<SemanticCache>> {
    auto opened = SemanticCache::open(std::move(options));
    if (!opened) return std::move(opened).error();
    return std::make_shared<SemanticCache>(std::move(*opened));
  })));
}

Lookup lookup(const Cache& cache, const py::object& prompt, const py::object& scope, const py::object& attributes,
              std::optional<double> threshold, const py::object& max_age, std::size_t max_results,
              const std::string& layers, bool ignore_case, std::shared_ptr<const Embedding> embedding) {
  const std::string prompt_bytes = bytes_of(prompt, "prompt"), scope_bytes = bytes_of(scope, "scope");
  const Query query{prompt_bytes, scope_bytes, attributes_of(attributes)};
  LookupOptions how;
  how.layers = named<Layers>(
      layers, "layers",
      {{"exact_then_semantic", Layers::exact_then_semantic}, {"exact", Layers::exact}, {"semantic", Layers::semantic}});
  if (threshold) how.threshold = Similarity{*threshold};
  how.max_age = duration(max_age, "max_age");
  how.max_results = max_results;
  how.ignore_case = ignore_case;
  how.embedding = std::move(embedding);
  return cache.with([&](SemanticCache& open) { return open.lookup(query, how); });
}

std::string store(const Cache& cache, const py::object& prompt, const py::object& response, const py::object& scope,
                  const py::object& attributes, const py::object& ttl, double cost,
                  std::shared_ptr<const Embedding> embedding) {
  const std::string prompt_bytes = bytes_of(prompt, "prompt"), scope_bytes = bytes_of(scope, "scope");
  const std::string response_bytes = bytes_of(response, "response");
  const Query query{prompt_bytes, scope_bytes, attributes_of(attributes)};
  const StoreOptions how{duration(ttl, "ttl"), cost, std::move(embedding)};
  return cache.with([&](SemanticCache& open) { return open.store(query, response_bytes, how); });
}

std::shared_ptr<const Entry> get(const Cache& cache, const std::string& id) {
  auto found = cache.with([&](SemanticCache& open) { return open.get(id); });
  return found ? std::make_shared<const Entry>(std::move(*found)) : nullptr;
}

std::uint64_t erase_where(const Cache& cache, const py::object& attributes, const py::object& scope) {
  const std::string scope_bytes = bytes_of(scope, "scope");
  const Attributes wanted = attributes_of(attributes);
  return cache.with([&](SemanticCache& open) { return open.erase(scope_bytes, wanted); });
}

std::uint64_t clear(const Cache& cache, const py::object& scope) {
  if (scope.is_none()) return cache.with([](SemanticCache& open) { return open.clear(); });
  const std::string scope_bytes = bytes_of(scope, "scope");
  return cache.with([&](SemanticCache& open) { return open.clear(scope_bytes); });
}

void bind_results(py::module_& module) {
  py::class_<Embedding, std::shared_ptr<Embedding>>(
      module, "Embedding", "A text's vector. Give it to `store`, so that one embedding is enough.")
      .def_property_readonly("vector", [](const Embedding& e) { return e.vector; })
      .def_readonly("tokens", &Embedding::tokens)
      .def_readonly("truncated", &Embedding::truncated)
      .def("__len__", [](const Embedding& e) { return e.vector.size(); })
      .def("__repr__", [](const Embedding& e) {
        return "Embedding(dimension=" + std::to_string(e.vector.size()) + ", tokens=" + std::to_string(e.tokens) + ")";
      });
  py::class_<Entry, std::shared_ptr<Entry>>(module, "Entry", "One stored answer; immutable.")
      .def_readonly("id", &Entry::id)
      .def_property_readonly("scope", [](const Entry& e) { return text_of(e.scope); })
      .def_property_readonly("prompt", [](const Entry& e) { return text_of(e.prompt); })
      .def_property_readonly("response", [](const Entry& e) { return text_of(e.response); })
      .def_property_readonly("attributes", [](const Entry& e) { return dict_of(e.attributes); })
      .def_property_readonly("created", [](const Entry& e) { return datetime(e.created); })
      .def_property_readonly("expires", [](const Entry& e) { return e.expires ? datetime(*e.expires) : py::none(); })
      .def("__repr__", [](const Entry& e) { return "Entry(id='" + e.id + "')"; });  // no prompt: reprs end in logs
  py::class_<Hit>(module, "Hit", "An entry that answers the question; `similarity` is 1 for the same text only.")
      .def_property_readonly("entry", [](const Hit& h) { return std::const_pointer_cast<Entry>(h.entry); })
      .def_property_readonly("response", [](const Hit& h) { return text_of(h.entry->response); })
      .def_property_readonly("similarity", [](const Hit& h) { return h.similarity.value; })
      .def_property_readonly("layer", [](const Hit& h) { return std::string(to_string(h.layer)); })
      .def_property_readonly("age", [](const Hit& h) { return timedelta(h.age); })
      .def("__repr__", [](const Hit& h) {
        return "Hit(id='" + h.entry->id +
               "', similarity=" + py::repr(py::float_(h.similarity.value)).cast<std::string>() + ", layer='" +
               std::string(to_string(h.layer)) + "')";
      });
  py::class_<Lookup>(module, "Lookup",
                     "What `lookup` found, best first; true where there is a hit. `reason` says why not.")
      .def_readonly("hits", &Lookup::hits)
      .def_property_readonly(
          "hit", [](const Lookup& l) -> py::object { return l.hit() ? py::cast(l.hits.front()) : py::none(); })
      .def_property_readonly("response",
                             [](const Lookup& l) -> py::object {
                               if (!l.hit()) return py::none();
                               return text_of(l.hits.front().entry->response);
                             })
      .def_property_readonly("reason", [](const Lookup& l) { return std::string(to_string(l.reason)); })
      .def_property_readonly(
          "nearest", [](const Lookup& l) { return l.nearest ? std::optional<double>(l.nearest->value) : std::nullopt; })
      .def_property_readonly("embedding",
                             [](const Lookup& l) { return std::const_pointer_cast<Embedding>(l.embedding); })
      .def("__bool__", &Lookup::hit)
      .def("__repr__", [](const Lookup& l) {
        return "Lookup(hits=" + std::to_string(l.hits.size()) + ", reason='" + std::string(to_string(l.reason)) + "')";
      });
  py::class_<CacheStats>(module, "CacheStats", "Sizes now, and counts since the cache was opened.")
      .def_readonly("entries", &CacheStats::entries)
      .def_readonly("bytes", &CacheStats::bytes)
      .def_readonly("scopes", &CacheStats::scopes)
      .def_readonly("exact_hits", &CacheStats::exact_hits)
      .def_readonly("semantic_hits", &CacheStats::semantic_hits)
      .def_readonly("misses", &CacheStats::misses)
      .def_readonly("stored", &CacheStats::stored)
      .def_readonly("evicted", &CacheStats::evicted)
      .def_readonly("expired", &CacheStats::expired)
      .def_readonly("erased", &CacheStats::erased)
      .def_readonly("damaged", &CacheStats::damaged)
      .def_readonly("embeddings", &CacheStats::embeddings)
      .def_property_readonly("reembedded", [](const CacheStats& s) { return s.reembedded.moved; })
      .def_property_readonly("reembed_left", [](const CacheStats& s) { return s.reembedded.left; });
}

}  // namespace

void bind_embedded_cache(py::module_& module) {
  bind_results(module);
  py::class_<Embedder, SharedEncoder>(module, "Encoder", "Turns texts into vectors: a LocalEncoder or a RemoteEncoder. May be shared by caches and threads.")
      .def_property_readonly("dimension", &Embedder::dimension)
      .def_property_readonly("fingerprint", [](const Embedder& e) { return std::string(e.fingerprint()); })
      .def_property_readonly("max_tokens", &Embedder::max_tokens)
      .def("embed", &embed_texts, py::arg("texts"), "One Embedding a text, in order.");
  py::class_<embed::LocalEncoder, Embedder, std::shared_ptr<embed::LocalEncoder>>(module, "LocalEncoder",
                                                                                 R"(A sentence encoder that runs in this process.

`model`: a folder with a BERT-family encoder; None: the default model, all-MiniLM-L6-v2, where script/bootstrap puts it.
`precision`: automatic, f32, bf16 or int8. `threads`: those that share one `embed` call.
`prefix`: put before every text, as some models want it ("query: " for e5).)")
      .def(py::init(&open_encoder), py::arg("model") = py::none(), py::kw_only(), py::arg("precision") = "automatic",
           py::arg("threads") = 1, py::arg("prefix") = "");
  py::class_<embed::EndpointEmbedder, Embedder, std::shared_ptr<embed::EndpointEmbedder>>(
      module, "RemoteEncoder", R"(A model behind an endpoint with OpenAI's API: OpenAI, Ollama, vLLM, a sosie server.

`model`: as the endpoint calls it. `url`: e.g. "http://127.0.0.1:11434/v1"; "": $OPENAI_BASE_URL, else OpenAI's.
`api_key`: sent as a bearer token; "": $OPENAI_API_KEY where `url` is "" or OpenAI's, else none. `timeout`: of a call, seconds or a timedelta.
`dimension`: floats in its vectors; 0: known by the model's name, else the endpoint is asked at once.
`max_tokens`: the model's window, never more than it really is: what lies beyond must be equal in two texts that are to match by
meaning. 0: OpenAI's models' 8191, else 256. Counted in bytes, for no token is shorter.
`prefix`: put before every text. `max_connections`: calls at a time.

After a call that failed, calls fail at once for a while.)")
      .def(py::init(&open_endpoint), py::arg("model"), py::kw_only(), py::arg("url") = "", py::arg("api_key") = "",
           py::arg("timeout") = 5.0, py::arg("dimension") = 0, py::arg("max_tokens") = 0, py::arg("prefix") = "",
           py::arg("max_connections") = 32);
  py::class_<Cache>(module, "SemanticCache", R"(A semantic cache in this process: an exact layer before a semantic one.

`data`: folder of the store's files, made if absent, one process at a time; None: in memory only.
`threshold`: least similarity of a hit, 0 to 1; 1: the same text only.
`ttl`: life of an entry, seconds or a timedelta; None: for ever.
`expiry`: "absolute", or "sliding" (a hit renews the ttl).
`max_bytes`: the least valuable entries leave first.
`durability`: "power_loss" or "process_crash": what a stored entry survives.
`encoder`: a LocalEncoder or RemoteEncoder to share; else one is opened with `model`, `precision` and `threads`.

Thread-safe; the GIL is free while it works. A context manager.)")
      .def(py::init(&open_cache), py::arg("data") = py::none(), py::kw_only(), py::arg("threshold") = 0.85,
           py::arg("ttl") = py::none(), py::arg("expiry") = "absolute", py::arg("max_bytes") = std::uint64_t{1} << 30,
           py::arg("durability") = "power_loss", py::arg("encoder") = py::none(), py::arg("model") = py::none(),
           py::arg("precision") = "automatic", py::arg("threads") = 1)
      .def("lookup", &lookup, py::arg("prompt"), py::kw_only(), py::arg("scope") = "",
           py::arg("attributes") = py::none(), py::arg("threshold") = py::none(), py::arg("max_age") = py::none(),
           py::arg("max_results") = 1, py::arg("layers") = "exact_then_semantic", py::arg("ignore_case") = false,
           py::arg("embedding") = py::none(),
           R"(Finds answers to the same question, then to one that means the same.

`scope`: a hard fence (tenant, model, …): only entries of an equal scope answer.
`attributes`: only entries with all of these.
`threshold`: instead of the cache's. `max_age`: ignore older entries. `layers`: exact_then_semantic, exact or semantic.
`ignore_case`: the exact layer compares case-folded texts. `embedding`: the prompt's, where it is known.)")
      .def("store", &store, py::arg("prompt"), py::arg("response"), py::kw_only(), py::arg("scope") = "",
           py::arg("attributes") = py::none(), py::arg("ttl") = py::none(), py::arg("cost") = 0.0,
           py::arg("embedding") = py::none(),
           R"(Stores or replaces an answer and returns the entry's id; durable on return.

`ttl`: instead of the cache's. `cost`: what the answer cost to make; dear ones stay longer.
`embedding`: from `lookup`.)")
      .def(
          "get", [](const Cache& c, const std::string& id) { return std::const_pointer_cast<Entry>(get(c, id)); },
          py::arg("id"), "The entry, or None. Does not count as a hit.")
      .def(
          "erase",
          [](const Cache& c, const std::string& id) { return c.with([&](SemanticCache& o) { return o.erase(id); }); },
          py::arg("id"), "Erases an entry; whether there was one.")
      .def("erase_where", &erase_where, py::arg("attributes"), py::kw_only(), py::arg("scope") = "",
           "Erases the scope's entries that have all of `attributes` (at least one); returns how many.")
      .def("clear", &clear, py::arg("scope") = py::none(),
           "Erases a scope's entries, or every entry; returns how many.")
      .def(
          "sweep", [](const Cache& c) { return c.with([](SemanticCache& o) { return o.sweep(); }); },
          "Removes expired entries now; they are never returned in any case.")
      .def(
          "reembed",
          [](const Cache& c, std::size_t most) { return c.with([most](SemanticCache& o) { return o.reembed(most); }).left; },
          py::arg("most") = 16,
          R"(Embeds some entries anew that were stored with another encoder, and are found by their exact text only until then; returns how
many entries are left to be looked at.

Call it until that is 0, on any thread. `most`: entries looked at, fewer where texts are long; 0: only says how many are left.)")
      .def(
          "stats",
          [](const Cache& c) { return c.with([](SemanticCache& o) { return Result<CacheStats>(o.stats()); }); },
          "A CacheStats.")
      .def("close", &Cache::close, "Closes the store; calls under way on other threads end first.")
      .def_property_readonly("closed", &Cache::closed)
      .def("__enter__", [](py::object self) { return self; })
      .def("__exit__", [](Cache& c, const py::args&) { c.close(); });
}

}  // namespace sosie::python

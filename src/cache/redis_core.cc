#include "cache/redis_core.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <map>
#include <utility>

#include "base/digest.h"
#include "base/log.h"
#include "base/number.h"
#include "decide/threshold.h"
#include "text/answer_kind.h"
#include "text/prompt.h"
#include "text/python_text.h"
#include "text/python_value.h"
#include "text/token_window.h"
#include "text/turns.h"
#include "text/utf8.h"

namespace sosie::cache {
namespace {

using net::Task;
using redis::Pipeline;
using redis::Reply;

constexpr std::string_view kDefaultIndex = "litellm_semantic_cache_index";
constexpr std::string_view kLocalModel = "local/";
constexpr std::string_view kDefaultLocalModel = "all-MiniLM-L6-v2";
constexpr std::chrono::milliseconds kDefaultEmbeddingTimeout{5'000};
// How many hits are looked at when the first one may not answer.
constexpr std::size_t kWiderSearch = 10;
constexpr std::chrono::milliseconds kHnswCheckInterval{1'000};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Error missing(const std::string& what) {
  return {ErrorCode::invalid_argument, "Missing required Redis configuration: " + what + ". Provide " + what + " or redis_url."};
}

/// Where the server is, as upstream finds it.
Result<RedisOptions> find_server(const RedisSemanticCacheOptions& options) {
  RedisOptions server = options.connection;
  if (options.redis_url) {
    server.url = options.redis_url->empty() ? environment("REDIS_URL") : *options.redis_url;
    if (server.url.empty()) return Error{ErrorCode::invalid_argument, "redis_url is empty, and so is REDIS_URL: name the server in one of them"};
    return server;
  }
  const std::string host = options.host.empty() ? environment("REDIS_HOST") : options.host;
  const std::string port = options.port.empty() ? environment("REDIS_PORT") : options.port;
  const std::string password = options.password.empty() ? environment("REDIS_PASSWORD") : options.password;
  if (host.empty()) return missing("REDIS_HOST");
  if (port.empty()) return missing("REDIS_PORT");
  if (password.empty()) return missing("REDIS_PASSWORD");
  server.url = "redis://" + (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port;
  server.password = password;
  return server;
}

std::chrono::milliseconds find_embedding_timeout(const RedisSemanticCacheOptions& options) {
  if (options.embedding_timeout) return *options.embedding_timeout;
  const std::string text = environment("SEMANTIC_CACHE_EMBEDDING_TIMEOUT_SECONDS");
  const auto seconds = base::read_double(text);
  if (!seconds || !(*seconds > 0) || *seconds > 86'400) return kDefaultEmbeddingTimeout;
  return std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
}

double system_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::microseconds>(now).count()) / 1e6;
}

// Of ASCII, whatever the locale takes for one.
bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

/// Letters, digits and a few marks; anything else becomes "-".
std::string name_part(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (!is_letter_or_digit(c) && c != '.' && c != '_') c = '-';
  }
  return out;
}

Result<void> check_ttl(const std::optional<double>& ttl) {
  if (!ttl || (std::isfinite(*ttl) && std::fabs(*ttl) < 1e15)) return {};
  return Error{ErrorCode::invalid_argument, "ttl must be a finite number of seconds; nothing was stored"};
}

Error unexpected(std::string_view command) {
  return {ErrorCode::unavailable, "Redis answered " + std::string(command) + " in a form that this version of sosie does not know"};
}

/// Of FT.CREATE. An old module does not know vectors, which shows as a schema that it cannot read.
Error create_error(const Reply& reply) {
  Error error = redis::to_error(reply);
  if (error.code == ErrorCode::internal) {
    error = {ErrorCode::unsupported, "Redis refuses a vector index: its search module must be RediSearch 2.6 or newer (redis-stack 7, Redis 8)"};
  }
  return error;
}

/// Whether instructions and earlier turns, which stand around the question, are the same ones.
bool says_the_same_around(const RedisQuestion& question, std::string_view prompt) {
  const std::string_view asked(question.prompt);
  return prompt.size() >= question.before_bytes + question.behind_bytes && prompt.starts_with(asked.substr(0, question.before_bytes)) &&
         prompt.ends_with(asked.substr(asked.size() - question.behind_bytes));
}

/// Whether a text begins with another and has words behind it: a later turn of a conversation begins with all its turns before.
bool goes_on(std::string_view text, std::string_view after) {
  if (!text.starts_with(after)) return false;
  const std::string_view more = text.substr(after.size());
  return std::any_of(more.begin(), more.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80 || is_letter_or_digit(c); });
}

}  // namespace

std::optional<LocalEncoderOptions> local_model(std::string_view embedding_model) {
  if (!embedding_model.starts_with(kLocalModel)) return std::nullopt;
  embedding_model.remove_prefix(kLocalModel.size());
  LocalEncoderOptions encoder;
  if (embedding_model != kDefaultLocalModel) encoder.model = embedding_model;
  return encoder;
}

Result<std::unique_ptr<RedisCore>> RedisCore::open(RedisSemanticCacheOptions options, Unseen unseen) {
  if (!options.similarity_threshold) {
    return Error{ErrorCode::invalid_argument, "similarity_threshold must be provided, passed None"};
  }
  const double threshold = *options.similarity_threshold;
  const bool upstream = options.compat == Compat::upstream;
  if (!upstream) {
    if (auto checked = decide::check_threshold({threshold}); !checked) return checked.error();
  }
  auto server = find_server(options);
  if (!server) return server.error();
  auto endpoint = redis::read_endpoint(*server);
  if (!endpoint) return endpoint.error();
  options.embedding_timeout = find_embedding_timeout(options);
  if (options.embedding_timeout->count() <= 0) return Error{ErrorCode::invalid_argument, "embedding_timeout must be positive"};

  if (!options.clock) options.clock = system_seconds;

  auto remote = std::make_shared<embed::RemoteModel>();
  const auto local = local_model(options.embedding_model);
  if (!options.embedder && local) {
    auto encoder = open_local_encoder(*local);
    if (!encoder) return encoder.error();
    options.embedder = *encoder;
  } else if (!options.embedder) {
    auto found = embed::find_remote_model(options.embedding_model, options.embedding_base_url, options.embedding_api_key,
                                          options.embedding_organization);
    if (!found) return found.error();
    *remote = std::move(*found);
    remote->timeout = *options.embedding_timeout;
  }

  std::unique_ptr<RedisCore> core(new RedisCore(std::move(options)));
  core->index_name_ = core->options_.index_name.value_or(std::string(kDefaultIndex));
  core->unseen_ = std::move(unseen);
  core->upstream_ = upstream;
  const double distance = 1 - threshold;
  core->never_hits_ = upstream && !(distance >= 0 && distance <= 2);
  core->endpoint_ = std::move(*endpoint);
  core->redis_backoff_ = std::make_shared<net::Backoff>();
  core->breaker_ = std::make_shared<net::Backoff>();
  core->remote_ = std::move(remote);
  return core;
}

std::unique_ptr<RedisPeer> RedisCore::make_peer(net::Executor executor, net::WorkerPool* workers) const {
  return std::unique_ptr<RedisPeer>(new RedisPeer{executor, redis::Client(executor, endpoint_, redis_backoff_), nullptr, workers});
}

net::SteadyTime RedisCore::redis_deadline() const { return net::after(endpoint_.connect_timeout + endpoint_.command_timeout); }

std::optional<RedisQuestion> RedisCore::ask_for(std::string_view key, std::string prompt, std::string_view non_text_parts) const {
  if (!text::validate_utf8(prompt)) return std::nullopt;  // Lone surrogates: upstream cannot encode them either.
  if (!upstream_ && text::is_blank(prompt)) return std::nullopt;
  RedisQuestion question;
  question.raw_key = key;
  if (!upstream_ && !non_text_parts.empty()) {
    question.raw_key += "_parts_" + base::to_hex(base::sha256(non_text_parts));
  }
  question.tag = question.raw_key;
  if (!upstream_ && !redis::is_findable_tag(question.tag)) question.tag = "sha256_" + base::to_hex(base::sha256(question.raw_key));
  question.id = redis::entry_id(prompt, {{std::string(redis::kKeyField), question.raw_key}});
  question.prompt = std::move(prompt);
  question.same_text_only = too_long(question.prompt);
  return question;
}

Result<std::optional<RedisQuestion>> RedisCore::question(std::string_view key, const RedisCall& call) const {
  std::optional<std::string> prompt;
  std::string parts;
  if (call.prompt) {
    prompt = std::string(*call.prompt);
  } else {
    auto read = text::prompt_from_kwargs(call.request);
    if (!read) return read.error();
    prompt = std::move(*read);
    if (prompt && !upstream_) {
      auto found = text::non_text_parts(call.request);
      if (!found) return found.error();
      parts = std::move(*found);
    }
  }
  if (!prompt) return std::optional<RedisQuestion>();
  auto made = ask_for(key, std::move(*prompt), parts);
  if (!made) return made;
  if (!call.prompt && !upstream_) {
    const text::Turns turns = text::read_turns(call.request);
    made->is_request = true;
    made->wants_responses = turns.of_input;
    made->same_text_only = made->same_text_only || (turns.has_history && !turns.ends_with_user);
    made->has_history = turns.has_history;
    made->behind_bytes = std::min(turns.behind_bytes, made->prompt.size());
    made->before_bytes = made->prompt.size() - made->behind_bytes - std::min(turns.question_bytes, made->prompt.size() - made->behind_bytes);
  }
  made->embedding.assign(call.embedding.begin(), call.embedding.end());
  if (call.metadata && !call.metadata->empty()) {
    text::PythonValue metadata;
    metadata.kind = text::PythonValue::Kind::dict;
    for (const auto& [name, value] : *call.metadata) {
      for (const std::string& text : {text::with_replacements(name), text::with_replacements(value)}) {
        text::PythonValue& item = metadata.items.emplace_back();
        item.kind = text::PythonValue::Kind::string;
        item.text = text;
      }
    }
    auto json = text::to_json(metadata);
    if (!json) return json.error();
    made->metadata = std::move(*json);
  }
  return made;
}

std::string RedisCore::unseen(std::string_view text) const {
  if (upstream_) return {};
  if (unseen_) return unseen_(text);
  if (options_.embedder) return options_.embedder->unseen(text);
  if (!options_.embedding_max_input_tokens) return {};
  const std::string_view seen = text::window_of(text, *options_.embedding_max_input_tokens);
  return std::string(text.substr(seen.size()));
}

bool RedisCore::too_long(std::string_view text) const { return !upstream_ && options_.embedder && options_.embedder->is_too_long(text); }

/// Whether a stored value can be read, and answers this kind of call.
bool RedisCore::fits(const RedisQuestion& question, std::string_view stored) const {
  const auto envelope = text::read_envelope(stored);
  if (!envelope || !*envelope) {
    const auto value = text::read_value(stored);  // What JSON cannot hold, Python still can.
    return value && *value;
  }
  if (!question.is_request) return true;
  switch (text::kind_of_answer((*envelope)->response)) {
    case text::AnswerKind::chat: return !question.wants_responses;
    case text::AnswerKind::responses: return question.wants_responses;
    case text::AnswerKind::embedding: return false;
    case text::AnswerKind::other: return true;
  }
  return true;
}

/// Whether a candidate that the server found is an answer to this question.
bool RedisCore::may_answer(const RedisQuestion& question, const redis::Candidate& candidate, bool by_text) const {
  if (upstream_) return candidate.tag == question.tag;
  if (candidate.tag != question.tag && !(by_text && candidate.tag == question.raw_key)) return false;
  const bool same_text = candidate.prompt == question.prompt;
  if (by_text && !same_text) return false;
  if (!same_text) {
    if (question.same_text_only || too_long(candidate.prompt)) return false;
    if (!says_the_same_around(question, candidate.prompt)) return false;
    if (question.is_request && goes_on(candidate.prompt, question.prompt)) return false;
    Similarity threshold{*options_.similarity_threshold};
    if (question.has_history) {
      const double said = static_cast<double>(question.before_bytes + question.behind_bytes);
      threshold = decide::threshold_for_part(threshold, 1 - said / static_cast<double>(question.prompt.size()));
    }
    if (!decide::accepts(candidate.distance, false, threshold)) return false;
    if (unseen(question.prompt) != unseen(candidate.prompt)) return false;
  }
  return fits(question, candidate.response);
}

Task<Result<Reply>> RedisCore::ask(RedisPeer& peer, Pipeline command, net::SteadyTime deadline) {
  auto replies = co_await peer.redis.run(std::move(command), deadline);
  if (!replies) co_return replies.error();
  co_return std::move(replies->front());
}

Task<Result<std::optional<RedisAnswer>>> RedisCore::find_exact(RedisPeer& peer, RedisQuestion question) {
  std::optional<RedisAnswer> none;
  if (upstream_) co_return none;
  std::string index = index_name_;
  if (auto known = known_index()) index = known->name;
  Pipeline read;
  redis::add_read_entry(read, redis::entry_key(index, question.id));
  auto reply = co_await ask(peer, std::move(read), redis_deadline());
  if (!reply) co_return reply.error();
  if (reply->is_error()) co_return redis::to_error(*reply);
  auto candidate = redis::read_entry(*reply);
  if (!candidate || !may_answer(question, *candidate, true)) co_return none;
  co_return RedisAnswer{std::move(candidate->response), 1, true};
}

Task<Result<std::optional<RedisAnswer>>> RedisCore::find_near(RedisPeer& peer, RedisQuestion question) {
  return nearest(peer, std::move(question), redis_deadline());
}

Task<Result<std::optional<RedisAnswer>>> RedisCore::nearest(RedisPeer& peer, RedisQuestion question, net::SteadyTime deadline) {
  if (never_hits_) co_return std::optional<RedisAnswer>();
  for (int round = 0;; ++round) {
    auto index = co_await ready(peer, question.embedding.size(), deadline);
    if (!index) co_return index.error();
    bool index_is_gone = false;
    auto answer = co_await search(peer, question, *index, deadline, index_is_gone);
    if (!index_is_gone || round > 0) co_return answer;
    forget_index();  // Another process has dropped it, or the server has lost its data.
  }
}

Task<Result<std::optional<RedisAnswer>>> RedisCore::search(RedisPeer& peer, const RedisQuestion& question, ReadyIndex index,
                                                           net::SteadyTime deadline, bool& index_is_gone) {
  const Similarity threshold{*options_.similarity_threshold};
  redis::Search search;
  search.index = index.name;
  search.tag = question.tag;
  search.vector = redis::vector_bytes(question.embedding);
  search.radius = redis::float_text(upstream_ ? 1 - threshold.value : decide::search_radius(threshold).value);
  search.lean = !upstream_;
  for (const std::size_t results : {std::size_t{1}, kWiderSearch}) {
    search.results = results;
    Pipeline pipeline;
    index.hnsw ? redis::add_hnsw_search(pipeline, search) : redis::add_search(pipeline, search);
    auto reply = co_await ask(peer, std::move(pipeline), deadline);
    if (!reply) co_return reply.error();
    if (reply->is_error()) {
      index_is_gone = redis::is_unknown_index(*reply) || reply->text.find("blob size") != std::string::npos;
      co_return redis::to_error(*reply);
    }
    auto found = redis::read_search(*reply);
    if (!found) co_return unexpected("FT.SEARCH");
    if (found->partial) co_return Error{ErrorCode::deadline_exceeded, "Redis gave up searching within its own time limit"};
    for (redis::Candidate& candidate : found->candidates) {
      // The server goes by the beginning of a key: an index of a longer name ("faqs", "faq:eu") has its entries in this one, too.
      if (!upstream_ && !redis::is_entry_key(candidate.key, index.name)) continue;
      if (!may_answer(question, candidate, false)) continue;
      const double similarity = to_similarity(candidate.distance).value;
      co_return RedisAnswer{std::move(candidate.response), upstream_ ? similarity : std::clamp(similarity, 0.0, 1.0), false};
    }
    // The nearest one may be another tenant's (tags fold case), unreadable or gone; a good one may lie behind it.
    if (upstream_ || found->seen < results) break;
  }
  co_return std::optional<RedisAnswer>();
}

Task<Result<std::optional<RedisAnswer>>> RedisCore::find(RedisPeer& peer, RedisQuestion question) {
  net::SteadyTime deadline = redis_deadline();
  auto exact = co_await find_exact(peer, question);
  if (!exact || *exact) co_return exact;
  if (never_hits_) co_return std::optional<RedisAnswer>();
  if (question.same_text_only) co_return std::optional<RedisAnswer>();
  if (question.embedding.empty()) {
    // An index that cannot be had is found out before the embedding is paid for. One that is known may be of another length:
    // an endpoint may give shorter vectors than the model's usual ones.
    const std::size_t dimension = options_.embedder ? options_.embedder->dimension() : embed::known_dimension(options_.embedding_model);
    if (dimension != 0 && !known_index()) {
      auto index = co_await ready(peer, dimension, deadline);
      if (!index) co_return index.error();
    }
    std::vector<std::string> texts{question.prompt};
    const auto asked = std::chrono::steady_clock::now();
    auto vectors = co_await embed(peer, std::move(texts), question.metadata);
    deadline += std::chrono::steady_clock::now() - asked;  // Embedding has a deadline of its own.
    if (!vectors) co_return vectors.error();
    question.embedding = std::move(vectors->front());
    if (question.learnt) *question.learnt = question.embedding;
  }
  auto near = co_await nearest(peer, std::move(question), deadline);
  co_return near;
}

Task<Result<std::vector<std::vector<float>>>> RedisCore::embed(RedisPeer& peer, std::vector<std::string> texts, std::string metadata) {
  const auto deadline = net::after(*options_.embedding_timeout);
  const std::size_t count = texts.size();
  Result<std::vector<std::vector<float>>> vectors = Error{};
  if (options_.embedder) {
    std::function<Result<std::vector<std::vector<float>>>()> job = [embedder = options_.embedder,
                                                                    texts = std::move(texts)]() -> Result<std::vector<std::vector<float>>> {
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      auto embedded = embedder->embed(views);
      if (!embedded) return embedded.error();
      std::vector<std::vector<float>> out;
      for (Embedding& one : *embedded) out.push_back(std::move(one.vector));
      return out;
    };
    if (peer.workers) {
      auto ran = co_await peer.workers->run(peer.executor, std::move(job), deadline);
      vectors = ran ? std::move(*ran) : Result<std::vector<std::vector<float>>>(ran.error());
    } else {
      vectors = job();
    }
  } else {
    if (options_.embedding_max_input_tokens) {
      for (std::string& text : texts) text.resize(text::window_of(text, *options_.embedding_max_input_tokens).size());
    }
    if (!peer.remote) peer.remote = std::make_unique<embed::RemoteEmbedder>(peer.executor, remote_, breaker_);
    vectors = co_await peer.remote->embed(std::move(texts), std::move(metadata), deadline);
  }
  if (vectors) embeddings_ += count;
  co_return vectors;
}

Task<Result<void>> RedisCore::store(RedisPeer& peer, std::vector<RedisWrite> writes) {
  if (writes.empty()) co_return Result<void>();
  if (never_hits_) co_return Error{ErrorCode::invalid_argument, "the similarity threshold is out of range: nothing is stored or found"};
  std::map<std::string, std::vector<float>> vectors;
  std::vector<std::string> texts;
  for (const RedisWrite& write : writes) {
    if (auto checked = check_ttl(write.ttl); !checked) co_return checked;
    if (!upstream_ && !fits(write.question, write.value)) {
      co_return Error{ErrorCode::invalid_argument, "the value cannot be read back, or is no answer to such a request; it was not stored"};
    }
    if (!write.question.embedding.empty() || too_long(write.question.prompt)) continue;
    if (vectors.try_emplace(write.question.prompt).second) texts.push_back(write.question.prompt);
  }
  if (!texts.empty()) {
    auto embedded = co_await embed(peer, texts, writes.front().question.metadata);
    if (!embedded) co_return embedded.error();
    for (std::size_t i = 0; i < texts.size(); ++i) vectors[texts[i]] = std::move((*embedded)[i]);
  }
  const std::vector<float> none;
  const auto vector_of = [&](const RedisQuestion& question) -> const std::vector<float>& {
    if (too_long(question.prompt)) return none;
    return question.embedding.empty() ? vectors[question.prompt] : question.embedding;
  };
  std::size_t dimension = 0;
  for (const RedisWrite& write : writes) {
    if (too_long(write.question.prompt)) continue;
    const std::size_t size = vector_of(write.question).size();
    if (size == 0 || (dimension != 0 && size != dimension)) {
      co_return Error{ErrorCode::invalid_argument, "the embeddings of one call differ in length"};
    }
    dimension = size;
  }
  if (dimension == 0) dimension = options_.embedder->dimension();  // All are too long, which only an embedder says.
  const auto deadline = redis_deadline();
  auto index = co_await ready(peer, dimension, deadline);
  if (!index) co_return index.error();

  Pipeline pipeline;
  for (const RedisWrite& write : writes) {
    const std::vector<float>& vector = vector_of(write.question);
    const redis::NewHash entry{redis::entry_key(index->name, write.question.id), write.question.id, write.question.prompt, write.value,
                               write.question.tag, redis::vector_bytes(vector), options_.clock()};
    const auto seconds = write.ttl ? static_cast<std::int64_t>(*write.ttl) : 0;
    const std::string life = std::to_string(seconds);
    if (!upstream_) pipeline.add({"MULTI"});
    redis::add_store(pipeline, entry);
    if (seconds != 0) {
      pipeline.add({"EXPIRE", entry.key, life});
    } else if (!upstream_) {
      pipeline.add({"PERSIST", entry.key});  // An overwritten entry does not keep the life of the one before it.
    }
    if (!upstream_) pipeline.add({"EXEC"});
  }
  auto replies = co_await peer.redis.run(std::move(pipeline), deadline);
  if (!replies) co_return replies.error();
  for (const Reply& reply : *replies) {
    if (reply.is_error()) co_return redis::to_error(reply);
    for (const Reply& inner : reply.items) {
      if (inner.is_error()) co_return redis::to_error(inner);
    }
  }
  stored_ += writes.size();
  co_return Result<void>();
}

std::optional<RedisCore::ReadyIndex> RedisCore::known_index() const {
  const std::lock_guard lock(index_mutex_);
  return index_;
}

void RedisCore::forget_index() {
  const std::lock_guard lock(index_mutex_);
  index_.reset();
}

/// The index for vectors of this length: known already, else found or made now. After a failure it is left alone for a moment.
Task<Result<RedisCore::ReadyIndex>> RedisCore::ready(RedisPeer& peer, std::size_t dimension, net::SteadyTime deadline) {
  const auto now = std::chrono::steady_clock::now();
  {
    const std::lock_guard lock(index_mutex_);
    if (index_ && (index_->dimension == dimension || index_->dimension == 0)) {
      const bool is_filling = options_.index == RedisIndex::hnsw && !index_->hnsw;
      if (!is_filling || now < hnsw_checked_ + kHnswCheckInterval) co_return *index_;
      hnsw_checked_ = now;
    } else if (!index_backoff_.allows(now)) {
      co_return index_error_;
    }
  }
  auto built = co_await build(peer, dimension, deadline);
  const std::lock_guard lock(index_mutex_);
  if (built) {
    index_backoff_.succeeded();
    index_ = *built;
  } else {
    index_backoff_.failed(std::chrono::steady_clock::now());
    index_error_ = built.error();
  }
  co_return built;
}

/// The configured name, else "_isolated" as upstream does, else a name of the model's and dimension's own: an index that
/// another process may be using is never dropped.
Task<Result<RedisCore::ReadyIndex>> RedisCore::build(RedisPeer& peer, std::size_t dimension, net::SteadyTime deadline) {
  const std::string own = "sosie_" + index_name_ + "_" + name_part(options_.embedding_model) + "_" + std::to_string(dimension) + "d";
  const std::array names{index_name_, index_name_ + "_isolated", own};
  for (const std::string& name : names) {
    auto prepared = co_await prepare(peer, name, dimension, deadline);
    if (!prepared) co_return prepared.error();
    // An ACL without FT.INFO: the index of the configured name is taken to be there.
    if (*prepared == Prepared::not_shown) co_return ReadyIndex{index_name_, 0, false};
    if (*prepared == Prepared::other_schema) continue;
    ReadyIndex ready{name, dimension, false};
    if (options_.index == RedisIndex::hnsw) {
      auto whole = co_await prepare_hnsw(peer, name, dimension, deadline);
      if (!whole) co_return whole.error();
      ready.hnsw = *whole;
    }
    co_return ready;
  }
  co_return Error{ErrorCode::unavailable, "the index " + own + " exists with another schema: drop it, or choose another index_name"};
}

/// Whether the index of this name serves; makes it where there is none.
Task<Result<RedisCore::Prepared>> RedisCore::prepare(RedisPeer& peer, std::string name, std::size_t dimension, net::SteadyTime deadline) {
  for (int round = 0; round < 3; ++round) {
    Pipeline info;
    info.add({"FT.INFO", name});
    auto described = co_await ask(peer, std::move(info), deadline);
    if (!described) co_return described.error();
    if (!described->is_error()) {
      const redis::IndexInfo found = redis::read_index_info(*described, name);
      co_return found.ours && found.dimension == dimension ? Prepared::ready : Prepared::other_schema;
    }
    if (redis::to_error(*described).code == ErrorCode::permission_denied) co_return Prepared::not_shown;
    if (!redis::is_unknown_index(*described)) co_return redis::to_error(*described);
    Pipeline create;
    redis::add_create_index(create, name, dimension, !upstream_);
    auto created = co_await ask(peer, std::move(create), deadline);
    if (!created) co_return created.error();
    if (!created->is_error()) co_return Prepared::ready;
    const bool was_first = created->text.find("already exists") != std::string::npos;  // Another process made it meanwhile.
    if (!was_first) co_return create_error(*created);
  }
  co_return Error{ErrorCode::unavailable, "the index " + name + " comes and goes: another process drops it"};
}

/// Whether the HNSW index holds every entry by now; makes it where there is none.
Task<Result<bool>> RedisCore::prepare_hnsw(RedisPeer& peer, std::string name, std::size_t dimension, net::SteadyTime deadline) {
  const std::string second = redis::hnsw_index_name(name);
  Pipeline info;
  info.add({"FT.INFO", second});
  auto described = co_await ask(peer, std::move(info), deadline);
  if (!described) co_return described.error();
  if (!described->is_error()) {
    const redis::IndexInfo found = redis::read_index_info(*described, second);
    if (found.dimension == dimension) co_return found.whole;
    base::log_warning("the index " + second + " is of another dimension; searching exactly: drop it to have it made anew");
    co_return false;
  }
  if (!redis::is_unknown_index(*described)) co_return redis::to_error(*described);
  Pipeline create;
  redis::add_create_hnsw_index(create, name, dimension);
  auto created = co_await ask(peer, std::move(create), deadline);
  if (!created) co_return created.error();
  const bool exists = created->text.find("already exists") != std::string::npos;
  if (created->is_error() && !exists) co_return create_error(*created);
  co_return false;  // It is being filled.
}

void RedisCore::count(const Result<std::optional<RedisAnswer>>& found) {
  if (!found) {
    ++faults_;
  } else if (!*found) {
    ++misses_;
  } else {
    ++((*found)->exact ? exact_hits_ : semantic_hits_);
  }
}

RedisCacheStats RedisCore::stats() const {
  return {.exact_hits = exact_hits_, .semantic_hits = semantic_hits_, .misses = misses_, .stored = stored_, .embeddings = embeddings_, .faults = faults_};
}

}  // namespace sosie::cache

// One Redis index for this program and for LiteLLM proxies: each answers from what the other has stored.
//   example_shared_with_litellm redis://127.0.0.1:6379
#include <sosie/redis_semantic_cache.h>

#include <cstdio>

int main(int argc, char** argv) {
  auto cache = sosie::RedisSemanticCache::open({
      .redis_url = argc > 1 ? argv[1] : "redis://127.0.0.1:6379",
      .similarity_threshold = 0.85,
      .embedding_model = "local/all-MiniLM-L6-v2",  // The model that LiteLLM embeds with, too.
      .index_name = "example",
  });
  if (!cache) {
    std::fprintf(stderr, "%s\n", cache.error().message.c_str());
    return 1;
  }
  // LiteLLM's cache key: what may share answers. Here a name; LiteLLM digests model and parameters.
  const char* key = "gpt-4o-mini";
  const char* request = R"({"messages": [{"role": "user", "content": "How can I reset my password?"}]})";
  auto stored = cache->set_cache(key, "Settings, Security, Reset.", {.prompt = "How do I reset my password?", .ttl = 3600});
  if (!stored) std::fprintf(stderr, "not stored: %s\n", stored.error().message.c_str());
  auto found = cache->get_cache(key, {.request = request});
  if (!found) std::fprintf(stderr, "a miss, for: %s\n", found.error().message.c_str());
  if (found && found->response) std::printf("hit, similarity %.3f: %s\n", found->similarity, found->response->c_str());
}

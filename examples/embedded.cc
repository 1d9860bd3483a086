// The cache inside a program: ask twice, in other words; the second answer comes from the cache.
#include <sosie/cache.h>

#include <cstdio>
#include <string>

namespace {

std::string ask_the_llm(std::string_view question) { return "(a dear answer to: " + std::string(question) + ")"; }

sosie::Result<std::string> answer(sosie::SemanticCache& cache, std::string_view question) {
  auto found = cache.lookup({.prompt = question});
  if (!found) return std::move(found).error();
  if (found->hit()) {
    const sosie::Hit& hit = found->hits[0];
    std::printf("hit, similarity %.3f\n", hit.similarity.value);
    return hit.entry->response;
  }
  std::printf("miss: %s\n", std::string(to_string(found->reason)).c_str());
  std::string fresh = ask_the_llm(question);
  auto stored = cache.store({.prompt = question}, fresh, {.embedding = found->embedding});
  if (!stored) return std::move(stored).error();
  return fresh;
}

}  // namespace

int main() {
  auto cache = sosie::SemanticCache::open({});  // In memory; {.data = "./data"} keeps entries in a folder.
  if (!cache) {
    std::fprintf(stderr, "%s\n", cache.error().message.c_str());
    return 1;
  }
  for (auto question : {"How do I reset my password?", "How can I reset my password?"}) {
    auto text = answer(*cache, question);
    if (!text) {
      std::fprintf(stderr, "%s\n", text.error().message.c_str());
      return 1;
    }
    std::printf("%s\n", text->c_str());
  }
}

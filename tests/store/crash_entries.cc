#include "crash_entries.h"

#include <cmath>
#include <random>

namespace sosie::store {

NewEntry crash_entry(std::uint32_t key, std::uint32_t version) {
  std::mt19937 random(key);
  NewEntry made;
  made.entry.scope = "scope " + std::to_string(key % 4);
  made.entry.prompt = "prompt " + std::to_string(key);
  made.entry.id = base::to_hex(base::sha256(made.entry.prompt)).substr(0, 32);
  made.entry.response = std::to_string(version) + " " + std::string(random() % 16 == 0 ? 30'000 : random() % 1500, 'r');
  if (key % 3 == 0) made.entry.attributes = {{"key", std::to_string(key)}, {"third", "yes"}};
  made.entry.created = kCrashTime;
  made.exact_key = base::sha256(made.entry.scope + made.entry.prompt);
  made.partition = base::sha256(made.entry.scope);
  std::normal_distribution<float> normal;
  double length = 0;
  for (int i = 0; i < 48; ++i) {
    made.vector.push_back(normal(random));
    length += double{made.vector.back()} * made.vector.back();
  }
  for (float& x : made.vector) x = static_cast<float>(x / std::sqrt(length));
  return made;
}

}  // namespace sosie::store

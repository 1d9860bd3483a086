#include "gateway/embeddings.h"

#include <openssl/evp.h>

#include <charconv>

namespace sosie::gateway {
namespace {

namespace dom = simdjson::dom;

/// `text` where it may be embedded.
std::optional<BadRequest> add_input(EmbeddingsRequest& request, dom::element value) {
  std::string_view text;
  if (value.is_array() || value.is_number())
    return BadRequest{"token ids are not accepted: they belong to another model's vocabulary; send text", "input"};
  if (value.get_string().get(text) != simdjson::SUCCESS) return BadRequest{"'input' must be a string or an array of strings", "input"};
  if (text.empty()) return BadRequest{"'input' must not be an empty string", "input"};
  request.inputs.emplace_back(text);
  return std::nullopt;
}

std::optional<BadRequest> read_input(EmbeddingsRequest& request, const dom::object& object) {
  dom::element input;
  dom::array several;
  if (object["input"].get(input) != simdjson::SUCCESS) return BadRequest{"'input' is missing", "input"};
  if (input.get_array().get(several) != simdjson::SUCCESS) return add_input(request, input);
  if (several.size() == 0) return BadRequest{"'input' must not be an empty array", "input"};
  if (several.size() > kMaxEmbeddingInputs) return BadRequest{"'input' must have at most 2048 elements", "input"};
  for (const dom::element each : several)
    if (auto bad = add_input(request, each)) return bad;
  return std::nullopt;
}

void append_vector(std::string& out, const std::vector<float>& vector, bool base64) {
  if (base64) {
    // Little-endian floats, as OpenAI's clients decode them.
    static_assert(std::endian::native == std::endian::little);
    const std::size_t bytes = vector.size() * sizeof(float);
    const std::size_t at = out.size() + 1;
    out.push_back('"');
    out.resize(at + (bytes + 2) / 3 * 4 + 1);  // EVP_EncodeBlock ends with a zero, which the quote replaces.
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data() + at), reinterpret_cast<const unsigned char*>(vector.data()),
                    static_cast<int>(bytes));
    out.back() = '"';
    return;
  }
  out.push_back('[');
  for (const float each : vector) {
    if (out.back() != '[') out.push_back(',');
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, each).ptr);
  }
  out.push_back(']');
}

}  // namespace

std::variant<EmbeddingsRequest, BadRequest> read_embeddings_request(JsonReader& reader, const std::string& body, std::size_t dimension) {
  const auto root = reader.read(body);
  dom::object object;
  if (!root) return BadRequest{"the request body " + std::string(reader.why()), ""};
  if (root->get_object().get(object) != simdjson::SUCCESS) return BadRequest{"the request body must be a JSON object", ""};
  if (has_duplicate_keys(object)) return BadRequest{"the request body repeats a key", ""};

  EmbeddingsRequest request;
  if (auto bad = read_input(request, object)) return std::move(*bad);
  dom::element value;
  if (object["encoding_format"].get(value) == simdjson::SUCCESS && !value.is_null()) {
    std::string_view format;
    if (value.get_string().get(format) != simdjson::SUCCESS || (format != "float" && format != "base64"))
      return BadRequest{"'encoding_format' must be \"float\" or \"base64\"", "encoding_format"};
    request.base64 = format == "base64";
  }
  if (object["dimensions"].get(value) == simdjson::SUCCESS && !value.is_null()) {
    std::uint64_t wanted = 0;
    if (value.get_uint64().get(wanted) != simdjson::SUCCESS || wanted != dimension)
      return BadRequest{"'dimensions' must be " + std::to_string(dimension) + ", which is what the local model has", "dimensions"};
  }
  return request;
}

std::string render_embeddings(std::span<const Embedding> embeddings, bool base64, std::string_view model) {
  std::string out = R"({"object":"list","data":[)";
  std::size_t tokens = 0, index = 0;
  for (const Embedding& embedding : embeddings) {
    if (index != 0) out.push_back(',');
    out.append(R"({"object":"embedding","index":)").append(std::to_string(index++)).append(R"(,"embedding":)");
    append_vector(out, embedding.vector, base64);
    out.push_back('}');
    tokens += embedding.tokens;
  }
  out.append(R"(],"model":)");
  append_json_string(out, model);
  out.append(R"(,"usage":{"prompt_tokens":)").append(std::to_string(tokens));
  out.append(R"(,"total_tokens":)").append(std::to_string(tokens)).append("}}");
  return out;
}

}  // namespace sosie::gateway

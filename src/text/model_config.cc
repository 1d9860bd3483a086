#include "text/model_config.h"

#include <algorithm>

#include "text/json_fields.h"

namespace sosie::text {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxCount = std::int64_t{1} << 24;

Result<TensorType> tensor_type(const json& entry, std::size_t& width, const std::string& field, std::string_view file) {
  const auto found = entry.find("dtype");
  if (found == entry.end() || !found->is_string()) return corrupt(file, field, "has no dtype");
  const auto& name = found->get_ref<const std::string&>();
  if (name == "F32") return width = 4, TensorType::f32;
  if (name == "F16") return width = 2, TensorType::f16;
  if (name == "BF16") return width = 2, TensorType::bf16;
  if (name == "F64" || name == "I64" || name == "U64") return width = 8, TensorType::other;
  if (name == "I32" || name == "U32") return width = 4, TensorType::other;
  if (name == "I16" || name == "U16") return width = 2, TensorType::other;
  if (name == "I8" || name == "U8" || name == "BOOL" || name == "F8_E4M3" || name == "F8_E5M2") return width = 1, TensorType::other;
  return unsupported(file, field, "has dtype " + shown(*found));
}

}  // namespace

Result<BertConfig> parse_bert_config(std::string_view text, std::string_view file) {
  auto parsed = parse_object(text, file);
  if (!parsed) return parsed.error();
  const json& object = *parsed;
  auto type = string_field(object, "model_type", "bert", file);
  if (!type) return type.error();
  const bool xlmr = *type == "xlm-roberta";
  if (*type != "bert" && !xlmr) return unsupported(file, "model_type", "is \"" + *type + "\"; \"bert\" and \"xlm-roberta\" are known");
  auto position = string_field(object, "position_embedding_type", "absolute", file);
  if (!position) return position.error();
  if (*position != "absolute") return unsupported(file, "position_embedding_type", "is \"" + *position + "\"; only \"absolute\" is known");
  auto decoder = bool_field(object, "is_decoder", false, file);
  if (!decoder) return decoder.error();
  if (*decoder) return unsupported(file, "is_decoder", "is true; only encoders are known");

  BertConfig config;
  auto act = string_field(object, "hidden_act", "gelu", file);
  if (!act) return act.error();
  if (*act == "gelu") {
    config.activation = Activation::gelu;
  } else if (*act == "gelu_new" || *act == "gelu_pytorch_tanh") {
    config.activation = Activation::gelu_tanh;
  } else if (*act == "relu") {
    config.activation = Activation::relu;
  } else {
    return unsupported(file, "hidden_act", "is \"" + *act + "\"; gelu, gelu_new and relu are known");
  }

  const struct {
    const char* field;
    std::size_t& value;
    std::int64_t high;
    std::optional<std::int64_t> absent;
  } counts[] = {{"hidden_size", config.hidden, 8192, {}},
                {"num_hidden_layers", config.layers, 128, {}},
                {"num_attention_heads", config.heads, 256, {}},
                {"intermediate_size", config.intermediate, 65536, {}},
                {"max_position_embeddings", config.positions, 65536, {}},
                {"vocab_size", config.vocabulary, kMaxCount, {}},
                {"type_vocab_size", config.types, 1024, 2}};
  for (const auto& count : counts) {
    auto value = integer_field(object, count.field, 1, count.high, count.absent, file);
    if (!value) return value.error();
    count.value = static_cast<std::size_t>(*value);
  }
  if (config.hidden % config.heads != 0) return corrupt(file, "num_attention_heads", "does not divide hidden_size");
  if (xlmr) {  // The rows up to that of padding stay unused.
    auto padding = integer_field(object, "pad_token_id", 0, 65536, 1, file);
    if (!padding) return padding.error();
    config.first_position = static_cast<std::size_t>(*padding) + 1;
  }
  if (config.positions < config.first_position + 3) return corrupt(file, "max_position_embeddings", "leaves no room between the special tokens");

  const auto epsilon = object.find("layer_norm_eps");
  if (epsilon != object.end() && !epsilon->is_null()) {
    if (!epsilon->is_number()) return corrupt(file, "layer_norm_eps", "is not a number");
    const double value = epsilon->get<double>();
    if (!(value >= 0 && value <= 1)) return corrupt(file, "layer_norm_eps", "is outside 0..1");
    config.epsilon = static_cast<float>(value);
  }
  return config;
}

Result<Pooling> parse_pooling(std::string_view text, std::string_view file) {
  auto object = parse_object(text, file);
  if (!object) return object.error();
  bool cls = false, mean = false;
  for (auto it = object->begin(); it != object->end(); ++it) {
    if (!it.key().starts_with("pooling_mode_") || !it->is_boolean() || !it->get<bool>()) continue;
    if (it.key() == "pooling_mode_cls_token") {
      cls = true;
    } else if (it.key() == "pooling_mode_mean_tokens") {
      mean = true;
    } else {
      return unsupported(file, it.key(), "is true; mean and CLS pooling are known");
    }
  }
  if (cls && mean) return unsupported(file, "pooling_mode_cls_token", "is true together with pooling_mode_mean_tokens");
  if (!cls && !mean) return unsupported(file, "pooling_mode_mean_tokens", "is not true, and neither is pooling_mode_cls_token");
  return cls ? Pooling::cls : Pooling::mean;
}

Result<void> check_modules(std::string_view text, std::string_view file) {
  auto modules = parse_json(text, file);
  if (!modules) return modules.error();
  if (!modules->is_array()) return corrupt(file, "", "is not a JSON array: fetch the file again");
  for (const json& module : *modules) {
    if (!module.is_object()) return corrupt(file, "", "has an element that is not an object");
    auto type = string_field(module, "type", "", file);
    if (!type) return type.error();
    const std::string name = type->substr(type->rfind('.') + 1);
    if (name != "Transformer" && name != "Pooling" && name != "Normalize") {
      return unsupported(file, "type", "is \"" + *type + "\"; Transformer, Pooling and Normalize are known");
    }
  }
  return {};
}

Result<SentenceConfig> parse_sentence_config(std::string_view text, std::string_view file) {
  auto object = parse_object(text, file);
  if (!object) return object.error();
  auto window = integer_field(*object, "max_seq_length", 3, kMaxCount, 0, file);
  if (!window) return window.error();
  auto lower = bool_field(*object, "do_lower_case", false, file);
  if (!lower) return lower.error();
  SentenceConfig config{.window = {}, .lowercases = *lower};
  if (*window != 0) config.window = static_cast<std::size_t>(*window);
  return config;
}

Result<std::optional<std::size_t>> parse_tokenizer_window(std::string_view text, std::string_view file) {
  auto object = parse_object(text, file);
  if (!object) return object.error();
  const auto found = object->find("model_max_length");
  // "No limit" is written as 1e30, an integer of 31 digits that JSON readers take for a float.
  if (found == object->end() || !found->is_number_integer()) return std::optional<std::size_t>();
  auto window = integer_field(*object, "model_max_length", 3, INT64_MAX, 0, file);
  if (!window) return window.error();
  return std::optional<std::size_t>(static_cast<std::size_t>(*window));
}

Result<std::vector<TensorEntry>> parse_safetensors_header(std::string_view text, std::size_t data_bytes, std::string_view file) {
  auto header = parse_object(text, file);
  if (!header) return header.error();
  std::vector<TensorEntry> entries;
  for (auto it = header->begin(); it != header->end(); ++it) {
    if (it.key() == "__metadata__") continue;
    const std::string field = "tensor " + shown(json(it.key()));
    if (!it->is_object()) return corrupt(file, field, "is not an object");
    TensorEntry entry{.name = it.key()};
    std::size_t need = 0;
    auto type = tensor_type(*it, need, field, file);
    if (!type) return type.error();
    entry.type = *type;
    const auto shape = it->find("shape");
    if (shape == it->end() || !shape->is_array() || shape->size() > 8) return corrupt(file, field, "has no shape of up to 8 dimensions");
    for (const json& dimension : *shape) {
      if (!dimension.is_number_unsigned()) return corrupt(file, field, "has a shape that is not of whole numbers");
      const auto size = dimension.get<std::uint64_t>();
      if (size > data_bytes || (size != 0 && need > data_bytes / size)) return corrupt(file, field, "has a shape larger than the file");
      need *= static_cast<std::size_t>(size);
      entry.shape.push_back(static_cast<std::size_t>(size));
    }
    const auto offsets = it->find("data_offsets");
    if (offsets == it->end() || !offsets->is_array() || offsets->size() != 2 || !(*offsets)[0].is_number_unsigned() ||
        !(*offsets)[1].is_number_unsigned()) {
      return corrupt(file, field, "has no data_offsets [begin, end]");
    }
    const auto begin = (*offsets)[0].get<std::uint64_t>();
    const auto end = (*offsets)[1].get<std::uint64_t>();
    if (begin > end || end > data_bytes) return corrupt(file, field, "has data_offsets beyond the end of the file: fetch the file again");
    if (end - begin != need) return corrupt(file, field, "has data_offsets that do not fit its shape");
    entry.begin = static_cast<std::size_t>(begin);
    entry.end = static_cast<std::size_t>(end);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.begin != b.begin ? a.begin < b.begin : a.end < b.end; });
  for (std::size_t i = 1; i < entries.size(); ++i) {
    if (entries[i].begin < entries[i - 1].end) {
      return corrupt(file, "tensor " + shown(json(entries[i].name)), "overlaps " + shown(json(entries[i - 1].name)));
    }
  }
  return entries;
}

}  // namespace sosie::text

#include "embed/safetensors.h"

#include <cstdint>
#include <cstring>

namespace sosie::embed {
namespace {

float bits_to_float(std::uint32_t bits) {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1FU;
  const std::uint32_t fraction = half & 0x3FFU;
  if (exponent == 31) return bits_to_float(sign | 0x7F800000U | (fraction << 13));
  if (exponent != 0) return bits_to_float(sign | ((exponent + 112) << 23) | (fraction << 13));
  const float small = static_cast<float>(fraction) * 0x1p-24F;
  return sign != 0 ? -small : small;
}

std::string shape_text(const std::vector<std::size_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

}  // namespace

Result<Safetensors> Safetensors::open(const std::filesystem::path& path) {
  const std::string name = path.filename().string();
  auto file = MappedFile::open(path);
  if (!file) return file.error();
  const std::string_view bytes = file->bytes();
  const auto corrupt = [&](const std::string& what) { return Error{ErrorCode::data_corruption, name + ": header " + what + ": fetch the file again"}; };
  if (bytes.size() < 8) return corrupt("length is cut off");
  std::uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = (length << 8) | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  if (length > bytes.size() - 8) return corrupt("is longer than the file");
  if (length > text::kMaxSafetensorsHeader) return corrupt("has " + std::to_string(length) + " bytes, more than any model needs");
  const std::string_view data = bytes.substr(8 + static_cast<std::size_t>(length));
  auto entries = text::parse_safetensors_header(bytes.substr(8, static_cast<std::size_t>(length)), data.size(), name);
  if (!entries) return entries.error();
  return Safetensors(name, std::move(*file), data, std::move(*entries));
}

Safetensors::Safetensors(std::string name, MappedFile file, std::string_view data, std::vector<text::TensorEntry> entries)
    : name_(std::move(name)), file_(std::move(file)), data_(data) {
  for (auto& entry : entries) {
    std::string key = entry.name;
    entries_.emplace(std::move(key), std::move(entry));
  }
}

Result<const text::TensorEntry*> Safetensors::entry(std::string_view name, const std::vector<std::size_t>& shape) const {
  const auto found = entries_.find(name);
  const std::string field = name_ + ": tensor \"" + std::string(name) + "\" ";
  if (found == entries_.end()) return Error{ErrorCode::data_corruption, field + "is missing"};
  if (found->second.shape != shape) {
    return Error{ErrorCode::data_corruption, field + "has shape " + shape_text(found->second.shape) + ", config.json asks for " + shape_text(shape)};
  }
  if (found->second.type == text::TensorType::other) return Error{ErrorCode::unsupported, field + "has a dtype other than F32, F16, BF16"};
  return &found->second;
}

Result<void> Safetensors::check(std::string_view name, const std::vector<std::size_t>& shape) const {
  if (auto found = entry(name, shape); !found) return found.error();
  return {};
}

Result<std::vector<float>> Safetensors::floats(std::string_view name, const std::vector<std::size_t>& shape) const {
  auto found = entry(name, shape);
  if (!found) return found.error();
  const text::TensorEntry& tensor = **found;
  const std::string_view bytes = data_.substr(tensor.begin, tensor.end - tensor.begin);
  const std::size_t width = tensor.type == text::TensorType::f32 ? 4 : 2;
  std::vector<float> out(bytes.size() / width);
  if (tensor.type == text::TensorType::f32) {
    std::memcpy(out.data(), bytes.data(), bytes.size());
    return out;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes.data() + 2 * i, 2);
    out[i] = tensor.type == text::TensorType::bf16 ? bits_to_float(static_cast<std::uint32_t>(bits) << 16) : half_to_float(bits);
  }
  return out;
}

const float* Safetensors::in_place(std::string_view name) const {
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.type != text::TensorType::f32) return nullptr;
  const char* begin = data_.data() + found->second.begin;
  if (reinterpret_cast<std::uintptr_t>(begin) % alignof(float) != 0) return nullptr;
  return reinterpret_cast<const float*>(begin);
}

}  // namespace sosie::embed

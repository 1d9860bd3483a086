// contract_vectors.h: the recorded vectors of tests/contract, for tests. Read by the reader under test, which another
// test compares with Python.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <string>

#include "text/json_text.h"
#include "text/python_json.h"
#include "text/request_json.h"

namespace sosie::text {

inline PythonValue read_vectors(const std::string& name) {
  std::ifstream file(std::string(SOSIE_CONTRACT_DIR "/") + name, std::ios::binary);
  const std::string json{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  auto read = read_python_json(json);
  if (!read || !*read) ADD_FAILURE() << "cannot read " << name;
  return std::move(**read);
}

inline std::string text_of(const PythonValue& object, std::string_view key) {
  const PythonValue* value = member(object, key);
  return value == nullptr ? std::string() : value->text;
}

inline std::string json_of(const PythonValue& value) {
  std::string out;
  EXPECT_TRUE(append_json(value, {.non_finite = true}, out));
  return out;
}

}  // namespace sosie::text

#include "store/text_reader.h"

#include <shared_mutex>
#include <utility>

#include "store/checksum.h"

namespace sosie::store {
namespace {

constexpr std::size_t kMostIdle = 8;

}  // namespace

struct TextReader::Session {
  Connection connection;
  Statement select;
};

TextReader::TextReader(std::filesystem::path file) : file_(std::move(file)) {}
TextReader::~TextReader() = default;

Result<std::unique_ptr<TextReader::Session>> TextReader::borrow() {
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto session = std::move(idle_.back());
      idle_.pop_back();
      return session;
    }
  }
  auto connection = Connection::open(file_, Connection::Absent::fail);
  if (!connection) return std::move(connection).error();
  auto select = connection->prepare("SELECT texts_check,prompt,response FROM entries WHERE row=?1");
  if (!select) return std::move(select).error();
  return std::make_unique<Session>(Session{*std::move(connection), *std::move(select)});
}

void TextReader::give_back(std::unique_ptr<Session> session) {
  std::lock_guard lock(mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(session));
}

std::unique_lock<WriterFirstMutex> TextReader::close() {
  std::unique_lock closed(open_);
  std::lock_guard lock(mutex_);
  idle_.clear();
  return closed;
}

Result<std::optional<Texts>> TextReader::read(std::int64_t row) {
  const std::shared_lock open(open_);  // Goes last: the session may go with an error.
  auto session = borrow();
  if (!session) return std::move(session).error();
  Statement& select = (*session)->select;
  auto there = select.bind(1, row).step();
  std::optional<Texts> texts;
  if (there && *there) {
    texts = Texts{std::string(select.bytes(1)), std::string(select.bytes(2))};
    if (select.number(0) != checksum(texts->response, checksum(texts->prompt))) {
      there = Error{ErrorCode::data_corruption, "an entry in the store's file is damaged"};
    }
  }
  select.reset();  // Ends the read transaction, so that the log can be checkpointed.
  if (!there) return std::move(there).error();  // The session goes with the error.
  give_back(*std::move(session));
  return texts;
}

}  // namespace sosie::store

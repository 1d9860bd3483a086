#include "embed/packed_weights.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <system_error>
#include <utility>

namespace sosie::embed {
namespace {

// Raise it with every change of the layout or of how weights are quantised.
constexpr char kMagic[16] = "sosie packed 1\n";
constexpr std::size_t kPage = 4096;
constexpr std::size_t kMaxMatrices = 100'000;
constexpr std::int64_t kSettledNs = 2'000'000'000;  // File systems tell times to two seconds at worst.

// Host order throughout: the file never leaves its machine's kind, for other ones do not map it right and see that by the magic number.
struct Header {
  char magic[16] = {};
  std::uint64_t order = 0x0102030405060708;
  FileState source;
  base::Digest weights{};
  base::Digest rest{};  // SHA-256 of all that follows the header's page.
  std::uint64_t matrices = 0;
};
static_assert(sizeof(Header) <= kPage);

std::int64_t nanoseconds(const timespec& time) { return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec; }

Error failed(const std::filesystem::path& path) {
  const int error = errno;
  const ErrorCode code = error == EACCES || error == EPERM || error == EROFS ? ErrorCode::permission_denied : ErrorCode::unavailable;
  return {code, path.string() + ": " + std::generic_category().message(error)};
}

std::size_t pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(file, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

}  // namespace

Result<FileState> state_of(const std::filesystem::path& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return Error{ErrorCode::not_found, path.string() + ": " + std::generic_category().message(errno)};
    return failed(path);
  }
  return FileState{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino), static_cast<std::uint64_t>(status.st_size),
                   static_cast<std::uint64_t>(status.st_mode), nanoseconds(status.st_mtim), nanoseconds(status.st_ctim)};
}

std::optional<PackedWeights> PackedWeights::open(const std::filesystem::path& path, const FileState& source) {
  auto mapped = MappedFile::open(path);
  if (!mapped) return std::nullopt;
  auto file = std::make_shared<const MappedFile>(std::move(*mapped));
  const std::string_view bytes = file->bytes();
  Header header;
  if (bytes.size() < kPage) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 || header.order != Header{}.order || !(header.source == source) ||
      header.matrices > kMaxMatrices || base::sha256(bytes.substr(kPage)) != header.rest) {
    return std::nullopt;
  }
  std::vector<Place> places(header.matrices);
  if (bytes.size() - kPage < places.size() * sizeof(Place)) return std::nullopt;
  std::memcpy(places.data(), bytes.data() + kPage, places.size() * sizeof(Place));
  for (const Place& place : places) {
    // The digest tells of damage; a writer's fault must not lead beyond the file either.
    const bool small = place.depth < 1U << 24 && place.columns < 1U << 24;
    if (!small || place.offset % 64 != 0 || place.offset > bytes.size() ||
        bytes.size() - place.offset < ByteMatrix::block_bytes(place.depth, place.columns)) {
      return std::nullopt;
    }
  }
  return PackedWeights(std::move(file), header.weights, std::move(places));
}

std::optional<ByteMatrix> PackedWeights::matrix(std::size_t index, std::size_t depth, std::size_t columns) const {
  if (index >= places_.size() || places_[index].depth != depth || places_[index].columns != columns) return std::nullopt;
  const auto* block = reinterpret_cast<const std::byte*>(file_->bytes().data() + places_[index].offset);
  return ByteMatrix(std::shared_ptr<const std::byte>(file_, block), depth, columns);
}

Result<void> PackedWeights::write(const std::filesystem::path& path, const FileState& source, const base::Digest& weights,
                                  std::span<const ByteMatrix> matrices) {
  timespec now;
  ::clock_gettime(CLOCK_REALTIME, &now);
  if (nanoseconds(now) - source.changed_ns < kSettledNs) return {};

  std::vector<Place> places;
  std::size_t end = pages(matrices.size() * sizeof(Place));
  for (const ByteMatrix& matrix : matrices) {
    places.push_back({matrix.depth(), matrix.columns(), kPage + end});
    end += matrix.block().size();
  }
  std::string rest(end, '\0');
  std::memcpy(rest.data(), places.data(), places.size() * sizeof(Place));
  for (std::size_t i = 0; i < places.size(); ++i) {
    std::memcpy(rest.data() + places[i].offset - kPage, matrices[i].block().data(), matrices[i].block().size());
  }
  Header header;
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.source = source;
  header.weights = weights;
  header.rest = base::sha256(rest);
  header.matrices = places.size();
  std::string page(kPage, '\0');
  std::memcpy(page.data(), &header, sizeof header);

  std::string temporary = path.string() + ".XXXXXX";
  const int file = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return failed(path);
  bool done = ::fchmod(file, static_cast<mode_t>(source.mode & 0666)) == 0 && write_all(file, page) && write_all(file, rest);
  done = ::close(file) == 0 && done;
  if (done && ::rename(temporary.c_str(), path.c_str()) == 0) return {};
  Error error = failed(path);
  ::unlink(temporary.c_str());
  return error;
}

}  // namespace sosie::embed

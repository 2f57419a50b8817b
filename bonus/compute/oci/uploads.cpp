// Upload sessions in a folder: <id> holds the bytes, <id>.repository the name it was begun for.
#include "bonus/compute/oci/uploads.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "bonus/compute/oci/names.hpp"

namespace bonus::compute::oci {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kNameSuffix = ".repository";

Error io_error(std::string_view what) {
  const int code = errno;
  return {code == ENOSPC || code == EDQUOT ? ErrorCode::kExhausted : ErrorCode::kIo,
          fmt::format("{}: {}", what, std::strerror(code))};
}

bool valid_id(std::string_view id) {
  return id.size() == 32 &&
         std::ranges::all_of(id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

struct Uploads::Session {
  ~Session() {
    if (fd >= 0) ::close(fd);
  }
  std::string repository;
  int fd = -1;
  std::uint64_t size = 0, owner = 0;
  Instant used{};
  bool gone = false;
  std::mutex
      file_mutex;  // held while the file is written, so that a claim sees whole appends; taken before Uploads::mutex_
};

Uploads::Uploads(std::string folder, const UploadLimits& limits, runtime::Clock& clock, runtime::Random& random)
    : folder_(std::move(folder)), limits_(limits), clock_(clock), random_(random) {}
Uploads::~Uploads() = default;

Result<std::unique_ptr<Uploads>> Uploads::open(const std::string& folder, const UploadLimits& limits,
                                               runtime::Clock& clock, runtime::Random& random) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("creating {}: {}", folder, error.message()));
  std::unique_ptr<Uploads> out(new Uploads(folder, limits, clock, random));
  TRY(out->recover());
  return out;
}

Result<> Uploads::recover() {
  const std::scoped_lock lock(mutex_);
  std::error_code error;
  fs::directory_iterator at(folder_, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("reading {}: {}", folder_, error.message()));
  std::vector<fs::path> stray;
  for (; at != fs::directory_iterator(); at.increment(error)) {
    if (error) return fail(ErrorCode::kIo, fmt::format("reading {}: {}", folder_, error.message()));
    const std::string id = at->path().filename().string();
    if (id.ends_with(kNameSuffix) && fs::exists(folder_ + "/" + id.substr(0, id.size() - kNameSuffix.size()), error))
      continue;
    std::string repository;
    std::ifstream(at->path().string() + std::string(kNameSuffix)) >> repository;
    if (!valid_id(id) || !valid_repository(repository) || sessions_.size() >= limits_.max_sessions) {
      stray.push_back(at->path());
      continue;
    }
    auto session = std::make_shared<Session>();
    session->fd = ::open(at->path().c_str(), O_RDWR | O_CLOEXEC);
    struct stat info{};
    if (session->fd < 0 || ::fstat(session->fd, &info) != 0) return fail(io_error(at->path().string()));
    session->repository = repository;
    session->size = static_cast<std::uint64_t>(info.st_size);
    session->used = clock_.now();
    total_bytes_ += session->size;
    sessions_.emplace(id, std::move(session));
  }
  for (const auto& path : stray) fs::remove(path, error);
  return {};
}

void Uploads::forget(const std::string& id, const Session& session) {
  std::error_code ignored;
  fs::remove(folder_ + "/" + id + std::string(kNameSuffix), ignored);
  fs::remove(folder_ + "/" + id, ignored);
  total_bytes_ -= session.size;
}

void Uploads::expire() {
  const Instant now = clock_.now();
  std::erase_if(sessions_, [&](const auto& entry) {
    if (now - entry.second->used < limits_.lifetime) return false;
    entry.second->gone = true;
    forget(entry.first, *entry.second);
    return true;
  });
}

Result<std::string> Uploads::begin(const std::string& repository) {
  const std::scoped_lock lock(mutex_);
  expire();
  if (sessions_.size() >= limits_.max_sessions)
    return fail(ErrorCode::kExhausted, fmt::format("{} uploads are open already", limits_.max_sessions));
  std::array<std::uint8_t, 16> raw{};
  random_.fill(raw);
  const std::string id = to_hex(raw);
  const std::string path = folder_ + "/" + id;
  std::ofstream name(path + std::string(kNameSuffix));
  name << repository << '\n';
  name.close();
  if (!name) return fail(ErrorCode::kIo, fmt::format("{}: cannot be written", path));
  auto session = std::make_shared<Session>();
  session->fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (session->fd < 0) return fail(io_error(path));
  session->repository = repository;
  session->used = clock_.now();
  sessions_.emplace(id, std::move(session));
  return id;
}

std::shared_ptr<Uploads::Session> Uploads::find(const std::string& repository, const std::string& id) {
  const std::scoped_lock lock(mutex_);
  expire();
  const auto at = sessions_.find(id);
  // A session belongs to the name it was begun for: its bytes must not leak into another repository.
  if (at == sessions_.end() || at->second->repository != repository) return nullptr;
  at->second->used = clock_.now();
  return at->second;
}

Result<std::uint64_t> Uploads::size(const std::string& repository, const std::string& id) {
  const auto session = find(repository, id);
  if (!session) return fail(ErrorCode::kNotFound, "no such upload");
  const std::scoped_lock lock(mutex_);
  return session->size;
}

Result<Uploads::Claim> Uploads::claim(const std::string& repository, const std::string& id) {
  const auto session = find(repository, id);
  if (!session) return fail(ErrorCode::kNotFound, "no such upload");
  const std::scoped_lock file(session->file_mutex);
  const std::scoped_lock lock(mutex_);
  session->owner = next_owner_++;
  return Claim{id, session->owner, session->size};
}

std::shared_ptr<Uploads::Session> Uploads::owned(const Claim& claim) {
  const std::scoped_lock lock(mutex_);
  const auto at = sessions_.find(claim.id);
  if (at == sessions_.end() || at->second->owner != claim.owner) return nullptr;
  at->second->used = clock_.now();
  return at->second;
}

Result<std::uint64_t> Uploads::append(const Claim& claim, BytesView in) {
  const auto session = owned(claim);
  if (!session) return fail(ErrorCode::kConflict, "the upload was taken over by another request");
  const std::scoped_lock file(session->file_mutex);
  std::uint64_t at = 0;
  {
    const std::scoped_lock lock(mutex_);
    if (session->gone || session->owner != claim.owner)
      return fail(ErrorCode::kConflict, "the upload was taken over by another request");
    if (in.size() > limits_.max_session_bytes - session->size)
      return fail(ErrorCode::kExhausted, fmt::format("a blob has at most {} bytes", limits_.max_session_bytes));
    if (total_bytes_ + in.size() > limits_.max_total_bytes)
      return fail(ErrorCode::kExhausted, "too much is being uploaded at once");
    at = session->size;
  }
  std::size_t done = 0;
  while (done < in.size()) {
    const ssize_t n = ::pwrite(session->fd, in.data() + done, in.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(io_error("writing an upload"));
    done += static_cast<std::size_t>(n);
  }
  const std::scoped_lock lock(mutex_);
  session->size = at + done;
  if (!session->gone) total_bytes_ += done;
  return session->size;
}

Result<std::size_t> Uploads::read(const Claim& claim, std::uint64_t offset, std::span<std::uint8_t> out) {
  const auto session = owned(claim);
  if (!session) return fail(ErrorCode::kConflict, "the upload was taken over by another request");
  while (true) {
    const ssize_t n = ::pread(session->fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) return fail(io_error("reading an upload"));
  }
}

Result<> Uploads::end(const std::string& repository, const std::string& id) {
  const auto session = find(repository, id);
  if (!session) return fail(ErrorCode::kNotFound, "no such upload");
  const std::scoped_lock file(session->file_mutex);
  const std::scoped_lock lock(mutex_);
  if (session->gone) return fail(ErrorCode::kNotFound, "no such upload");
  session->gone = true;
  forget(id, *session);
  sessions_.erase(id);
  return {};
}

}  // namespace bonus::compute::oci

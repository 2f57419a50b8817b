// Upload sessions: what a client has sent of a blob so far, in a file, so that it can go on after a broken connection
// or a restart of the node (docs/formats/registry.md).
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::compute::oci {

struct UploadLimits {
  std::size_t max_sessions = 256;
  Duration lifetime = std::chrono::hours(24);  ///< Since the session was last used.
  std::uint64_t max_session_bytes = 64ULL << 30;
  std::uint64_t max_total_bytes = 128ULL << 30;
};

/// Thread-safe and blocking.
class Uploads {
 public:
  /// Finds the sessions again that an earlier run left in the folder.
  [[nodiscard]] static Result<std::unique_ptr<Uploads>> open(const std::string& folder, const UploadLimits& limits,
                                                             runtime::Clock& clock, runtime::Random& random);

  /// A claim lets one request write; a later claim on the same session takes the right away, because the connection of
  /// the earlier one is most likely dead and just not noticed yet.
  struct Claim {
    std::string id;
    std::uint64_t owner = 0;
    std::uint64_t size_bytes = 0;  ///< Received when it was claimed.
  };
  [[nodiscard]] Result<std::string> begin(const std::string& repository);  ///< kExhausted: too many.
  /// kNotFound: no such session in this repository.
  [[nodiscard]] Result<std::uint64_t> size(const std::string& repository, const std::string& id);
  [[nodiscard]] Result<Claim> claim(const std::string& repository, const std::string& id);
  /// The new size. kConflict: somebody claimed it after; kExhausted: a limit.
  [[nodiscard]] Result<std::uint64_t> append(const Claim& claim, BytesView in);
  [[nodiscard]] Result<std::size_t> read(const Claim& claim, std::uint64_t offset, std::span<std::uint8_t> out);
  /// Forgets the session and its bytes. kNotFound.
  [[nodiscard]] Result<> end(const std::string& repository, const std::string& id);

  ~Uploads();

 private:
  struct Session;
  Uploads(std::string folder, const UploadLimits& limits, runtime::Clock& clock, runtime::Random& random);
  Result<> recover();
  void expire();
  std::shared_ptr<Session> find(const std::string& repository, const std::string& id);
  std::shared_ptr<Session> owned(const Claim& claim);
  void forget(const std::string& id, const Session& session);

  const std::string folder_;
  const UploadLimits limits_;
  runtime::Clock& clock_;
  runtime::Random& random_;
  std::mutex mutex_;  // guards what follows and the fields of sessions, but not their files
  std::map<std::string, std::shared_ptr<Session>> sessions_;  // shared with requests under way
  std::uint64_t total_bytes_ = 0, next_owner_ = 1;
};

}  // namespace bonus::compute::oci

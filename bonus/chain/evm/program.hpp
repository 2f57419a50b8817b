// Contract code made ready to run: valid jump targets.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/revision.hpp"
#include "bonus/chain/evm/threaded.hpp"

namespace bonus::chain::evm {

/// Immutable and thread-safe; the threaded form is made once, when it is first asked for.
class Program {
 public:
  Program(std::shared_ptr<const Bytes> code, Revision revision);

  [[nodiscard]] BytesView code() const { return *code_; }
  [[nodiscard]] Revision revision() const { return revision_; }
  [[nodiscard]] bool is_jumpdest(std::uint64_t pc) const {
    return pc < code_->size() && (jumpdests_[pc >> 6] >> (pc & 63) & 1) != 0;
  }
  [[nodiscard]] const Threaded& threaded() const {
    std::call_once(once_, [&] { threaded_ = Threaded::build(*code_, revision_); });
    return threaded_;
  }

 private:
  std::shared_ptr<const Bytes> code_;  // Shared with the state's caches.
  Revision revision_;
  std::vector<std::uint64_t> jumpdests_;
  mutable std::once_flag once_;
  mutable Threaded threaded_;
};

/// Programs by code hash. Thread-safe. Bounded in bytes of code; the least recently made go first.
class ProgramCache {
 public:
  explicit ProgramCache(std::size_t code_bytes = 32 << 20) : limit_(code_bytes) {}
  /// `load` gives the code when it is not here.
  template <class Load>
  [[nodiscard]] std::shared_ptr<const Program> get(const Hash32& code_hash, Revision revision, const Load& load) {
    if (auto found = find(code_hash, revision)) return found;
    // Shared: frames run it while the cache may drop it.
    return add(code_hash, std::make_shared<const Program>(load(), revision));
  }

 private:
  struct Key {
    Hash32 hash;
    Revision revision;
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct Hasher {
    std::size_t operator()(const Key& key) const noexcept {
      return std::hash<Hash32>{}(key.hash) ^ static_cast<std::size_t>(key.revision);
    }
  };
  [[nodiscard]] std::shared_ptr<const Program> find(const Hash32& code_hash, Revision revision);
  std::shared_ptr<const Program> add(const Hash32& code_hash, std::shared_ptr<const Program> program);

  const std::size_t limit_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::unordered_map<Key, std::shared_ptr<const Program>, Hasher> programs_;
  std::deque<Key> order_;  ///< Oldest first.
};

}  // namespace bonus::chain::evm

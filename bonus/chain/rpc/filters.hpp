// Filters that are polled (eth_newFilter and its kin). Internal to this folder.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "bonus/chain/rpc/feed.hpp"
#include "bonus/chain/rpc/params.hpp"

namespace bonus::chain::rpc {

/// One filter. Its reader holds `mutex` while it reads and moves the cursors, so that two polls at a time do not get
/// the same changes.
struct Filter {
  enum class Kind : std::uint8_t { kLogs, kBlocks, kPending };
  Kind kind = Kind::kBlocks;
  LogQuery logs{};    ///< Of kLogs.
  bool full = false;  ///< kPending: transactions instead of hashes.
  std::mutex mutex;
  std::uint64_t next_block = 0;    ///< Guarded by mutex: the first block that was not polled yet.
  std::uint64_t next_pending = 0;  ///< Guarded by mutex: the same in the ring of pending transactions.
};

/// Thread-safe, bounded. A filter that is not used for options.filter_lifetime is forgotten.
class FilterSet {
 public:
  /// All references outlive it.
  FilterSet(Feed& feed, const RpcOptions& options, const runtime::Clock& clock);
  ~FilterSet();
  FilterSet(const FilterSet&) = delete;
  FilterSet& operator=(const FilterSet&) = delete;

  [[nodiscard]] Reply<std::string> add(std::unique_ptr<Filter> filter);
  /// Counts as use. -32000 "filter not found".
  [[nodiscard]] Reply<std::shared_ptr<Filter>> find(const std::string& id);
  [[nodiscard]] bool remove(const std::string& id);
  [[nodiscard]] PendingRing& pending() { return feed_.pending(); }

 private:
  struct Entry {
    std::shared_ptr<Filter> filter;  // shared with a poll under way
    Instant used{};
  };
  using Entries = std::map<std::string, Entry>;
  void drop_locked(Entries::iterator at);
  void expire_locked(Instant now);
  void show_locked();

  Feed& feed_;
  const RpcOptions& options_;
  const runtime::Clock& clock_;
  std::mutex mutex_;  // guards all below
  Entries entries_;
};

}  // namespace bonus::chain::rpc

// Records of the write-ahead log (rule 10) and what of them is still needed.
#pragma once

#include <map>
#include <variant>

#include "bonus/chain/consensus/messages.hpp"
#include "bonus/chain/consensus/options.hpp"

namespace bonus::chain::consensus::wal {

/// A signed message of this node, exactly as sent but without block body (the body has a record of its own).
struct Own {
  Bytes message;
};
struct Lock {
  VoteCert cert;
};
struct StoredBody {
  Hash32 hash;
  Bytes body;
};
/// The Q RoundChanges by which a round was entered, as messages without bodies: given to peers that lag behind.
struct Entered {
  std::uint32_t round = 0;
  std::vector<Bytes> changes;
};
struct Finished {
  CommitCert cert;
};
/// Nothing below this height is in the log any more; this node may have signed there.
struct Watermark {};

struct Record {
  std::uint64_t height = 0;
  std::variant<Own, Lock, StoredBody, Entered, Finished, Watermark> content;
};
[[nodiscard]] Bytes encode(const Record& record);
[[nodiscard]] Result<Record> decode(BytesView in);

/// The live records in memory, by height.
class Ledger {
 public:
  /// Reads what an earlier run wrote. False: a record is not understood, and this node must not sign.
  [[nodiscard]] bool load(const std::vector<Bytes>& records);
  void add(const Record& record, Bytes encoded);
  /// The records of one height, in the order in which they were written.
  [[nodiscard]] std::vector<Record> at(std::uint64_t height) const;
  /// Drops what a node at `height` does not need: of the two heights below, certificate and body stay; of older ones
  /// nothing.
  void prune(std::uint64_t height);
  [[nodiscard]] std::vector<Bytes> live() const;
  /// The greatest height of any record.
  [[nodiscard]] std::uint64_t highest() const { return highest_; }

 private:
  std::map<std::uint64_t, std::vector<Bytes>> records_;
  std::uint64_t highest_ = 0;
};

}  // namespace bonus::chain::consensus::wal

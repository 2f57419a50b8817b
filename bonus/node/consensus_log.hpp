// The write-ahead log and the signer-state file of a bookkeeper (chain.md, rule 10).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/runtime/disk.hpp"

namespace bonus::node {

/// Not thread-safe. After an error nothing more may be signed: the caller halts.
class ConsensusLog {
 public:
  /// Files `consensus.wal` (an append log) and `signer.state` below `folder`.
  [[nodiscard]] static Result<std::unique_ptr<ConsensusLog>> open(runtime::Disk& disk, const std::string& folder);

  /// What an earlier run left.
  [[nodiscard]] const std::vector<Bytes>& records() const { return wal_->recovered(); }
  [[nodiscard]] const std::optional<Bytes>& signer_state() const { return signer_state_; }

  /// `signer_state` is empty when the record holds nothing signed.
  [[nodiscard]] Result<> append(const Bytes& record, Bytes signer_state);
  /// Makes what was appended durable, then the signer state if it changed.
  [[nodiscard]] Result<> flush();
  /// Bytes appended since the last rewrite.
  [[nodiscard]] std::size_t grown_bytes() const { return grown_; }
  /// Keeps only these records.
  [[nodiscard]] Result<> rewrite(const std::vector<Bytes>& live);

 private:
  ConsensusLog(runtime::Disk& disk, std::string signer_path) : disk_(disk), signer_path_(std::move(signer_path)) {}
  runtime::Disk& disk_;
  std::string signer_path_;
  std::unique_ptr<runtime::AppendLog> wal_;
  std::optional<Bytes> signer_state_;
  Bytes next_signer_state_;  // empty: unchanged
  bool dirty_ = false;
  std::size_t grown_ = 0;
};

}  // namespace bonus::node

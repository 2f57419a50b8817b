// WAL first, then signer state: a signer state ahead of the WAL means that the WAL lost something.
#include "bonus/node/consensus_log.hpp"

#include <utility>

namespace bonus::node {
namespace {
constexpr std::size_t kMaxSignerStateBytes = 4096;
}

Result<std::unique_ptr<ConsensusLog>> ConsensusLog::open(runtime::Disk& disk, const std::string& folder) {
  std::unique_ptr<ConsensusLog> out(new ConsensusLog(disk, folder + "/signer.state"));
  auto wal = disk.open_log(folder + "/consensus.wal");
  if (!wal) return fail(std::move(wal).error().wrap("the consensus log"));
  out->wal_ = *std::move(wal);
  if (disk.exists(out->signer_path_)) {
    auto state = disk.read_file(out->signer_path_, kMaxSignerStateBytes);
    if (!state) return fail(std::move(state).error().wrap("the signer state"));
    out->signer_state_ = *std::move(state);
  }
  return out;
}

Result<> ConsensusLog::append(const Bytes& record, Bytes signer_state) {
  dirty_ = true;
  grown_ += record.size();
  if (!signer_state.empty()) next_signer_state_ = std::move(signer_state);
  return wal_->append(record);
}

Result<> ConsensusLog::flush() {
  if (dirty_) {
    if (auto synced = wal_->sync(); !synced) return synced;
    dirty_ = false;
  }
  if (!next_signer_state_.empty()) {
    if (auto written = disk_.write_file(signer_path_, next_signer_state_, 0600); !written) return written;
    signer_state_ = std::exchange(next_signer_state_, Bytes());
  }
  return {};
}

Result<> ConsensusLog::rewrite(const std::vector<Bytes>& live) {
  if (auto written = wal_->rewrite(live); !written) return written;
  dirty_ = false;
  grown_ = 0;
  return {};
}

}  // namespace bonus::node

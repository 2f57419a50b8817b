// WAL first, then signer state: a signer state ahead of the WAL means that the WAL lost something.
#include "bonus/node/consensus_log.hpp"

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

Result<> ConsensusLog::append(const Bytes& record) {
  dirty_ = true;
  grown_ += record.size();
  return wal_->append(record);
}

Result<> ConsensusLog::flush(const std::optional<Bytes>& signer_state) {
  if (dirty_) {
    if (auto synced = wal_->sync(); !synced) return synced;
    dirty_ = false;
  }
  if (signer_state && signer_state != signer_state_) {
    if (auto written = disk_.write_file(signer_path_, *signer_state, 0600); !written) return written;
    signer_state_ = signer_state;
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

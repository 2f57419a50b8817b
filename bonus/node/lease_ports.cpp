// A version byte and rlp([[lease, [port...]]...]).
#include "bonus/node/lease_ports.hpp"

#include "bonus/base/log.hpp"
#include "bonus/codec/rlp.hpp"

namespace bonus::node {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kMaxBytes = 1 << 20;

Result<std::map<std::uint64_t, std::vector<std::uint16_t>>> decode(BytesView in) {
  if (in.empty() || in[0] != kVersion) return fail(ErrorCode::kCorrupt, "unknown version");
  std::map<std::uint64_t, std::vector<std::uint16_t>> out;
  rlp::Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  while (!list.at_end()) {
    TRY_ASSIGN(auto entry, list.list());
    TRY_ASSIGN(const auto lease, entry.number());
    TRY_ASSIGN(auto numbers, entry.list());
    auto& ports = out[lease];
    while (!numbers.at_end()) {
      TRY_ASSIGN(const auto port, numbers.number());
      if (port > 65535) return fail(ErrorCode::kCorrupt, "a port is out of range");
      ports.push_back(static_cast<std::uint16_t>(port));
    }
  }
  return out;
}

}  // namespace

LeasePorts::LeasePorts(runtime::Disk& disk, std::string path) : disk_(disk), path_(std::move(path)) {
  if (!disk_.exists(path_)) return;
  auto raw = disk_.read_file(path_, kMaxBytes);
  Result<std::map<std::uint64_t, std::vector<std::uint16_t>>> read = fail(ErrorCode::kIo, "unreadable");
  if (raw) read = decode(*raw);
  if (read) {
    ports_ = *std::move(read);
  } else {
    log::warn("node", "lease_ports_unreadable", {{"file", path_}, {"error", read.error().message}});
  }
}

std::vector<std::uint16_t> LeasePorts::get(std::uint64_t lease) const {
  const auto found = ports_.find(lease);
  return found == ports_.end() ? std::vector<std::uint16_t>() : found->second;
}

Result<> LeasePorts::set(std::uint64_t lease, const std::vector<std::uint16_t>& ports) {
  ports_[lease] = ports;
  return save();
}

Result<> LeasePorts::erase(std::uint64_t lease) {
  if (ports_.erase(lease) == 0) return {};
  return save();
}

Result<> LeasePorts::save() const {
  rlp::Encoder out;
  out.begin_list();
  for (const auto& [lease, ports] : ports_) {
    out.begin_list().number(lease).begin_list();
    for (const auto port : ports) out.number(port);
    out.end_list().end_list();
  }
  out.end_list();
  Bytes bytes{kVersion};
  append(bytes, out.take());
  return disk_.write_file(path_, bytes, 0600);
}

}  // namespace bonus::node

// What a worker offers: capacity of the machine, prices, and the check of a workload against its order.
#include <fmt/format.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "bonus/node/worker.hpp"

namespace bonus::node {

namespace market_api = chain::market;

namespace {

constexpr std::uint64_t kSecondsPerHour = 3600;

/// Price per unit and second from a price per hour and `units`, rounded up: a worker never earns less than it asks.
uint256 per_second(const uint256& per_hour, std::uint64_t units) {
  const uint256 divisor(units * kSecondsPerHour);
  return (per_hour + divisor - uint256(1)) / divisor;
}

}  // namespace

Result<market_api::Resources> offered_resources(const Config& config) {
  market_api::Resources out{config.worker.cpu_millis, config.worker.memory_mib, config.worker.disk_mib};
  if (out.cpu_millis == 0) {
    const long cores = ::sysconf(_SC_NPROCESSORS_ONLN);
    if (cores <= 0) return fail(ErrorCode::kIo, "the number of processors is unknown; set worker.cpu");
    out.cpu_millis = static_cast<std::uint32_t>(std::min(cores, 1024L)) * 1000;
  }
  if (out.memory_mib == 0) {
    const long pages = ::sysconf(_SC_PHYS_PAGES), page = ::sysconf(_SC_PAGESIZE);
    if (pages <= 0 || page <= 0) return fail(ErrorCode::kIo, "the amount of memory is unknown; set worker.memory");
    const std::uint64_t total = (static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page)) >> 20;
    out.memory_mib = static_cast<std::uint32_t>(std::min<std::uint64_t>(total / 4 * 3, UINT32_MAX));
  }
  if (out.disk_mib == 0) {
    struct statvfs info{};
    if (::statvfs(config.node.data_dir.c_str(), &info) != 0)
      return fail(ErrorCode::kIo,
                  fmt::format("the free space of {} is unknown; set worker.disk", config.node.data_dir));
    const std::uint64_t free = (static_cast<std::uint64_t>(info.f_bavail) * info.f_frsize) >> 20;
    out.disk_mib = static_cast<std::uint32_t>(std::min<std::uint64_t>(free / 2, UINT32_MAX));
  }
  return out;
}

market::AgentConfig agent_config(const Config& config, const Identity& identity, const chain::Genesis& genesis,
                                 const market_api::Resources& capacity, const std::string& endpoint) {
  market::AgentConfig out;
  out.account = identity.account;
  out.node_key = identity.node_key.public_key();
  const Hash32 digest = market_api::registration_digest(genesis.chain_id, identity.account);
  out.registration = identity.node_key.sign(digest.view());
  out.tier = config.worker.tier;
  out.region = config.worker.region;
  out.endpoint = endpoint;
  out.bond = config.worker.bond.is_zero() ? genesis.market.min_worker_bond : config.worker.bond;
  out.heartbeat_busy = std::chrono::seconds(genesis.market.heartbeat_interval_s);
  market_api::OfferSpec offer;
  offer.capacity = capacity;
  offer.prices = {per_second(config.worker.cpu_price, 1000), per_second(config.worker.memory_price, 1024),
                  per_second(config.worker.disk_price, 1024)};
  offer.tier = config.worker.tier;
  offer.region = config.worker.region;
  offer.runtimes = config.worker.runtimes;
  out.offer = offer;
  return out;
}

Result<> check_workload(const compute::Workload& workload, const market_api::OrderSpec& order) {
  const auto above = [](std::string_view what, std::uint64_t asked, std::uint64_t paid, std::string_view unit) {
    return fail(ErrorCode::kInvalid,
                fmt::format("the workload wants {} {}{}, its order pays for {}{}", what, asked, unit, paid, unit));
  };
  if (workload.manifest_digest != order.image_digest)
    return fail(ErrorCode::kInvalid, "the workload names another image than its order");
  if (workload.cpu_millis > order.resources.cpu_millis)
    return above("cpu", workload.cpu_millis, order.resources.cpu_millis, "m");
  if (workload.memory_mib > order.resources.memory_mib)
    return above("memory", workload.memory_mib, order.resources.memory_mib, " MiB");
  if (workload.disk_mib > order.resources.disk_mib)
    return above("disk", workload.disk_mib, order.resources.disk_mib, " MiB");
  return {};
}

}  // namespace bonus::node

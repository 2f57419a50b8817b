// What a service consists of. Internal to this folder.
#pragma once

#include "bonus/chain/evm/program.hpp"
#include "bonus/chain/rpc/feed.hpp"
#include "bonus/chain/rpc/filters.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/rpc_metrics.hpp"

namespace bonus::chain::rpc {

struct RpcService::Impl {
  Impl(LedgerReader& l, Mempool& m, RpcOptions o)
      : ledger(l),
        mempool(m),
        options(std::move(o)),
        clock(options.clock != nullptr ? *options.clock : runtime::system_clock()),
        metrics(options.metrics),
        feed(l, m, options, options.random != nullptr ? *options.random : runtime::system_random()),
        filters(feed, options, clock),
        queued(options.max_queue_total_bytes) {}

  LedgerReader& ledger;
  Mempool& mempool;
  const RpcOptions options;
  const runtime::Clock& clock;
  RpcMetrics metrics;
  Feed feed;
  FilterSet filters;
  evm::ProgramCache programs;
  Budget queued;  ///< Bytes that wait for all WebSockets.
  std::atomic<std::size_t> websockets{0};
};

}  // namespace bonus::chain::rpc

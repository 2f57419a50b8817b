// What containers' nodes ask of an exit.
#include "bonus/node/exit_service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>

#include "bonus/base/log.hpp"

namespace bonus::node {

using runtime::Task;

namespace {

constexpr std::string_view kService = "exit.attach";
constexpr Duration kTimeout = std::chrono::seconds(10), kRefresh = std::chrono::seconds(10);

Task<Result<Bytes>> admit(Network& network, NodeId from, Bytes request) {
  CO_TRY_ASSIGN(const auto wishes, decode_exit_request(request));
  // The root key, which the addresses of its containers follow from. The caller is authenticated, its record is known.
  auto finding = network.overlay().find(net::overlay_address(from));
  CO_TRY_ASSIGN(const auto record, co_await std::move(finding));
  CO_TRY_ASSIGN(const auto given, network.admit_guests(record, wishes));
  co_return encode_exit_reply(given);
}

}  // namespace

void serve_exit(net::Transport& transport, Network& network) {
  transport.on_call(std::string(kService),
                    [&network](NodeId from, Bytes request) { return admit(network, from, std::move(request)); });
}

ExitUser::ExitUser(Network& network, net::Transport& transport, const NodeId& exit, runtime::Executor executor)
    : network_(network), transport_(transport), exit_(exit) {
  network_.ask_exit_by([&network, &transport, exit, executor = std::move(executor)]() -> Result<> {
    auto done = boost::asio::co_spawn(executor, refresh(network, transport, exit), boost::asio::use_future);
    if (done.wait_for(3 * kTimeout) != std::future_status::ready)
      return fail(ErrorCode::kTimeout, "the exit does not answer");
    return done.get();
  });
}

Task<Result<>> ExitUser::refresh(Network& network, net::Transport& transport, NodeId exit) {
  const auto wishes = network.exit_wishes();
  if (wishes.empty()) co_return Result<>();
  if (!transport.connected(exit)) {  // it may be none of those that stand on the chain
    auto finding = network.overlay().find(net::overlay_address(exit));
    CO_TRY_ASSIGN(const auto record, co_await std::move(finding));
    const net::Peer peer{exit, record.root, net::to_string(record.address())};
    CO_TRY(transport.set_peer(peer));
  }
  auto calling = transport.call(exit, std::string(kService), encode_exit_request(wishes), kTimeout);
  CO_TRY_ASSIGN(const auto reply, co_await std::move(calling));
  CO_TRY_ASSIGN(const auto given, decode_exit_reply(reply));
  if (given.size() != wishes.size()) co_return fail(ErrorCode::kInvalid, "the exit answered for other containers");
  std::map<Bytes, net::Ipv6> by_id;
  for (std::size_t i = 0; i < given.size(); ++i) by_id[wishes[i].id] = given[i];
  co_return network.set_exit_addresses(by_id);
}

Task<> ExitUser::run() {
  bool failed = false;
  while (true) {
    auto refreshing = refresh(network_, transport_, exit_);
    const auto done = co_await std::move(refreshing);
    if (!done && !failed)
      log::warn("net", "exit_not_reached", {{"exit", to_hex(exit_).substr(0, 12)}, {"error", done.error().message}});
    failed = !done;
    auto pause = runtime::sleep_for(kRefresh);
    if (!co_await std::move(pause)) co_return;
  }
}

}  // namespace bonus::node

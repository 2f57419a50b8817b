// bonus-tunnel: one WireGuard tunnel in the foreground from a wg-quick file, to be set side by side with wireguard-go.
#include <fmt/format.h>
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <ctime>

#include "bonus/base/log.hpp"
#include "bonus/net/device/quick.hpp"
#include "bonus/runtime/disk.hpp"

namespace {

using namespace bonus;

struct Arguments {
  net::device::QuickOptions tunnel;
  std::string file, log_level = "info";
  long stats_s = 0;
  bool no_offload = false, no_routes = false;
};

int complain(const Error& error) {
  fmt::print(stderr, "bonus-tunnel: {}\n", error.message);
  return 1;
}

// Waits for a signal, printing rates meanwhile. The signals are blocked in every thread.
int serve(net::device::QuickTunnel& tunnel, const sigset_t& signals, long stats_s) {
  while (true) {
    const timespec period{.tv_sec = stats_s, .tv_nsec = 0};
    const int signal = stats_s > 0 ? ::sigtimedwait(&signals, nullptr, &period) : ::sigwaitinfo(&signals, nullptr);
    if (signal == SIGUSR1) {
      fmt::print("{}", tunnel.status());
      std::fflush(stdout);
    } else if (signal == SIGTERM || signal == SIGINT) {
      log::info("tunnel", "stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      tunnel.engine().stop();
      return 0;
    } else if (stats_s > 0) {
      fmt::print("{}\n", tunnel.rates());
      std::fflush(stdout);
    }
  }
}

int run(Arguments& arguments) {
  const auto level = log::parse_level(arguments.log_level);
  if (!level) return complain(level.error());
  log::configure({.level = *level, .json = false, .file = {}});
  auto content = runtime::system_disk().read_file(arguments.file, net::tunnel::kMaxConfigBytes);
  if (!content) return complain(content.error());
  auto config = net::tunnel::parse_config(as_text(*content), arguments.file);
  std::fill(content->begin(), content->end(), std::uint8_t{0});
  if (!config) return complain(config.error());
  for (const auto& line : config->ignored) log::warn("tunnel", "setting_without_effect", {{"setting", line}});

  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  arguments.tunnel.offload = !arguments.no_offload;
  arguments.tunnel.routes = !arguments.no_routes;
  auto tunnel =
      net::device::QuickTunnel::up(*config, arguments.tunnel, runtime::system_clock(), runtime::system_random());
  if (!tunnel) return complain(tunnel.error());
  return serve(**tunnel, signals, arguments.stats_s);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "A WireGuard tunnel in the foreground. Needs CAP_NET_ADMIN.\n"
      "SIGTERM and SIGINT end it and remove the interface; SIGUSR1 prints its status.",
      "bonus-tunnel"};
  Arguments arguments;
  app.add_option("--interface,-i", arguments.tunnel.interface, "Name of the interface that is created")->required();
  app.add_option("CONFIG", arguments.file, "A file as wg-quick(8) reads it")->required();
  app.add_option("--mtu", arguments.tunnel.mtu, "MTU of the interface (default: the file's, or 1420)")
      ->check(CLI::Range(576, 65495));
  app.add_flag("--no-offload", arguments.no_offload, "No super packets at the interface or the socket");
  app.add_flag("--no-routes", arguments.no_routes, "Leave routes for AllowedIPs to the caller");
  app.add_option("--stats", arguments.stats_s, "Print rates every so many seconds")->check(CLI::Range(1, 86400));
  app.add_option("--log-level", arguments.log_level, "debug, info, warn or error");
  CLI11_PARSE(app, argc, argv);
  try {
    return run(arguments);
  } catch (const std::exception& error) {
    return complain({ErrorCode::kInternal, error.what()});
  }
}

// The device that a subnet router's networks lie behind: taken from the machine with its addresses and routes, and
// given back when the node ends (docs/operating/network.md, "Networks behind routers").
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bonus/net/host/netlink.hpp"

namespace bonus::node {

/// What a device has, to be given to it again: moving takes everything from it.
struct LanSettings {
  std::vector<net::host::LinkAddress> addresses;
  std::vector<net::host::Route> routes;  ///< Through gateways on it; what follows from its addresses is not listed.
};

/// Not thread-safe.
class LanDevice {
 public:
  /// While the process stands in the machine's namespace: finds the device and reads what it has. A device without
  /// addresses gets those that an ended process of this node noted in `data_dir`; one that such a process could not
  /// give back is brought home first. kNotFound; kConflict for a device that the machine itself needs; kInvalid: the
  /// name.
  [[nodiscard]] static Result<std::unique_ptr<LanDevice>> find(std::string name, std::string data_dir);
  /// In the node's own namespace: moves it here and gives it what it had.
  [[nodiscard]] Result<> take();
  ~LanDevice();  ///< Gives it back.
  LanDevice(const LanDevice&) = delete;
  LanDevice& operator=(const LanDevice&) = delete;
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  LanDevice(std::string name, std::string file, Fd outside, net::host::Netlink netlink)
      : name_(std::move(name)), file_(std::move(file)), outside_(std::move(outside)), netlink_(std::move(netlink)) {}
  [[nodiscard]] Result<> bring_home();
  [[nodiscard]] Result<> give_back();

  std::string name_, file_;
  Fd outside_;
  net::host::Netlink netlink_;  // in the machine's namespace
  LanSettings settings_;
  bool taken_ = false;
};

}  // namespace bonus::node

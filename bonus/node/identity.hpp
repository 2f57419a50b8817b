// Who a node is: its Ed25519 root key and the Ethereum account that pays and earns (architecture.md, "Identity").
#pragma once

#include <string>

#include "bonus/crypto/keys.hpp"
#include "bonus/node/config.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {

struct Identity {
  crypto::Ed25519KeyPair node_key;
  NodeId id;
  crypto::SecretKey256 account_key;
  Address account;
};

/// Reads the key files of the configuration. kDenied when a secret file may be read by others than its owner, kInvalid
/// when its content is not a key; both name the file. With `make_missing` the node key and the account key (unless a
/// keystore is configured) are made, mode 0600, where they are missing; otherwise that is kNotFound.
[[nodiscard]] Result<Identity> load_identity(const Config::Node& config, runtime::Disk& disk, bool make_missing);

}  // namespace bonus::node

// What a user wants to run. The document is stored as a blob; the order on chain names its SHA-256
// (docs/formats/workload.md).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::compute {

enum class RestartPolicy : std::uint8_t { kNever, kOnFailure, kAlways };

/// JSON, version 1. Limits: 64 KiB in all, 256 arguments, 256 variables, 16 ports.
struct Workload {
  std::string image;                    ///< "repository:tag" for people.
  Hash32 manifest_digest;               ///< SHA-256 of the OCI image manifest.
  std::vector<std::string> args;        ///< Empty: the image's Cmd.
  std::vector<std::string> entrypoint;  ///< Empty: the image's Entrypoint.
  std::map<std::string, std::string> env;
  std::string working_directory;     ///< Empty: the image's.
  std::vector<std::uint16_t> ports;  ///< TCP ports the container listens on.
  RestartPolicy restart = RestartPolicy::kOnFailure;
  std::uint32_t cpu_millis = 500;
  std::uint32_t memory_mib = 256;
  std::uint32_t disk_mib = 1024;
  std::uint32_t pids = 256;
  bool read_only_root = false;
  bool internet = false;  ///< May reach the Internet, by the worker's exit.

  [[nodiscard]] std::string to_json() const;  ///< Deterministic: the same value, the same bytes.
  [[nodiscard]] static Result<Workload> from_json(
      std::string_view text);  ///< kInvalid names the key; unknown keys are refused.
};

}  // namespace bonus::compute

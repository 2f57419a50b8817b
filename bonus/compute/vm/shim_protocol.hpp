// What bonusd and bonus-shim agree on: file names in a container's folder, and messages (docs/formats/shim.md). No
// dependencies.
#pragma once

namespace bonus::compute::vm::shim {

// Files in the container's folder (the OCI bundle).
inline constexpr const char* kConfigFile = "shim.conf";  ///< bonusd -> shim: key=value lines.
inline constexpr const char* kPidFile = "shim.pid";  ///< The shim's pid and start time; valid while the lock is held.
inline constexpr const char* kInitPidFile =
    "init.pid";  ///< Of the container's first process, in the machine's pid namespace.
inline constexpr const char* kLockFile = "shim.lock";  ///< flock(2)ed by the shim as long as it lives.
inline constexpr const char* kExitFile = "exit";       ///< shim -> bonusd: key=value lines, written once, atomically.
inline constexpr const char* kRuntimeLog = "runtime.log";  ///< runc --log, JSON lines.
inline constexpr const char* kDiskFolder = "disk";         ///< Holds upper/ and work/; the disk image is mounted here.
inline constexpr const char* kRootFolder = "rootfs";  ///< Where the overlay is mounted, in the shim's mount namespace.

// Packets on the control socket (descriptor 3, SOCK_SEQPACKET) of `bonus-shim exec`; the first byte is the kind.
inline constexpr char kExecTerminal = 'T';  ///< With the terminal's master descriptor (SCM_RIGHTS).
inline constexpr char kExecStarted = 'S';
inline constexpr char kExecFailed = 'E';  ///< Followed by text.
inline constexpr char kExecExited = 'X';  ///< Followed by the decimal exit code.

}  // namespace bonus::compute::vm::shim

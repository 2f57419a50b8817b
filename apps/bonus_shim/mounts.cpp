// Mounting: loop devices (loop(4)), ext4, overlayfs.
#include "apps/bonus_shim/mounts.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace bonus::shim {
namespace {

bool root_is_mount_point() {
  struct statx info{};
  if (::statx(AT_FDCWD, "/", 0, 0, &info) != 0) return true;
  return (info.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) == 0 || (info.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

Maybe<std::string> attach_loop(const std::string& image) {
  const int file = ::open(image.c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return failed("opening " + image);
  const int control = ::open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0) {
    ::close(file);
    return failed("opening /dev/loop-control");
  }
  // Another process may take the free device between the two calls: try again.
  Maybe<std::string> out = std::unexpected(std::string("no free loop device"));
  for (int attempt = 0; attempt < 64; ++attempt) {
    const int number = ::ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) {
      out = failed("LOOP_CTL_GET_FREE");
      break;
    }
    const std::string device = "/dev/loop" + std::to_string(number);
    const int loop = ::open(device.c_str(), O_RDWR);  // inherited by nobody: the shim execs only after closing all
    if (loop < 0) {
      out = failed("opening " + device);
      break;
    }
    loop_config config{};
    config.fd = static_cast<__u32>(file);
    config.info.lo_flags = LO_FLAGS_AUTOCLEAR;
    if (::ioctl(loop, LOOP_CONFIGURE, &config) == 0) {
      out = device;  // `loop` stays open until the mount holds the device; close_on_mount below
      ::fcntl(loop, F_SETFD, FD_CLOEXEC);
      break;
    }
    out = failed("LOOP_CONFIGURE");
    ::close(loop);
    if (errno != EBUSY && errno != ENXIO) break;
  }
  ::close(control);
  ::close(file);
  return out;
}

Maybe<> make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST) return failed("making " + path);
  return {};
}

}  // namespace

Maybe<> enter_mount_namespace(const std::string& scratch) {
  if (::unshare(CLONE_NEWNS) != 0) return failed("making a mount namespace");
  if (root_is_mount_point()) {
    // Slave, not private: when the machine unmounts a disk, we must not keep it busy.
    if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return failed("making mounts private");
    return {};
  }
  if (auto made = make_folder(scratch); !made) return made;
  if (::mount("/", scratch.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return failed("binding the root");
  if (::mount(nullptr, scratch.c_str(), nullptr, MS_PRIVATE | MS_REC, nullptr) != 0)
    return failed("making mounts private");
  if (::chroot(scratch.c_str()) != 0 || ::chdir("/") != 0) return failed("entering the bound root");
  return {};
}

Maybe<> mount_image(const std::string& image, const std::string& target) {
  auto device = attach_loop(image);
  if (!device) return std::unexpected(device.error());
  if (::mount(device->c_str(), target.c_str(), "ext4", MS_NODEV | MS_NOATIME, "errors=remount-ro") != 0)
    return failed("mounting " + image + " through " + *device);
  return {};
}

Maybe<> mount_overlay(const std::vector<std::string>& lower, const std::string& bundle, const std::string& disk,
                      const std::string& target) {
  for (const auto& folder : {disk + "/upper", disk + "/work", target})
    if (auto made = make_folder(folder); !made) return made;
  // Mount options are limited to one page: short links stand for the long paths of the layers.
  const std::string links = bundle + "/l";
  if (auto made = make_folder(links); !made) return made;
  if (::chdir(links.c_str()) != 0) return failed("entering " + links);
  std::string options = "upperdir=" + disk + "/upper,workdir=" + disk + "/work,lowerdir=";
  for (std::size_t i = 0; i < lower.size(); ++i) {
    const std::string name = std::to_string(i);
    (void)::unlink(name.c_str());
    if (::symlink(lower[i].c_str(), name.c_str()) != 0) return failed("linking a layer");
    options += (i == 0 ? "" : ":") + name;
  }
  const bool mounted = ::mount("overlay", target.c_str(), "overlay", MS_NODEV, options.c_str()) == 0;
  const int code = errno;
  (void)::chdir("/");
  errno = code;
  if (!mounted) return failed("mounting the overlay of " + std::to_string(lower.size()) + " layers");
  return {};
}

}  // namespace bonus::shim

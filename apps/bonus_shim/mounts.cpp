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

// Whether both are the same folder of the same mount.
bool same_place(int a, int b) {
  struct statx x{}, y{};
  constexpr unsigned kMask = STATX_INO | STATX_MNT_ID;
  if (::statx(a, "", AT_EMPTY_PATH, kMask, &x) != 0 || ::statx(b, "", AT_EMPTY_PATH, kMask, &y) != 0) return false;
  return x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id && x.stx_dev_major == y.stx_dev_major &&
         x.stx_dev_minor == y.stx_dev_minor;
}

// Our root is a chroot: makes it the root of the namespace. Otherwise the container's mount namespace would keep the
// machine's root, and whatever enters it later by setns(2), as exec does, would come out there.
Maybe<> adopt_chroot(int chroot_folder, const std::string& scratch) {
  // The working folder is the chroot's: its paths are reached without their leading slash.
  if (::fchdir(chroot_folder) != 0) return failed("entering the root");
  const std::string place = scratch.substr(1);
  if (::mkdir(place.c_str(), 0755) != 0 && errno != EEXIST) return failed("making " + scratch);
  if (::mount(".", place.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) return failed("binding the root");
  if (::chdir(place.c_str()) != 0) return failed("entering the bound root");
  // pivot_root(2): with both the same, the old root ends up on top of the new one and can be taken off.
  if (::syscall(SYS_pivot_root, ".", ".") != 0) return failed("changing the root");
  if (::umount2(".", MNT_DETACH) != 0 || ::chdir("/") != 0) return failed("leaving the old root");
  return {};
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
  const int before = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  const int self = ::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  // Entering the namespace that we are in already has one effect: the root becomes the namespace's own.
  if (before < 0 || self < 0 || ::setns(self, CLONE_NEWNS) != 0) return failed("finding the namespace's root");
  const int now = ::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  // Slave, not private: when the machine unmounts a disk, we must not keep it busy.
  Maybe<> out;
  if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0)
    out = failed("making mounts private");
  else if (!same_place(before, now))
    out = adopt_chroot(before, scratch);
  ::close(self);
  ::close(before);
  ::close(now);
  return out;
}

Maybe<> mount_image(const std::string& image, const std::string& target) {
  auto device = attach_loop(image);
  if (!device) return std::unexpected(device.error());
  // The image is a sparse file: its inode tables read as zeros and need no background initialization.
  if (::mount(device->c_str(), target.c_str(), "ext4", MS_NODEV | MS_NOATIME, "errors=remount-ro,noinit_itable") != 0)
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

// Internal to bonus/crypto: one-time initialisation and wiping.
#pragma once

#include <cstddef>

namespace bonus::crypto::detail {

/// Initialises libsodium once; thread-safe. Every function of this library that uses libsodium calls it first.
void init_sodium();
/// Overwrites memory in a way that the compiler keeps.
void wipe(void* memory, std::size_t size);

/// Wipes a value when the scope ends.
template <class T>
class Wiper {
 public:
  explicit Wiper(T& value) : value_(value) {}
  ~Wiper() { wipe(value_.data(), value_.size() * sizeof(*value_.data())); }
  Wiper(const Wiper&) = delete;
  Wiper& operator=(const Wiper&) = delete;

 private:
  T& value_;
};

}  // namespace bonus::crypto::detail

// Sixteen metropolitan regions and the round trips between them.
#include "bonus/net/kad/sim/world.hpp"

#include <array>
#include <cmath>
#include <numbers>

namespace bonus::net::kad::sim {

namespace {

struct Metro {
  double latitude, longitude, share;
};
// Beijing, Shanghai, Guangzhou, Chengdu, Tokyo, Singapore, Mumbai, Berlin, London, Paris, New York, San Francisco,
// Chicago, Sao Paulo, Sydney, Cairo.
constexpr std::array<Metro, 16> kMetros{{{39, 116, .16},
                                         {31, 121, .16},
                                         {23, 113, .14},
                                         {30, 104, .08},
                                         {35, 139, .04},
                                         {1, 104, .04},
                                         {19, 73, .05},
                                         {52, 13, .06},
                                         {51, 0, .05},
                                         {48, 2, .04},
                                         {40, -74, .06},
                                         {37, -122, .05},
                                         {41, -88, .03},
                                         {-23, -46, .02},
                                         {-34, 151, .01},
                                         {30, 31, .01}}};
constexpr std::size_t kChinese = 4;
constexpr double kEarthKm = 6371, kKmPerMs = 200, kDetour = 1.7;

double unit(runtime::sim::SeededRandom& random) { return static_cast<double>(random.next_u64() >> 11) * 0x1p-53; }

UdpEndpoint endpoint_of(std::uint32_t first, std::uint32_t prefix, std::uint8_t host) {
  const std::uint32_t address = (first << 24) + (prefix << 8) + host;
  UdpEndpoint out;
  out.address.bytes[10] = out.address.bytes[11] = 0xff;
  for (unsigned i = 0; i < 4; ++i) out.address.bytes[12 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
  out.port = 51820;
  return out;
}

// A pair's own factor must not depend on the process (std::hash does).
std::uint64_t mix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

}  // namespace

void World::put(Place& place) {
  double at = unit(random_);
  std::size_t metro = 0;
  while (metro + 1 < kMetros.size() && at >= kMetros[metro].share) at -= kMetros[metro++].share;
  place.metro = static_cast<std::uint16_t>(metro);
  const double latitude = (kMetros[metro].latitude + (unit(random_) - 0.5) * 6) * std::numbers::pi / 180;
  const double longitude = (kMetros[metro].longitude + (unit(random_) - 0.5) * 8) * std::numbers::pi / 180;
  place.x = static_cast<float>(std::cos(latitude) * std::cos(longitude));
  place.y = static_cast<float>(std::cos(latitude) * std::sin(longitude));
  place.z = static_cast<float>(std::sin(latitude));
  // Three providers: nation-wide in the first four metros, the metro's own elsewhere.
  const auto provider = unit(random_) < 0.45 ? 0 : unit(random_) < 0.6 ? 1 : 2;
  place.provider = static_cast<std::uint16_t>(provider + (metro < kChinese ? 0 : 10 + 3 * static_cast<int>(metro)));
  const double normal =
      std::sqrt(-2 * std::log(unit(random_) + 1e-12)) * std::cos(2 * std::numbers::pi * unit(random_));
  place.access_ms = static_cast<float>(std::min(120.0, 4 * std::exp(0.8 * normal)));
}

std::size_t World::add(std::size_t prefixes) {
  if (hosts_.size() < prefixes) hosts_.resize(prefixes);
  Place place;
  put(place);
  auto prefix = random_.below(prefixes);
  while (hosts_[prefix] == 250) prefix = random_.below(prefixes);
  place.endpoint = endpoint_of(11, static_cast<std::uint32_t>(prefix), ++hosts_[prefix]);
  places_.push_back(place);
  return places_.size() - 1;
}

std::size_t World::add_attacker(std::uint32_t prefix) {
  if (attacker_hosts_.size() <= prefix) attacker_hosts_.resize(prefix + 1);
  Place place;
  put(place);
  place.access_ms = 0.3f;
  place.endpoint = endpoint_of(128, prefix, ++attacker_hosts_[prefix]);
  places_.push_back(place);
  return places_.size() - 1;
}

double World::rtt_ms(std::size_t i, std::size_t j) const {
  const auto &a = places_[i], &b = places_[j];
  const double cosine = std::clamp(static_cast<double>(a.x * b.x + a.y * b.y + a.z * b.z), -1.0, 1.0);
  double out = 2 * std::acos(cosine) * kEarthKm / kKmPerMs * kDetour + a.access_ms + b.access_ms + 1;
  if (a.provider != b.provider) out += a.metro < kChinese && b.metro < kChinese ? 12 : 4;
  const auto pair = mix((static_cast<std::uint64_t>(std::min(i, j)) << 32) | std::max(i, j));
  return out * (0.9 + 0.3 * static_cast<double>(pair >> 11) * 0x1p-53);
}

Duration World::rtt(std::size_t a, std::size_t b) const {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(rtt_ms(a, b)));
}

}  // namespace bonus::net::kad::sim

// The update rule of Vivaldi with heights (Dabek et al. 2004, section 2.6 and 5.4).
#include "bonus/net/kad/vivaldi.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace bonus::net::kad {

namespace {

constexpr double kGain = 0.25;       // c_c and c_e of the paper, section 3.5
constexpr double kMinHeight = 0.25;  // the unit that travels
constexpr double kMaxError = 2;

bool finite(const Coordinate& c) {
  return std::isfinite(c.x) && std::isfinite(c.y) && std::isfinite(c.height) && std::isfinite(c.error);
}

template <class Integer>
Integer clamped(double value) {
  return static_cast<Integer>(std::clamp(std::round(value), static_cast<double>(std::numeric_limits<Integer>::min()),
                                         static_cast<double>(std::numeric_limits<Integer>::max())));
}

}  // namespace

double predict_ms(const Coordinate& a, const Coordinate& b) {
  const double dx = a.x - b.x, dy = a.y - b.y;
  return std::sqrt(dx * dx + dy * dy) + a.height + b.height;
}

void observe(Coordinate& self, const Coordinate& other, double rtt_ms, double angle) {
  if (!(rtt_ms > 0 && rtt_ms < 10'000) || !finite(other)) return;
  const double own = std::max<double>(self.error, 0.001), theirs = std::clamp<double>(other.error, 0.001, kMaxError);
  const double weight = own / (own + theirs);
  const double predicted = predict_ms(self, other);
  const double relative = std::abs(predicted - rtt_ms) / rtt_ms;
  self.error = static_cast<float>(std::clamp(relative * kGain * weight + own * (1 - kGain * weight), 0.001, kMaxError));
  double dx = self.x - other.x, dy = self.y - other.y;
  double length = std::sqrt(dx * dx + dy * dy);
  if (length < 1e-6) {
    dx = std::cos(2 * std::numbers::pi * angle);
    dy = std::sin(2 * std::numbers::pi * angle);
    length = 1;
  }
  const double force = kGain * weight * (rtt_ms - predicted);
  // Section 5.4: the unit vector of [x, y, h] pairs adds the heights.
  const double total = std::max(predicted, 1e-6);
  const double plane = length / total;
  self.x = static_cast<float>(std::clamp(self.x + force * plane * dx / length, -8000.0, 8000.0));
  self.y = static_cast<float>(std::clamp(self.y + force * plane * dy / length, -8000.0, 8000.0));
  self.height =
      static_cast<float>(std::clamp(self.height + force * (self.height + other.height) / total, kMinHeight, 8000.0));
}

PackedCoordinate pack(const Coordinate& c) {
  if (!finite(c)) return {};
  return {clamped<std::int16_t>(c.x * 4.0), clamped<std::int16_t>(c.y * 4.0), clamped<std::uint16_t>(c.height * 4.0),
          clamped<std::uint16_t>(c.error * 1000.0)};
}

Coordinate unpack(const PackedCoordinate& p) {
  return {static_cast<float>(p.x) / 4, static_cast<float>(p.y) / 4, static_cast<float>(p.height) / 4,
          static_cast<float>(p.error) / 1000};
}

}  // namespace bonus::net::kad

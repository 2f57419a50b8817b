// The network between the attachments, without I/O: takes frames, loses some, gives back the others when they are due.
#pragma once

#include <unordered_map>

#include "bonus/net/topology/frame.hpp"
#include "bonus/net/topology/wire_config.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::topology {

/// Packets, as segments on the link. Sums over all attachments are what an attachment did as a sender, but for
/// `received*` and `queue_down`.
struct WireCounters {
  std::uint64_t sent = 0, sent_bytes = 0, received = 0, received_bytes = 0;
  std::uint64_t lost = 0;                      ///< By the dice.
  std::uint64_t queue_up = 0, queue_down = 0;  ///< A limited line's queue was full.
  std::uint64_t blocked = 0;                   ///< Cut, or UDP where none may pass.
  std::uint64_t unroutable = 0, spoofed = 0, too_big = 0;
  std::uint64_t overflow = 0;  ///< The wire itself was full.
};

/// Not thread-safe. Deterministic in the seed and the order and times of calls.
class WireCore {
 public:
  explicit WireCore(WireConfig config);

  /// The same attachments by name, anything else may change. kInvalid: others.
  [[nodiscard]] Result<> update(WireConfig config);
  [[nodiscard]] const WireConfig& config() const { return config_; }

  void offer(std::size_t from, Frame frame, Instant now);
  struct Delivery {
    std::size_t to = 0;
    Frame frame;
  };
  /// At most `most` of the frames that are due.
  void deliver(Instant now, std::vector<Delivery>& out, std::size_t most);
  /// When the next frame is due.
  [[nodiscard]] std::optional<Instant> next_timer() const;
  [[nodiscard]] const WireCounters& counters(std::size_t attachment) const { return states_[attachment].counters; }
  [[nodiscard]] std::uint64_t bytes_on_the_way() const { return bytes_; }

 private:
  struct State {
    Instant up_free{}, down_free{};
    WireCounters counters;
  };
  struct Flying {
    Instant due;
    std::uint64_t order = 0;
    std::uint32_t from = 0, to = 0;
    bool shaped = false;  ///< Has waited for the receiver's line.
    bool udp = false;
    Frame frame;
  };
  static bool later(const Flying& a, const Flying& b);
  void index_addresses();
  void send(std::size_t from, std::size_t to, Frame frame, bool udp, Instant now);
  /// The loss on the way; what is left of the frame.
  void roll(std::size_t from, std::size_t to, Frame frame, bool udp, Instant leaves);
  void fly(std::size_t from, std::size_t to, Frame frame, bool udp, Instant leaves);
  void push(Flying flying);
  void report_too_big(std::size_t from, std::size_t to, const Frame& frame, const Ipv6& destination, Instant now);

  WireConfig config_;
  runtime::sim::SeededRandom random_;
  std::unordered_map<Ipv6, std::size_t> routes_;
  std::vector<State> states_;
  std::vector<Instant> last_due_;  // attachments x attachments: paths keep the order
  std::vector<Flying> heap_;
  std::uint64_t order_ = 0, bytes_ = 0;
};

}  // namespace bonus::net::topology

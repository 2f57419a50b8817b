// The data path beside the core: marks set without the lock are never lost by the core's timers.
#include <gtest/gtest.h>

#include <mutex>
#include <shared_mutex>
#include <thread>

#include "bonus/net/tunnel/device_testing.hpp"

namespace bonus::net::tunnel::testing {
namespace {

using std::chrono::seconds;

TEST(DeviceThreads, MarksOfTheDataPathAreNeverLost) {
  Network net(1);
  Host a(net, "192.0.2.1:1", "fd00::a"), b(net, "198.51.100.1:2", "fd00::b");
  (void)a.add(b);
  const PeerRef to_a = b.add(a, false);
  a.send(b.inner, "x");
  net.run_for(seconds(1));
  const auto session = b.device->peer_route(to_a, net.now)->session;

  std::shared_mutex lock;
  std::atomic<std::int64_t> clock{net.now.time_since_epoch().count()};
  const auto now = [&] { return Instant(Duration(clock.load())); };
  // 14 rounds of 12 s, less than a session's life. In each round data comes in on two threads while the core runs its
  // timers; a keepalive must be due within 10 s of the first mark, whatever the order was.
  for (int round = 0; round < 14; ++round) {
    std::atomic<int> running{2};
    std::vector<std::jthread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 500; ++i) {
          {
            const std::shared_lock guard(lock);
            (void)b.device->find_route(a.inner, now());
            (void)b.device->session_by_index(session->local_index);
            (void)b.device->allowed_source(to_a, a.inner);
          }
          if (session->note_received(now(), a.at, 1, 100, true)) {
            const std::lock_guard guard(lock);
            Actions actions;
            b.device->on_received(session, a.at, now(), actions);
          }
          if (i % 50 == 0 && session->note_sent(now(), 1, 100, true)) {
            const std::lock_guard guard(lock);
            Actions actions;
            b.device->on_sent(*session, now(), actions);
          }
          (void)session->claim(1);
        }
        --running;
      });
    }
    while (running > 0) {
      const std::lock_guard guard(lock);
      Actions actions;
      b.device->on_timer(now(), actions);
    }
    threads.clear();
    const std::int64_t mark = session->activity->unanswered_receive.load();
    if (mark != PeerActivity::kNever) {
      const auto due = b.device->next_timer();
      ASSERT_TRUE(due) << round;
      EXPECT_LE(*due, Instant(Duration(mark)) + kKeepaliveTimeout) << round;
    }
    clock += Duration(seconds(12)).count();
    Actions actions;
    b.device->on_timer(now(), actions);
    EXPECT_EQ(session->activity->unanswered_receive.load(), PeerActivity::kNever);
  }
  EXPECT_GT(b.device->counters().keepalives_sent, 0u);
}

}  // namespace
}  // namespace bonus::net::tunnel::testing

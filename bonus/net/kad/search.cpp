// The shortlist of one lookup: whom to ask next.
#include "bonus/net/kad/search.hpp"

#include <bit>
#include <cmath>

#include "bonus/net/kad/table.hpp"

namespace bonus::net::kad {

namespace {
constexpr std::size_t kShortlist = 6 * kBucketSize;
constexpr std::ptrdiff_t kAlone = 3;  // answers on a path; below it requests are repeated
constexpr unsigned kTries = 3;
constexpr std::size_t kHead = 3;  // the early phase chooses among so many
}  // namespace

Search::Search(Position target, const Rules& rules) : target_(target), rules_(rules), paths_(rules.paths) {}

void Search::start(std::vector<Candidate> own) {
  for (std::size_t i = 0; i < own.size(); ++i) add(paths_[i % paths_.size()], own[i]);
}

Candidate* Search::find(Path& path, const crypto::X25519Public& key) const {
  const auto it = std::ranges::find(path.list, key, [](const Candidate& c) { return c.told.key; });
  return it == path.list.end() ? nullptr : &*it;
}

void Search::add(Path& path, const Candidate& candidate) {
  if (find(path, candidate.told.key) != nullptr) return;
  const auto distance = [&](const Candidate& c) { return c.told.position ^ target_; };
  if (rules_.per_prefix != SIZE_MAX) {
    // Whoever floods the list from one prefix only displaces itself.
    const auto prefix = cap_prefix(candidate.told.endpoint.address);
    std::size_t count = 0;
    auto farthest = path.list.end();
    for (auto it = path.list.begin(); it != path.list.end(); ++it) {
      if (it->state == Candidate::State::kFailed || cap_prefix(it->told.endpoint.address) != prefix) continue;
      ++count;
      if (it->state == Candidate::State::kNew) farthest = it;
    }
    if (count >= rules_.per_prefix) {
      if (farthest == path.list.end() || distance(*farthest) <= distance(candidate)) return;
      path.list.erase(farthest);
    }
  }
  const auto at = std::ranges::upper_bound(path.list, distance(candidate), {}, distance);
  if (at == path.list.end() && path.list.size() >= kShortlist) return;
  path.list.insert(at, candidate);
  if (path.list.size() > kShortlist && path.list.back().state != Candidate::State::kAsked) path.list.pop_back();
}

bool Search::usable(const Candidate& candidate) const {
  if (std::ranges::find(asked_, candidate.told.key) != asked_.end()) return false;
  return rules_.per_prefix == SIZE_MAX ||
         static_cast<std::size_t>(std::ranges::count(prefixes_, cap_prefix(candidate.told.endpoint.address))) <
             rules_.per_prefix;
}

bool Search::wants_more(const Path& path) const {
  if (path.over || path.asked >= rules_.requests) return false;
  std::size_t answered = 0;
  for (const auto& one : path.list) {
    if (one.state == Candidate::State::kNew) return true;
    if (one.state == Candidate::State::kAnswered && ++answered >= rules_.enough) return false;
  }
  return false;
}

Candidate* Search::pick(Path& path) {
  Candidate* best = nullptr;
  std::size_t head = 0, answered = 0;
  for (auto& one : path.list) {
    if (one.state == Candidate::State::kAnswered && ++answered >= rules_.enough) break;
    if (one.state != Candidate::State::kNew) continue;
    if (!usable(one)) {
      one.state = Candidate::State::kSkipped;
      continue;
    }
    if (head == 0) {
      best = &one;
      const auto shared = std::countl_zero(one.told.position ^ target_);
      if (!rules_.by_rtt || shared >= std::log2(std::max(rules_.nodes, 1.0)) - 2) break;
    } else if (one.rtt_ms < best->rtt_ms) {
      best = &one;
    }
    if (++head == kHead) break;
  }
  return best;
}

std::optional<Search::Pick> Search::next() {
  const auto width = paths_.size() == 1 ? rules_.alpha : 1;
  for (std::size_t i = 0; i < paths_.size(); ++i) {
    auto& path = paths_[i];
    if (path.under_way >= width || !wants_more(path)) continue;
    auto* one = pick(path);
    if (one == nullptr) continue;
    one->state = Candidate::State::kAsked;
    ++path.under_way;
    ++path.asked;
    ++requests_;
    asked_.push_back(one->told.key);
    prefixes_.push_back(cap_prefix(one->told.endpoint.address));
    return Pick{i, one->told, one->depth};
  }
  return std::nullopt;
}

void Search::put_back(std::size_t path, const crypto::X25519Public& key) {
  auto* one = find(paths_[path], key);
  if (one == nullptr || one->state != Candidate::State::kAsked) return;
  one->state = Candidate::State::kNew;
  --paths_[path].under_way;
  --paths_[path].asked;
  --requests_;
  asked_.pop_back();  // the last picked: next() is followed by put_back() at once
  prefixes_.pop_back();
}

bool Search::answered(std::size_t path, const crypto::X25519Public& key, std::uint64_t token, float rtt_ms,
                      const std::vector<Candidate>& contacts) {
  if (path >= paths_.size()) return false;
  auto* one = find(paths_[path], key);
  if (one == nullptr || (one->state != Candidate::State::kAsked && one->state != Candidate::State::kSlow)) return false;
  if (one->state == Candidate::State::kAsked) --paths_[path].under_way;
  one->state = Candidate::State::kAnswered;
  one->token = token;
  one->rtt_ms = rtt_ms;
  const auto depth = static_cast<std::uint16_t>(one->depth + 1);
  for (auto contact : contacts) {
    contact.depth = depth;
    add(paths_[path], contact);
  }
  return true;
}

void Search::slow(std::size_t path, const crypto::X25519Public& key) {
  auto* one = find(paths_[path], key);
  if (one == nullptr || one->state != Candidate::State::kAsked) return;
  one->state = Candidate::State::kSlow;
  --paths_[path].under_way;
}

void Search::failed(std::size_t path, const crypto::X25519Public& key) {
  auto* one = find(paths_[path], key);
  if (one == nullptr) return;
  if (one->state == Candidate::State::kAsked) --paths_[path].under_way;
  if (one->state != Candidate::State::kAsked && one->state != Candidate::State::kSlow) return;
  one->state = Candidate::State::kFailed;
  // With hardly anybody else to ask, a datagram may just have been lost.
  const auto answers = std::ranges::count(paths_[path].list, Candidate::State::kAnswered, &Candidate::state);
  if (answers >= kAlone || ++one->tries >= kTries) return;
  one->state = Candidate::State::kNew;
  const auto asked = std::ranges::find(asked_, key);
  prefixes_.erase(prefixes_.begin() + (asked - asked_.begin()));
  asked_.erase(asked);
}

bool Search::finished() const {
  for (const auto& path : paths_) {
    if (path.over) continue;
    if (path.under_way > 0) return false;
    // A late answer matters only where hardly anybody has answered.
    const auto answers = std::ranges::count(path.list, Candidate::State::kAnswered, &Candidate::state);
    const auto slow = std::ranges::find(path.list, Candidate::State::kSlow, &Candidate::state);
    if (answers < kAlone && slow != path.list.end()) return false;
    if (!wants_more(path)) continue;
    std::size_t answered = 0;
    for (const auto& one : path.list) {
      if (one.state == Candidate::State::kAnswered && ++answered >= rules_.enough) break;
      if (one.state == Candidate::State::kNew && usable(one)) return false;
    }
  }
  return true;
}

std::vector<Candidate> Search::closest(std::size_t count) const {
  std::vector<Candidate> out;
  for (const auto& path : paths_)
    for (const auto& one : path.list)
      if (one.state == Candidate::State::kAnswered) out.push_back(one);
  std::ranges::sort(out, {}, [&](const Candidate& c) { return c.told.position ^ target_; });
  if (out.size() > count) out.resize(count);
  return out;
}

}  // namespace bonus::net::kad

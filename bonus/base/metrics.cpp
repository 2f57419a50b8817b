// Metrics on prometheus-cpp's registry.
#include "bonus/base/metrics.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>

namespace bonus {
namespace {

class CounterAdapter final : public Metrics::Counter {
 public:
  explicit CounterAdapter(prometheus::Counter& to) : to_(to) {}
  void add(double value) override { to_.Increment(value); }

 private:
  prometheus::Counter& to_;
};

class GaugeAdapter final : public Metrics::Gauge {
 public:
  explicit GaugeAdapter(prometheus::Gauge& to) : to_(to) {}
  void set(double value) override { to_.Set(value); }

 private:
  prometheus::Gauge& to_;
};

class HistogramAdapter final : public Metrics::Histogram {
 public:
  explicit HistogramAdapter(prometheus::Histogram& to) : to_(to) {}
  void observe(double value) override { to_.Observe(value); }

 private:
  prometheus::Histogram& to_;
};

prometheus::Labels to_labels(MetricLabels labels) {
  prometheus::Labels out;
  for (const auto& [key, value] : labels) out.emplace(std::string(key), std::string(value));
  return out;
}

/// A bad name, or one name for two kinds, is our own bug: it stops the program like an assertion.
template <class Make>
auto& checked(std::string_view name, Make make) {
  try {
    return make();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "metric %.*s: %s\n", static_cast<int>(name.size()), name.data(), error.what());
    std::abort();
  }
}

}  // namespace

struct Metrics::Impl {
  using Key = std::pair<std::string, prometheus::Labels>;
  prometheus::Registry registry;
  std::mutex mutex;
  std::map<Key, CounterAdapter> counters;
  std::map<Key, GaugeAdapter> gauges;
  std::map<Key, HistogramAdapter> histograms;

  template <class Map, class Make>
  auto& get(Map& map, std::string_view name, MetricLabels labels, Make make) {
    const std::lock_guard lock(mutex);
    Key key{std::string(name), to_labels(labels)};
    const auto found = map.find(key);
    if (found != map.end()) return found->second;
    auto& made = checked(name, [&]() -> auto& { return make(key); });
    return map.try_emplace(std::move(key), made).first->second;
  }
};

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

Metrics::Counter& Metrics::counter(std::string_view name, std::string_view help, MetricLabels labels) {
  return impl_->get(impl_->counters, name, labels, [&](const Impl::Key& key) -> prometheus::Counter& {
    return prometheus::BuildCounter().Name(key.first).Help(std::string(help)).Register(impl_->registry).Add(key.second);
  });
}

Metrics::Gauge& Metrics::gauge(std::string_view name, std::string_view help, MetricLabels labels) {
  return impl_->get(impl_->gauges, name, labels, [&](const Impl::Key& key) -> prometheus::Gauge& {
    return prometheus::BuildGauge().Name(key.first).Help(std::string(help)).Register(impl_->registry).Add(key.second);
  });
}

Metrics::Histogram& Metrics::histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                                       MetricLabels labels) {
  return impl_->get(impl_->histograms, name, labels, [&](const Impl::Key& key) -> prometheus::Histogram& {
    auto& family = prometheus::BuildHistogram().Name(key.first).Help(std::string(help)).Register(impl_->registry);
    return family.Add(key.second, bounds);
  });
}

std::string Metrics::expose() const { return prometheus::TextSerializer().Serialize(impl_->registry.Collect()); }

}  // namespace bonus

// Counters, gauges and histograms in Prometheus' data model; the text exposition is served by the node.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bonus {

using MetricLabels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

/// Names follow `bonus_<module>_<noun>_<unit>[_total]`. Thread-safe. References stay valid as long as the registry
/// lives.
class Metrics {
 public:
  class Counter {
   public:
    virtual ~Counter() = default;
    virtual void add(double value = 1) = 0;
  };
  class Gauge {
   public:
    virtual ~Gauge() = default;
    virtual void set(double value) = 0;
  };
  class Histogram {
   public:
    virtual ~Histogram() = default;
    virtual void observe(double value) = 0;
  };

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  /// The same name and labels give the same object.
  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  Histogram& histogram(std::string_view name, std::string_view help, const std::vector<double>& bounds,
                       MetricLabels labels = {});
  /// Prometheus text format 0.0.4.
  [[nodiscard]] std::string expose() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus

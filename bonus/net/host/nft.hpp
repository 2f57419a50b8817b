// nftables through its library: a text of commands as one transaction.
#pragma once

#include <memory>
#include <string>

#include "bonus/base/result.hpp"

struct nft_ctx;

namespace bonus::net::host {

/// Works on the network namespace of the calling thread. Not thread-safe.
class Nft {
 public:
  [[nodiscard]] static Result<Nft> open();
  Nft(Nft&&) noexcept;
  Nft& operator=(Nft&&) noexcept;
  ~Nft();

  /// All of it or nothing; what `list` commands print. kNotFound, kDenied, kInvalid with nft's own words.
  [[nodiscard]] Result<std::string> run(const std::string& commands, bool json = false);

 private:
  struct Free {
    void operator()(nft_ctx* context) const;
  };
  explicit Nft(nft_ctx* context);
  std::unique_ptr<nft_ctx, Free> context_;
};

}  // namespace bonus::net::host

// libnftables(3).
#include "bonus/net/host/nft.hpp"

#include <fmt/format.h>
#include <nftables/libnftables.h>

namespace bonus::net::host {

void Nft::Free::operator()(nft_ctx* context) const { nft_ctx_free(context); }
Nft::Nft(nft_ctx* context) : context_(context) {}
Nft::Nft(Nft&&) noexcept = default;
Nft& Nft::operator=(Nft&&) noexcept = default;
Nft::~Nft() = default;

Result<Nft> Nft::open() {
  Nft out(nft_ctx_new(NFT_CTX_DEFAULT));
  if (out.context_ == nullptr || nft_ctx_buffer_output(out.context_.get()) != 0 ||
      nft_ctx_buffer_error(out.context_.get()) != 0)
    return fail(ErrorCode::kExhausted, "no memory for nftables");
  return out;
}

Result<std::string> Nft::run(const std::string& commands, bool json) {
  nft_ctx_output_set_flags(context_.get(), json ? NFT_CTX_OUTPUT_JSON : 0u);
  const int code = nft_run_cmd_from_buffer(context_.get(), commands.c_str());
  std::string output = nft_ctx_get_output_buffer(context_.get());
  if (code == 0) return output;
  std::string why = nft_ctx_get_error_buffer(context_.get());
  if (why.size() > 500) why.resize(500);
  ErrorCode kind = ErrorCode::kInvalid;
  if (why.find("Operation not permitted") != std::string::npos) kind = ErrorCode::kDenied;
  if (why.find("No such file or directory") != std::string::npos) kind = ErrorCode::kNotFound;
  return fail(kind, fmt::format("nftables refuses the rules: {}", why));
}

}  // namespace bonus::net::host

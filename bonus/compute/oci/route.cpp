// Paths and ranges of the distribution API.
#include "bonus/compute/oci/route.hpp"

#include <fmt/format.h>

#include <charconv>

#include "bonus/compute/oci/names.hpp"

namespace bonus::compute::oci {
namespace {

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// Cuts "<rest>/<last>" and gives the last part.
std::string_view cut_last(std::string_view& path) {
  const auto slash = path.rfind('/');
  const auto out = slash == std::string_view::npos ? path : path.substr(slash + 1);
  path = slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
  return out;
}

}  // namespace

Result<Route> parse_route(std::string_view path) {
  Route out;
  if (path == "/v2" || path == "/v2/") {
    out.kind = Route::Kind::kBase;
    return out;
  }
  if (!path.starts_with("/v2/")) return out;
  path.remove_prefix(4);
  if (path == "_catalog") {
    out.kind = Route::Kind::kCatalog;
    return out;
  }
  // A repository may itself contain "blobs" or "manifests", so the path is read from its end.
  std::string_view rest = path;
  const std::string_view last = cut_last(rest);
  const std::string_view before = cut_last(rest);
  if (before == "tags" && last == "list") {
    out.kind = Route::Kind::kTags;
  } else if (before == "manifests") {
    out.kind = Route::Kind::kManifest;
  } else if (before == "referrers") {
    out.kind = Route::Kind::kReferrers;
  } else if (before == "blobs" && last == "uploads") {
    out.kind = Route::Kind::kUploads;
  } else if (before == "blobs") {
    out.kind = Route::Kind::kBlob;
  } else if (before == "uploads" && cut_last(rest) == "blobs") {
    out.kind = last.empty() ? Route::Kind::kUploads : Route::Kind::kUpload;
  } else {
    return out;
  }
  if (!valid_repository(rest))
    return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not a repository name", rest.substr(0, 300)));
  out.repository = rest;
  if (out.kind != Route::Kind::kTags && out.kind != Route::Kind::kUploads) out.reference = last;
  return out;
}

Result<std::optional<ByteRange>> parse_range(std::optional<std::string_view> header, std::uint64_t size) {
  if (!header || !header->starts_with("bytes=") || header->contains(',')) return std::nullopt;
  const auto text = header->substr(6);
  const auto dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const auto from = text.substr(0, dash);
  const auto to = text.substr(dash + 1);
  const auto unsatisfiable = [&] {
    return fail(ErrorCode::kInvalid, fmt::format("the range is outside of {} bytes", size));
  };
  if (from.empty()) {
    const auto suffix = parse_number(to);
    if (!suffix) return std::nullopt;
    if (*suffix == 0 || size == 0) return unsatisfiable();
    return ByteRange{size - std::min(size, *suffix), size - 1};
  }
  const auto first = parse_number(from);
  auto last = to.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : parse_number(to);
  if (!first || !last || *last < *first) return std::nullopt;
  if (*first >= size) return unsatisfiable();
  return ByteRange{*first, std::min(*last, size - 1)};
}

Result<ByteRange> parse_content_range(std::string_view header) {
  // Some clients write RFC 9110's form with the unit and the total.
  if (header.starts_with("bytes ")) header.remove_prefix(6);
  header = header.substr(0, header.find('/'));
  const auto dash = header.find('-');
  if (dash != std::string_view::npos) {
    const auto first = parse_number(header.substr(0, dash));
    const auto last = parse_number(header.substr(dash + 1));
    if (first && last && *first <= *last && *last < UINT64_MAX) return ByteRange{*first, *last};
  }
  return fail(ErrorCode::kInvalid, "Content-Range must be <first>-<last>");
}

}  // namespace bonus::compute::oci

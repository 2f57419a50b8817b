// `bonus image`: pushing to and listing of the node's registry.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/compute/oci/image_pusher.hpp"
#include "bonus/compute/oci/names.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace oci = compute::oci;

/// A size for people, two digits behind the point at most.
std::string size_text(std::uint64_t bytes) {
  return bytes < (1 << 20) ? fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024)
                           : fmt::format("{:.1f} MiB", static_cast<double>(bytes) / 1048576);
}

Result<int> push(Session& session, const std::string& source, const std::string& name) {
  auto reference = oci::parse_reference(name);
  if (!reference) return fail(std::move(reference).error());
  const std::string whole = fmt::format("{}:{}", reference->repository, reference->reference);
  TRY_ASSIGN(const auto registry, session.registry_url());
  Console& console = session.console();
  oci::PushOptions options;
  if (const auto state = session.environment().state_dir()) options.state_dir = *state + "/uploads";
  const auto progress = [&](const oci::PushProgress& at) {
    console.progress_bytes("pushing " + whole, at.done_bytes, at.total_bytes);
  };
  TRY_ASSIGN(const auto done, oci::push_image(source, registry, whole, progress, options));
  console.end_progress();
  if (console.json()) {
    console.print(pretty(json::object{{"image", whole},
                                      {"digest", oci::digest_text(done.manifest_digest)},
                                      {"uploaded_bytes", done.uploaded_bytes},
                                      {"skipped_bytes", done.skipped_bytes}}));
  } else {
    console.print(fmt::format("{}  {}", console.paint(Colour::kBold, whole), oci::digest_text(done.manifest_digest)));
    console.note(fmt::format("uploaded {}, {} were there already", size_text(done.uploaded_bytes),
                             size_text(done.skipped_bytes)));
  }
  return kExitOk;
}

Result<int> list(Session& session) {
  TRY_ASSIGN(const auto registry, session.registry_url());
  TRY_ASSIGN(const auto images, oci::list_images(registry));
  Console& console = session.console();
  if (console.json()) {
    json::array out;
    for (const auto& image : images)
      out.push_back(json::object{{"repository", image.repository},
                                 {"tag", image.tag},
                                 {"digest", oci::digest_text(image.digest)},
                                 {"size_bytes", image.size_bytes}});
    console.print(pretty(json::object{{"images", std::move(out)}}));
    return kExitOk;
  }
  if (images.empty()) {
    console.print("no image yet; push one: bonus image push SOURCE NAME");
    return kExitOk;
  }
  Table table({"IMAGE", "DIGEST", "SIZE"});
  for (const auto& image : images)
    table.add({printable(image.repository + ":" + image.tag), "sha256:" + short_hash(image.digest),
               size_text(image.size_bytes)});
  console.raw(table.to_string());
  return kExitOk;
}

}  // namespace

void add_image_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "image", "Container images in the node's registry");
  const auto source = std::make_shared<std::string>(), name = std::make_shared<std::string>();
  CLI::App* leaf = app.leaf(*group, "push", "Push an image; a stopped push goes on where it stopped",
                            [&session, source, name] { return push(session, *source, *name); });
  leaf->add_option("source", *source, "OCI layout folder, OCI archive, or the tar of `docker save`")->required();
  app.complete(leaf->add_option("name", *name, "NAME[:TAG] in the registry")->required(), WordKind::kImage);
  app.leaf(*group, "list", "What the registry holds", [&session] { return list(session); });
}

}  // namespace bonus::cli

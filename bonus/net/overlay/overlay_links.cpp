// Links to relays over TLS for networks that block UDP, and the port that the home router opens.
#include <boost/asio/post.hpp>

#include "bonus/base/log.hpp"
#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(8);
constexpr Duration kUdpPatience = std::chrono::seconds(5), kQuestionPatience = std::chrono::seconds(2);
constexpr std::uint16_t kTlsPort = 443;
constexpr std::size_t kMaxTlsBootstrap = 3, kMaxQuestions = 128;
constexpr std::size_t kMaxFinds = 32, kMaxFindsOfOne = 8;  // of clients at a time; the DHT has 64 lookups
constexpr unsigned kQuestionAttempts = 3;

/// Connects outside by the helper and continues on the strand.
runtime::Task<> connect_outside(host::Helper& helper, UdpEndpoint to, Strand strand,
                                std::function<void(Result<int>)> done) {
  auto connecting = helper.connect_tcp(host::Purpose::kUnderlay, to_string(to.address), to.port, kConnectTimeout);
  auto socket = co_await std::move(connecting);
  auto result = std::make_shared<Result<int>>(-1);
  if (socket) {
    *result = socket->release();
  } else {
    *result = fail(std::move(socket).error());
  }
  boost::asio::post(strand, [done = std::move(done), result] { done(std::move(*result)); });
}

}  // namespace

Result<> Overlay::Impl::open_links() {
  nat::TlsLinks::Events events;
  const std::weak_ptr<Impl> weak = weak_from_this();
  events.up = [weak](const PathEndpoint& link, const Ed25519PublicKey& key, bool wanted) {
    const auto impl = weak.lock();
    if (!impl || impl->stopped || !wanted) return;
    const auto asking = impl->tls_bootstrap.find(key);
    if (asking != impl->tls_bootstrap.end() && asking->second == link.via) {
      if (const auto asked = impl->finder.request(key))
        impl->send_sealed(impl->contact_sealer, DatagramKind::kContact, asked->to, link, asked->payload);
      return;
    }
    // Which relay it is, its root key tells.
    const auto* known = impl->book.find(crypto::node_id(key));
    if (known == nullptr) return;
    impl->link_roots[key] = link;
    impl->introduce_to_relays();
    nat::Actions actions;
    impl->paths->link_up(known->record.tunnel.key, link, key, impl->now(), actions);
    impl->carry_out(actions);
    impl->arm();
  };
  events.down = [weak](const PathEndpoint& link) {
    const auto impl = weak.lock();
    if (!impl || impl->stopped) return;
    if (const auto served = impl->proxied.gone(link.via)) impl->dht->withdraw_for(*served);
    impl->finds.erase(link.via);
    std::erase_if(impl->link_roots, [&](const auto& one) { return one.second.via == link.via; });
    nat::Actions actions;
    impl->paths->link_down(link.via, impl->now(), actions);
    impl->carry_out(actions);
    impl->arm();
  };
  events.datagram = [weak](const PathEndpoint& link, BytesView datagram) {
    if (const auto impl = weak.lock(); impl && !impl->stopped)
      impl->handle(link, Bytes(datagram.begin(), datagram.end()));
  };
  nat::TlsLinkOptions link_options;
  if (parts.helper != nullptr) {
    link_options.connect = [weak](const UdpEndpoint& to, std::function<void(Result<int>)> done) {
      if (const auto impl = weak.lock())
        impl->tasks->spawn("tls link", connect_outside(*impl->parts.helper, to, impl->strand, std::move(done)));
    };
  }
  links = std::make_unique<nat::TlsLinks>(strand, root, parts.random, std::move(events), std::move(link_options));
  if (!options.tls_listen) return {};
  if (!parts.outside)
    return fail(ErrorCode::kUnsupported, "net.tls_listen: a node without privileges cannot listen for TLS");
  return parts.outside([this]() -> Result<> {
    auto bound = links->listen(*options.tls_listen);
    if (!bound) return fail(std::move(bound).error().wrap("net.tls_listen"));
    return {};
  });
}

void Overlay::Impl::on_mapping(std::optional<UdpEndpoint>& known, const std::optional<nat::PortMapping>& mapping) {
  nat::Actions actions;
  if (known) paths->remove_mapping(*known, actions);
  known.reset();
  if (mapping) {
    known = mapping->external;
    paths->add_mapping(*known, actions);
    log::info("net", "port_mapped", {{"external", to_string(*known)}, {"protocol", mapping->protocol}});
  }
  carry_out(actions);
  record_stale = true;
  arm();
}

void Overlay::Impl::start_mappers() {
  nat::PortMapperOptions mapper_options;
  const auto outside = parts.outside;
  mapper_options.open = [outside](const nat::MappingRequest& request) -> Result<nat::PortMapping> {
    Result<nat::PortMapping> out = fail(ErrorCode::kInternal, "not asked");
    TRY(outside([&]() -> Result<> {
      out = nat::open_port(request);
      return {};
    }));
    return out;
  };
  mapper_options.close = [outside](const nat::MappingRequest& request, const nat::PortMapping& mapping) {
    return outside([&] { return nat::close_port(request, mapping); });
  };
  const auto start_one = [&](std::optional<UdpEndpoint> Impl::* known) {
    auto out = std::make_unique<nat::PortMapper>(
        strand, parts.pool, parts.random, engine->local_port(),
        [weak = weak_from_this(), known](const std::optional<nat::PortMapping>& mapping) {
          if (const auto impl = weak.lock(); impl && !impl->stopped) impl->on_mapping((*impl).*known, mapping);
        },
        mapper_options);
    out->start();
    return out;
  };
  mapper = start_one(&Impl::mapped);
  if (options.bound && is_ipv4(*options.bound)) return;  // nothing comes in by IPv6
  mapper_options.ipv6 = true;
  if (options.bound) mapper_options.own = *options.bound;
  mapper6 = start_one(&Impl::mapped6);
}

void Overlay::Impl::bootstrap_by_tls() {
  if (contact_answered || !tls_bootstrap.empty() || !links || now() - began < kUdpPatience) return;
  for (const auto& [key, endpoint] : hints) {
    if (tls_bootstrap.size() >= kMaxTlsBootstrap) break;
    if (const auto via = links->dial({UdpEndpoint{endpoint.address, kTlsPort}}, key)) tls_bootstrap[key] = *via;
  }
  if (!tls_bootstrap.empty()) log::info("net", "udp_unanswered", {{"trying", "TLS"}, {"nodes", tls_bootstrap.size()}});
}

void Overlay::Impl::publish_for(std::uint32_t via, const crypto::X25519Public& asker, BytesView encoded) {
  const auto read = open_record(encoded, parts.clock.unix_s());
  if (!options.relays || !read) return;
  // Only for who sent it: the datagram was sealed with the form of this root key.
  const auto key = contact_key(read->root);
  if (!key || *key != asker) return;
  if (const auto former = proxied.set(via, read->root)) dht->withdraw_for(*former);
  kad::Actions actions;
  if (const auto done = dht->publish_for(Bytes(encoded.begin(), encoded.end()), now(), actions); !done) {
    log::debug("net", "not_published", {{"node", to_hex(read->id())}, {"error", done.error().message}});
    return;
  }
  carry_out(actions);
}

void Overlay::Impl::introduce_to_relays() {
  for (const auto& [relay, link] : link_roots) {
    const auto key = contact_key(relay);
    if (key) send_sealed(contact_sealer, DatagramKind::kContact, *key, link, finder.introduction());
  }
}

bool Overlay::Impl::ask_relay(const Ipv6& wanted, Waiter& waiter) {
  if (link_roots.empty() || questions.size() >= kMaxQuestions) return false;
  for (auto& [id, question] : questions)
    if (question.address == wanted) {
      question.waiters.push_back(std::move(waiter));
      return true;
    }
  Question& question = questions[parts.random.next_u64()];
  question.address = wanted;
  question.waiters.push_back(std::move(waiter));
  ask_relay_again();
  return true;
}

void Overlay::Impl::ask_relay_again() {
  std::vector<std::uint64_t> given_up;
  for (auto& [id, question] : questions) {
    if (question.attempts > 0 && now() - question.asked < kQuestionPatience) continue;
    if (link_roots.empty() || question.attempts >= kQuestionAttempts) {
      given_up.push_back(id);
      continue;
    }
    // Another relay each time.
    auto relay = link_roots.begin();
    std::advance(relay, question.attempts % link_roots.size());
    question.asked = now();
    ++question.attempts;
    if (const auto key = contact_key(relay->first))
      send_sealed(contact_sealer, DatagramKind::kContact, *key, relay->second, encode_find({id, question.address}));
  }
  for (const auto id : given_up) handle_found({id, {}});
}

void Overlay::Impl::handle_find(const PathEndpoint& from, const crypto::X25519Public& asker,
                                const FindQuestion& question) {
  // Of a client on its link only: by UDP, where anybody can be written as the sender, one question would become a
  // search of a hundred datagrams.
  if (!options.relays || !is_link(from.via) || !contacts.allow(from.udp.address, now())) return;
  std::size_t all = 0;
  for (const auto& [via, count] : finds) all += count;
  if (finds[from.via] >= kMaxFindsOfOne || all >= kMaxFinds) return;
  ++finds[from.via];
  resolve(question.address, [weak = weak_from_this(), from, asker, id = question.id,
                             wanted = question.address](const Result<NodeRecord>& found) {
    const auto impl = weak.lock();
    if (!impl) return;
    if (const auto under_way = impl->finds.find(from.via); under_way != impl->finds.end() && under_way->second > 0)
      --under_way->second;
    FindAnswer answer{id, {}, impl->pointed_container(wanted)};
    if (found && found->root == impl->root.public_key()) {
      answer.record = impl->encoded_record;
    } else if (found) {
      if (const auto* known = impl->book.find(found->id())) answer.record = known->encoded;
    }
    impl->send_sealed(impl->contact_sealer, DatagramKind::kContact, asker, from, encode_found(answer));
  });
}

void Overlay::Impl::handle_found(const FindAnswer& answer) {
  const auto found = questions.find(answer.id);
  if (found == questions.end()) return;
  const Question question = std::move(found->second);
  questions.erase(found);
  if (!answer.record.empty()) learn(answer.record);
  if (const auto read = open_record(answer.record, parts.clock.unix_s()); read && !answer.container.empty())
    if (const AddressPointer pointer{read->root, answer.container}; pointer.address() == question.address)
      prove(pointer);
  const auto* known = book.owner_of(question.address);
  for (const auto& waiter : question.waiters) {
    if (known != nullptr) {
      waiter(known->record);
    } else {
      waiter(fail(ErrorCode::kNotFound, to_string(question.address) + " is not in the network, says the relay"));
    }
  }
}

}  // namespace bonus::net::overlay

// Addresses, header rules and error pages.
#include "bonus/net/gateway/route.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/net/gateway/error_page.hpp"
#include "bonus/net/gateway/forward.hpp"

namespace bonus::net::gateway {
namespace {

using runtime::http::Headers;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kDomains = {"localhost"};

std::string describe(std::string_view host, std::string_view target) {
  const auto route = find_route(host, target, kDomains);
  if (!route) return "none";
  return route->lease + (route->port ? "@" + std::to_string(*route->port) : "") + " " + route->prefix + "|" +
         route->target + (route->needs_slash ? " slash" : "");
}

TEST(GatewayRoute, ByHost) {
  EXPECT_EQ(describe("web.localhost", "/a?b"), "web |/a?b");
  EXPECT_EQ(describe("Web.LOCALHOST:8080", "/"), "web |/");
  EXPECT_EQ(describe("17.localhost.", "/"), "17 |/");
  EXPECT_EQ(describe("8080-web.localhost", "/"), "web@8080 |/");
  EXPECT_EQ(describe("8080-17.localhost", "/"), "17@8080 |/");
  EXPECT_EQ(describe("99999-web.localhost", "/"), "99999-web |/");
  EXPECT_EQ(describe("0-web.localhost", "/"), "0-web |/");
  EXPECT_EQ(describe("8080-.localhost", "/"), "8080- |/");
  EXPECT_EQ(describe("a.b.localhost", "/"), "none");
  EXPECT_EQ(describe("localhost", "/"), "none");
  EXPECT_EQ(describe("web.localhost.evil.example", "/"), "none");
  EXPECT_EQ(describe("w%20b.localhost", "/"), "none");
  EXPECT_EQ(describe(std::string(64, 'x') + ".localhost", "/"), "none");
  EXPECT_EQ(describe("web.localhost", "/l/other/"), "web |/l/other/");
}

TEST(GatewayRoute, ByPath) {
  EXPECT_EQ(describe("127.0.0.1:80", "/l/web/a/b?c"), "web /l/web|/a/b?c");
  EXPECT_EQ(describe("[::1]:80", "/l/9000-web/"), "web@9000 /l/9000-web|/");
  EXPECT_EQ(describe("localhost", "/l/web"), "web /l/web|/ slash");
  EXPECT_EQ(describe("localhost", "/l/web?x"), "web /l/web|/?x slash");
  EXPECT_EQ(describe("localhost", "/l/"), "none");
  EXPECT_EQ(describe("localhost", "/l/../x"), "none");
  EXPECT_EQ(describe("", "/"), "none");
}

TEST(GatewayForward, HopByHopFieldsEndHere) {
  runtime::http::Request request;
  request.peer = "127.0.0.1:5000";
  for (const auto& [name, value] : {std::pair("Host", "web.localhost"),
                                    {"Connection", "keep-alive, X-Secret, content-length"},
                                    {"X-Secret", "1"},
                                    {"TE", "trailers"},
                                    {"Transfer-Encoding", "chunked"},
                                    {"Upgrade", "websocket"},
                                    {"Content-Length", "5"},
                                    {"Cookie", "a"},
                                    {"X-Forwarded-For", "6.6.6.6"}})
    request.headers.add(name, value);
  const auto plain = request_headers(request, Route{"web", {}, "", "/", false}, false, false);
  for (const auto* name : {"Connection", "X-Secret", "TE", "Transfer-Encoding", "Upgrade", "X-Forwarded-Prefix"})
    EXPECT_FALSE(plain.get(name)) << name;
  EXPECT_EQ(plain.get("Content-Length"), "5");
  EXPECT_EQ(plain.get("Cookie"), "a");
  EXPECT_EQ(plain.get("Host"), "web.localhost");
  EXPECT_EQ(plain.get("X-Forwarded-For"), "127.0.0.1");
  EXPECT_EQ(plain.get("X-Forwarded-Host"), "web.localhost");
  EXPECT_EQ(plain.get("X-Forwarded-Proto"), "http");
  const auto upgraded = request_headers(request, Route{"web", {}, "/l/web", "/", false}, true, true);
  EXPECT_EQ(upgraded.get("Connection"), "Upgrade");
  EXPECT_EQ(upgraded.get("Upgrade"), "websocket");
  EXPECT_EQ(upgraded.get("X-Forwarded-Prefix"), "/l/web");
  EXPECT_EQ(upgraded.get("X-Forwarded-For"), "6.6.6.6, 127.0.0.1");
}

TEST(GatewayForward, RedirectsStayBelowThePrefix) {
  Headers headers;
  headers.set("Location", "/login");
  EXPECT_EQ(response_headers(headers, Route{"web", {}, "/l/web", "/", false}, false).get("Location"), "/l/web/login");
  EXPECT_EQ(response_headers(headers, Route{"web", {}, "", "/", false}, false).get("Location"), "/login");
  headers.set("Location", "http://elsewhere/");
  EXPECT_EQ(response_headers(headers, Route{"web", {}, "/l/web", "/", false}, false).get("Location"),
            "http://elsewhere/");
}

TEST(GatewayErrorPage, ByAccept) {
  const Problem problem{503, "code", "Title <b>", "Detail & more.", "Hint.", 2};
  const auto browser = render(problem, "text/html,*/*");
  EXPECT_EQ(browser.headers.get("Retry-After"), "2");
  EXPECT_THAT(std::string(as_text(browser.body)), HasSubstr("Title &lt;b&gt;"));
  EXPECT_THAT(std::string(as_text(browser.body)), HasSubstr("http-equiv=\"refresh\""));
  EXPECT_THAT(std::string(as_text(browser.body)), Not(HasSubstr("<b>")));
  const auto program = render(problem, "*/*");
  EXPECT_EQ(
      as_text(program.body),
      "{\"error\":{\"status\":503,\"code\":\"code\",\"message\":\"Title <b> Detail & more.\",\"hint\":\"Hint.\"}}\n");
}

}  // namespace
}  // namespace bonus::net::gateway

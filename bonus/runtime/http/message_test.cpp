// Headers, URLs and dates.
#include "bonus/runtime/http/message.hpp"

#include <gtest/gtest.h>

namespace bonus::runtime::http {
namespace {

TEST(HttpMessage, Dates) {
  EXPECT_EQ(format_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");  // the example of RFC 9110
  EXPECT_EQ(format_date(0), "Thu, 01 Jan 1970 00:00:00 GMT");
}

TEST(HttpMessage, HeadersCompareWithoutCase) {
  Headers headers;
  headers.add("Set-Cookie", "a");
  headers.add("set-cookie", "b");
  EXPECT_EQ(headers.get("SET-COOKIE"), "a");
  headers.set("X", "1");
  headers.set("x", "2");
  EXPECT_EQ(headers.all().size(), 3u);
  EXPECT_TRUE(has_token(headers, "x", "2"));
  headers.set("Connection", "keep-alive, Upgrade");
  EXPECT_TRUE(has_token(headers, "connection", "upgrade"));
  EXPECT_FALSE(has_token(headers, "connection", "up"));
}

TEST(HttpMessage, Urls) {
  const auto url = parse_url("http://[::1]:8080/a?b#c");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "::1");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->target, "/a?b");
  EXPECT_EQ(parse_url("http://h?x")->target, "/?x");
}

}  // namespace
}  // namespace bonus::runtime::http

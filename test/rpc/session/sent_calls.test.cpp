#include <weft/rpc/session/sent_calls.hpp>

#include <doctest/doctest.h>

using weft::detail::sent_call;
using weft::detail::sent_calls;

TEST_SUITE("sent_calls") {
  TEST_CASE("a call that was out when the order of its key began anew stops it no more") {
    sent_calls sent;
    const auto before = sent.add({nullptr, 0, 7, true});
    const auto other = sent.add({nullptr, 0, 8, true});
    sent.forget_gaps(7);
    const auto after = sent.add({nullptr, 0, 7, true});
    sent_call c;
    REQUIRE(sent.answered(before, c).ok());
    CHECK(!c.gapless);
    REQUIRE(sent.answered(other, c).ok());
    CHECK(c.gapless);
    REQUIRE(sent.answered(after, c).ok());
    CHECK(c.gapless);
  }
}

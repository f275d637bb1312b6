#pragma once
#include <doctest/doctest.h>

#include <weft/test/seeds.hpp>

namespace weft::test::detail {

// A failed assertion within `for_seeds` says with which seed.
class seed_listener final : public doctest::IReporter {
 public:
  explicit seed_listener(const doctest::ContextOptions&) {}

  void log_assert(const doctest::AssertData& assertion) override {
    if (assertion.m_failed) report_seed();
  }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};

DOCTEST_REGISTER_LISTENER("weft seeds", 1, seed_listener);

}  // namespace weft::test::detail

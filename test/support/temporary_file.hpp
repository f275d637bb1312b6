#pragma once
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "lobby/child_process.hpp"

namespace test {

/// A file with this content, as long as it is in scope.
class temporary_file {
 public:
  explicit temporary_file(const std::string& content) {
    const lobby::file_descriptor opened{::mkstemp(name_.data())};
    REQUIRE(opened.open());
    std::ofstream{name_} << content;
  }
  ~temporary_file() { ::unlink(name_.c_str()); }
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;

  const std::string& name() const { return name_; }

 private:
  std::string name_ = (std::filesystem::temp_directory_path() / "weft-test-XXXXXX").string();
};

}  // namespace test

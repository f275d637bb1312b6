#pragma once
#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <weft/rpc/tls.hpp>

namespace test {

/// A folder with certificates of authorities that exist only here: see test/interop/certificates.sh.
struct certificates {
  certificates() {
    std::string pattern = std::filesystem::temp_directory_path() / "weft-tls-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    folder = pattern;
    make(folder);
  }
  ~certificates() { std::filesystem::remove_all(folder); }
  certificates(const certificates&) = delete;
  certificates& operator=(const certificates&) = delete;

  static void make(const std::filesystem::path& where) {
    const auto command = "bash '" WEFT_CERTIFICATES "' '" + where.string() + "'";
    REQUIRE(std::system(command.c_str()) == 0);
  }
  std::string operator/(const char* name) const { return folder / name; }

  weft::server_tls server() const { return {.certificate = *this / "server.pem", .key = *this / "server.key"}; }
  weft::server_tls mutual_server() const {
    auto tls = server();
    tls.client_authorities = *this / "ca.pem";
    return tls;
  }
  weft::client_tls client() const { return {.authorities = *this / "ca.pem"}; }
  weft::client_tls client_as(const std::string& name) const {
    auto tls = client();
    tls.certificate = *this / (name + ".pem").c_str();
    tls.key = *this / (name + ".key").c_str();
    return tls;
  }

  std::filesystem::path folder;
};

}  // namespace test

#pragma once
#include <cstdlib>
#include <iostream>
#include <map>
#include <string>
#include <string_view>

namespace interop {

/// "--name=value" flags. What is not known, or has no value, ends the program with 2.
class flags {
 public:
  flags(int argc, char** argv, std::string_view usage, std::map<std::string, std::string> known)
      : values_{std::move(known)} {
    for (int i = 1; i < argc; ++i) {
      const std::string_view argument{argv[i]};
      if (argument == "--help" || argument == "-h") {
        std::cout << usage;
        std::exit(0);
      }
      const auto equals = argument.find('=');
      const auto name = argument.substr(0, equals);
      const auto at = name.starts_with("--") ? values_.find(std::string{name.substr(2)}) : values_.end();
      if (at == values_.end() || equals == std::string_view::npos)
        fail("no flag '" + std::string{argument} + "'", usage);
      at->second = argument.substr(equals + 1);
    }
    usage_ = usage;
  }

  const std::string& operator[](const char* name) const { return values_.at(name); }
  bool yes(const char* name) const {
    const auto& value = (*this)[name];
    if (value != "true" && value != "false") wrong(name, "true or false");
    return value == "true";
  }
  int number(const char* name, int least, int most) const {
    const auto& value = (*this)[name];
    char* end = nullptr;
    const long n = std::strtol(value.c_str(), &end, 10);
    if (value.empty() || *end != '\0' || n < least || n > most) {
      wrong(name, "a number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return static_cast<int>(n);
  }
  [[noreturn]] void wrong(const char* name, const std::string& expected) const {
    fail("--" + std::string{name} + "=" + (*this)[name] + ": expected " + expected, usage_);
  }

 private:
  [[noreturn]] static void fail(const std::string& what, std::string_view usage) {
    std::cerr << what << "\n" << usage;
    std::exit(2);
  }

  std::map<std::string, std::string> values_;
  std::string_view usage_;
};

}  // namespace interop

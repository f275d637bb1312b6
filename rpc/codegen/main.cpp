#include <google/protobuf/compiler/plugin.h>

#include <cstring>
#include <iostream>

#include "generator.hpp"

int main(int argc, char** argv) {
  if (argc > 1 && std::strcmp(argv[1], "--help") == 0) {
    std::cout << "protoc-gen-weft: a plugin of protoc, which runs it:\n\n"
                 "  protoc --cpp_out=OUT --weft_out=OUT --plugin=protoc-gen-weft=PATH file.proto\n\n"
                 "writes file.weft.hpp and file.weft.cpp: for every service a client and a base class for the server;\n"
                 "and file.weft.fake.hpp: a fake of each, for tests that link weft::test.\n"
                 "In CMake: weft_generate(TARGET t PROTOS file.proto)\n";
    return 0;
  }
  weft::codegen::generator generator;
  return google::protobuf::compiler::PluginMain(argc, argv, &generator);
}

#include <iostream>
#include <weft/runtime/status.hpp>

#ifdef HELLO_RPC
#include <hello.weft.hpp>
#include <weft/rpc/health.hpp>
#include <weft/rpc/reflection.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#endif

int main() {
#ifdef HELLO_RPC
  hello::v1::HelloReply reply;
  reply.set_text("hello");
  std::cout << reply.text() << ' ';
  weft::rpc_runtime rt;  // these have generated code inside of the library
  weft::health health{rt};
  weft::reflection reflection{rt};
#endif
  std::cout << weft::status{} << '\n';
}

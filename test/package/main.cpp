#include <iostream>
#include <weft/runtime/status.hpp>

#ifdef HELLO_RPC
#include <hello.weft.hpp>
#endif

int main() {
#ifdef HELLO_RPC
  hello::v1::HelloReply reply;
  reply.set_text("hello");
  std::cout << reply.text() << ' ';
#endif
  std::cout << weft::status{} << '\n';
}

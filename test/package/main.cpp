#include <iostream>
#include <weft/runtime/status.hpp>

#ifdef HELLO_RPC
#include <hello.weft.hpp>
#include <weft/rpc/health.hpp>
#include <weft/rpc/reflection.hpp>
#include <weft/rpc/rpc_runtime.hpp>
#endif

#ifdef HELLO_PROMETHEUS
#include <prometheus/registry.h>
#include <weft/rpc/prometheus/call_metrics.hpp>
#include <weft/rpc/prometheus/runtime_metrics.hpp>
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
#ifdef HELLO_PROMETHEUS
  prometheus::Registry registry;
  const weft::call_metrics calls{registry};
  std::cout << "counted " << weft::runtime_metrics{rt}.Collect().size() << ' ';
#endif
  std::cout << weft::status{} << '\n';
}

#pragma once
#include <memory>
#include <vector>
#include <weft/rpc/c/service.hpp>
#include <weft/rpc/server.hpp>

namespace weft::c {

/// The handle of a server that runs.
class running_server final : public object, public closable {
 public:
  running_server(std::shared_ptr<host> owner, const server_options& options,
                 std::vector<std::shared_ptr<local_service>> services);

  status start();
  result<int> port(std::size_t n) const;
  void stop(duration grace);
  status close() override {
    stop(duration::zero());
    return {};
  }

 private:
  const std::size_t addresses_;
  std::vector<std::shared_ptr<local_service>> services_;
  std::unique_ptr<server> server_;
};

}  // namespace weft::c

#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>
#include <weft/rpc/c/request.hpp>
#include <weft/rpc/directory.hpp>
#include <weft/rpc/rpc_service.hpp>

namespace weft::c {

/// A service whose handlers ask the program.
class host_service final : public rpc_service {
 public:
  struct settings {
    weft_handle handle = 0;
    std::uint64_t user = 0;
    conversation::limits ahead{};
    bool json = false;
  };
  struct method_said {
    std::string name;
    method_kind kind;
  };
  host_service(host& owner, const std::string& full_name, const std::vector<method_said>& methods,
               service_options options, settings s);

  std::span<const served_method> methods() const noexcept override { return table_; }
  const served_method* find(std::string_view path) const noexcept;

 private:
  struct described;

  weft::reply<unparsed> answer(unparsed& message);
  task<status> talk(reader<raw_message>& in, writer<raw_message>& out);
  std::shared_ptr<request> make_request(const char* path) const;

  static made_call make(rpc_service& to, const served_method& self);
  static status take(call_operation& settled, reply_sink& sink);
  static served_stream open(rpc_service& to, const served_method& self, call_origin& from);

  host& owner_;
  const settings settings_;
  std::vector<const named_method*> names_;
  std::vector<method_info> infos_;
  std::vector<served_method> table_;
};

/// The handle of one; calls in this process go to it.
class local_service final : public target, public closable {
 public:
  local_service(std::shared_ptr<host> owner, std::string name)
      : target{kind::service, std::move(owner)}, name_{std::move(name)} {}

  /// Once it has its handle.
  status begin(const std::vector<host_service::method_said>& methods, const service_options& options,
               host_service::settings s);
  const std::string& name() const noexcept { return name_; }
  /// Requires: it is not closed, and the runtime's thread, or the worker.
  host_service& service() noexcept { return *service_; }
  /// A server or a session offers it.
  int users = 0;

  result<held_call<unparsed>> make(const named_method& m, const unparsed& request, order o) override;
  result<raw_stream> open(const named_method& m, call_options options) override;
  status close() override;

 private:
  const std::string name_;
  std::unique_ptr<host_service> service_;
  directory here_;
  bool closed_ = false;  // the worker's
};

/// Those that the program named. WEFT_BAD_HANDLE, whence a code.
int take_services(const host& owner, const weft_handle* handles, std::size_t count,
                  std::vector<std::shared_ptr<local_service>>& into);

}  // namespace weft::c

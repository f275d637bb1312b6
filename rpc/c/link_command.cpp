#include <weft/rpc/c/link_command.hpp>

#include <weft/rpc/c/call.hpp>
#include <weft/rpc/c/player_link.hpp>

namespace weft::c {

task<> link_command::run(std::shared_ptr<link_command> c, player_link* over) {
  co_await with_scope(&link_command::ask, c.get(), over);
  c->end(c->given_up_ ? *c->given_up_ : std::move(c->answer_));
}

task<> link_command::ask(link_command* c, player_link* over, scope& own) {
  c->own_ = &own;
  if (c->given_up_) own.stop();
  auto asking = player_link::ask(over, std::move(c->plan_.command), c->plan_.key, c->plan_.within, &c->sent_);
  c->answer_ = co_await std::move(asking);
  c->own_ = nullptr;
}

void link_command::end(result<std::string> answer) {
  if (plan_.one_way) return handles::all().remove(handle());
  if (answer.ok()) answer = from_bytes(owner().types(), plan_.answer_type, std::move(*answer));
  event e;
  e.type = WEFT_EVENT_REPLY;
  e.about = handle();
  e.user = plan_.user;
  e.ended_with(answer.status());
  if (answer.ok()) e.data = std::move(*answer);
  e.may_have_run = sent_;
  e.last = true;
  owner().events().put(std::move(e));
}

void link_command::give_up(status why) noexcept {
  if (given_up_) return;
  given_up_ = std::move(why);
  if (own_ != nullptr) own_->stop();
}

}  // namespace weft::c

using namespace weft::c;

int weft_link_ask(weft_handle link, const void* command, size_t size, const weft_call_options* options,
                  weft_handle* call) {
  return with<player_link>(link, [&](const auto& l) {
    const auto said = take(options, "weft_call_options");
    if (!said.ok()) return fail(said.status());
    const auto given = take_bytes(command, size, "command");
    if (!given.ok()) return fail(given.status());
    auto bytes = to_bytes(l->owner().types(), l->json().sent, *given);
    if (!bytes.ok()) return fail(bytes.status());
    const auto made =
        std::make_shared<link_command>(l->shared_owner(), link_command::plan{.command = std::move(*bytes),
                                                                             .answer_type = l->json().received,
                                                                             .user = said->user,
                                                                             .key = said->key,
                                                                             .within = limit_of(*said),
                                                                             .one_way = said->one_way != 0});
    const auto handle = handles::all().add(made);
    if (call != nullptr) *call = handle;
    l->owner().post([l, made] { l->begin(made); });
    return static_cast<int>(WEFT_OK);
  });
}

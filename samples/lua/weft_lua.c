// The C interface as a Lua 5.4 module, function by function: what rpc.lua is made of. Each function returns what it made (or
// true), or nil, a code and a text. Handles are integers, messages are JSON.
#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <weft/weft.h>

static int outcome(lua_State *L, int code) {
  if (code == WEFT_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, weft_code_name(code));
  lua_pushstring(L, weft_last_error());
  return 3;
}

static int made(lua_State *L, int code, weft_handle handle) {
  if (code != WEFT_OK) return outcome(L, code);
  lua_pushinteger(L, (lua_Integer)handle);
  return 1;
}

static weft_handle handle_at(lua_State *L, int index) { return (weft_handle)luaL_checkinteger(L, index); }

// create(): a runtime that is pumped, and can be waited for.
static int create(lua_State *L) {
  weft_runtime_options options = {.size = sizeof options, .wake_fd = 1};
  weft_handle runtime = 0;
  return made(L, weft_runtime_create(&options, &runtime), runtime);
}

static int destroy(lua_State *L) { return outcome(L, weft_runtime_destroy(handle_at(L, 1))); }

static int close_handle(lua_State *L) { return outcome(L, weft_close(handle_at(L, 1))); }

static int types(lua_State *L) { return outcome(L, weft_types_load(handle_at(L, 1), luaL_checkstring(L, 2))); }

// peer(runtime, address)
static int peer(lua_State *L) {
  weft_handle peer = 0;
  return made(L, weft_peer_open(handle_at(L, 1), luaL_checkstring(L, 2), NULL, &peer), peer);
}

// session(peer)
static int session(lua_State *L) {
  weft_handle session = 0;
  return made(L, weft_session_open(handle_at(L, 1), NULL, &session), session);
}

// route(runtime, alias, service, to)
static int route(lua_State *L) {
  const int code = weft_alias(handle_at(L, 1), luaL_checkstring(L, 2), luaL_checkstring(L, 3));
  if (code != WEFT_OK) return outcome(L, code);
  return outcome(L, weft_route(handle_at(L, 1), luaL_checkstring(L, 3), handle_at(L, 4)));
}

// service(runtime, name, exclusive or nil, waiting or nil)
static int service(lua_State *L) {
  weft_service_options options = {.size = sizeof options, .format = WEFT_JSON, .exclusive = lua_toboolean(L, 3)};
  options.waiting = (uint32_t)luaL_optinteger(L, 4, 0);
  weft_handle service = 0;
  return made(L, weft_service_create(handle_at(L, 1), luaL_checkstring(L, 2), &options, &service), service);
}

// serve(runtime, address, {service...})
static int serve(lua_State *L) {
  enum { most = 64 };
  weft_handle services[most], server = 0;
  const char *const address = luaL_checkstring(L, 2);
  weft_server_options options = {.size = sizeof options, .addresses = &address, .addresses_count = 1, .services = services};
  luaL_checktype(L, 3, LUA_TTABLE);
  for (lua_Integer i = 1; lua_rawgeti(L, 3, i) != LUA_TNIL && options.services_count < most; ++i) {
    services[options.services_count++] = handle_at(L, -1);
  }
  return made(L, weft_server_start(handle_at(L, 1), &options, &server), server);
}

static int port(lua_State *L) {
  int number = 0;
  const int code = weft_server_port(handle_at(L, 1), 0, &number);
  return made(L, code, (weft_handle)number);
}

// The options of a call, whose deadline in seconds and request on behalf of which it is made are there, or nil.
static weft_call_options call_options(lua_State *L, int deadline, int request) {
  weft_call_options options = {.size = sizeof options, .format = WEFT_JSON};
  if (!lua_isnoneornil(L, deadline)) {
    options.deadline_ms = (int64_t)(luaL_checknumber(L, deadline) * 1000);
    if (options.deadline_ms <= 0) options.deadline_ms = 1;
  }
  if (!lua_isnoneornil(L, request)) options.request = handle_at(L, request);
  return options;
}

// call(to, method, request, seconds or nil, on behalf of or nil, key or nil, one way or nil)
static int call(lua_State *L) {
  size_t size = 0;
  const char *request = luaL_checklstring(L, 3, &size);
  weft_call_options options = call_options(L, 4, 5);
  options.key = (uint64_t)luaL_optinteger(L, 6, 0);
  options.one_way = lua_toboolean(L, 7);
  weft_handle call = 0;
  const int code = weft_call(handle_at(L, 1), luaL_checkstring(L, 2), request, size, &options, &call);
  return made(L, code, call);
}

static int cancel(lua_State *L) { return outcome(L, weft_cancel(handle_at(L, 1))); }

// stream(to, method, seconds or nil, on behalf of or nil)
static int stream(lua_State *L) {
  const weft_call_options options = call_options(L, 3, 4);
  weft_handle stream = 0;
  const int code = weft_stream_open(handle_at(L, 1), luaL_checkstring(L, 2), &options, &stream);
  return made(L, code, stream);
}

static int write_message(lua_State *L) {
  size_t size = 0;
  const char *message = luaL_checklstring(L, 2, &size);
  return outcome(L, weft_stream_write(handle_at(L, 1), message, size));
}

static int writes_done(lua_State *L) { return outcome(L, weft_stream_writes_done(handle_at(L, 1))); }

// reply(request, message or nil)
static int reply(lua_State *L) {
  size_t size = 0;
  const char *message = luaL_optlstring(L, 2, NULL, &size);
  return outcome(L, weft_reply(handle_at(L, 1), message, size, NULL));
}

// fail(request, "NOT_FOUND", text)
static int fail(lua_State *L) {
  const char *name = luaL_checkstring(L, 2);
  int code = WEFT_UNKNOWN;
  for (int c = WEFT_CANCELLED; c <= WEFT_UNAUTHENTICATED; ++c) {
    if (strcmp(weft_code_name(c), name) == 0) code = c;
  }
  return outcome(L, weft_fail(handle_at(L, 1), code, luaL_checkstring(L, 3), NULL));
}

// pump(runtime, seconds): after how many seconds there is something to do.
static int pump(lua_State *L) {
  weft_pump_report report = {.size = sizeof report};
  const int code = weft_pump(handle_at(L, 1), (int64_t)(luaL_checknumber(L, 2) * 1e6), 0, &report);
  if (code != WEFT_OK) return luaL_error(L, "%s: %s", weft_code_name(code), weft_last_error());
  lua_pushnumber(L, report.more ? 0 : report.next_timer_us < 0 ? HUGE_VAL : (lua_Number)report.next_timer_us * 1e-6);
  return 1;
}

// poll(runtime): an event as a table; nil when there is none.
static int next_event(lua_State *L) {
  static const char *const types[] = {"none", "reply", "headers", "message", "done", "writable", "end", "request", "cancelled", "log"};
  weft_event event = {.size = sizeof event};
  const int code = weft_poll(handle_at(L, 1), &event);
  if (code != WEFT_OK) return luaL_error(L, "%s: %s", weft_code_name(code), weft_last_error());
  if (event.type == WEFT_EVENT_NONE) return 0;
  lua_createtable(L, 0, 10);
  const size_t type = (size_t)event.type;
  lua_pushstring(L, type < sizeof types / sizeof types[0] ? types[type] : "other"), lua_setfield(L, -2, "type");
  lua_pushinteger(L, (lua_Integer)event.about), lua_setfield(L, -2, "about");
  lua_pushinteger(L, (lua_Integer)event.service), lua_setfield(L, -2, "service");
  lua_pushstring(L, weft_code_name(event.code)), lua_setfield(L, -2, "code");
  lua_pushlstring(L, event.text, event.text_size), lua_setfield(L, -2, "text");
  lua_pushlstring(L, event.data, event.data_size), lua_setfield(L, -2, "data");
  lua_pushstring(L, event.method), lua_setfield(L, -2, "method");
  lua_pushboolean(L, event.streams), lua_setfield(L, -2, "streams");
  lua_pushboolean(L, event.may_have_run), lua_setfield(L, -2, "may_have_run");
  if (event.time_left_us >= 0) lua_pushnumber(L, (lua_Number)event.time_left_us * 1e-6), lua_setfield(L, -2, "time_left");
  return 1;
}

// wait(runtime, seconds): until there is something to do, at most for so long.
static int wait_for_event(lua_State *L) {
  struct pollfd fd = {.events = POLLIN};
  const int code = weft_wake_fd(handle_at(L, 1), &fd.fd);
  if (code != WEFT_OK) return outcome(L, code);
  const lua_Number seconds = luaL_checknumber(L, 2);
  const int milliseconds = seconds > 60 ? 60000 : seconds < 0 ? 0 : (int)(seconds * 1000) + 1;
  poll(&fd, 1, milliseconds);
  return 0;
}

static int now(lua_State *L) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec * 1e-9);
  return 1;
}

int luaopen_weft_lua(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"create", create}, {"destroy", destroy}, {"close", close_handle},   {"types", types},
      {"peer", peer},     {"session", session}, {"route", route},          {"service", service},
      {"serve", serve},   {"port", port},       {"call", call},            {"cancel", cancel},
      {"stream", stream}, {"write", write_message}, {"writes_done", writes_done}, {"reply", reply},
      {"fail", fail},     {"pump", pump},       {"poll", next_event},      {"wait", wait_for_event},
      {"now", now},       {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}

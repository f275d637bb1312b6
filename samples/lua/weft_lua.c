// The C interface as a Lua 5.4 module, function by function: what rpc.lua is made of. Each function returns what it made (or
// true), or nil, a code and a text. Handles are integers, messages are JSON.
#include <lauxlib.h>
#include <lua.h>
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

// create(): a runtime with one thread, which does what has to do with sockets. Lua runs where it is called from, as always.
static int create(lua_State *L) {
  weft_runtime_options options = {.size = sizeof options, .workers = 1};
  weft_handle runtime = 0;
  return made(L, weft_runtime_create(&options, &runtime), runtime);
}

static int destroy(lua_State *L) { return outcome(L, weft_runtime_destroy(handle_at(L, 1))); }

static int types(lua_State *L) { return outcome(L, weft_types_load(handle_at(L, 1), luaL_checkstring(L, 2))); }

// peer(runtime, address)
static int peer(lua_State *L) {
  weft_handle peer = 0;
  return made(L, weft_peer_open(handle_at(L, 1), luaL_checkstring(L, 2), NULL, &peer), peer);
}

// route(runtime, alias, service, to)
static int route(lua_State *L) {
  const int code = weft_alias(handle_at(L, 1), luaL_checkstring(L, 2), luaL_checkstring(L, 3));
  if (code != WEFT_OK) return outcome(L, code);
  return outcome(L, weft_route(handle_at(L, 1), luaL_checkstring(L, 3), handle_at(L, 4)));
}

// service(runtime, name)
static int service(lua_State *L) {
  weft_service_options options = {.size = sizeof options, .format = WEFT_JSON};
  weft_handle service = 0;
  return made(L, weft_service_create(handle_at(L, 1), luaL_checkstring(L, 2), &options, &service), service);
}

// serve(runtime, address, service...)
static int serve(lua_State *L) {
  enum { most = 64 };
  weft_handle services[most], server = 0;
  const char *const address = luaL_checkstring(L, 2);
  weft_server_options options = {.size = sizeof options, .addresses = &address, .addresses_count = 1, .services = services};
  for (int i = 3; i <= lua_gettop(L) && options.services_count < most; ++i) {
    services[options.services_count++] = handle_at(L, i);
  }
  return made(L, weft_server_start(handle_at(L, 1), &options, &server), server);
}

static int port(lua_State *L) {
  int number = 0;
  const int code = weft_server_port(handle_at(L, 1), 0, &number);
  return made(L, code, (weft_handle)number);
}

// call(to, method, request, seconds or nil, on behalf of or nil)
static int call(lua_State *L) {
  size_t size = 0;
  const char *request = luaL_checklstring(L, 3, &size);
  weft_call_options options = {.size = sizeof options, .format = WEFT_JSON};
  if (!lua_isnoneornil(L, 4)) {
    options.deadline_ms = (int64_t)(luaL_checknumber(L, 4) * 1000);
    if (options.deadline_ms == 0) options.deadline_ms = 1;
  }
  if (!lua_isnoneornil(L, 5)) options.request = handle_at(L, 5);
  weft_handle call = 0;
  const int code = weft_call(handle_at(L, 1), luaL_checkstring(L, 2), request, size, &options, &call);
  return made(L, code, call);
}

static int cancel(lua_State *L) { return outcome(L, weft_cancel(handle_at(L, 1))); }

static int reply(lua_State *L) {
  size_t size = 0;
  const char *message = luaL_checklstring(L, 2, &size);
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

// poll(runtime): an event as a table; nil when there is none.
static int next_event(lua_State *L) {
  weft_event event = {.size = sizeof event};
  const int code = weft_poll(handle_at(L, 1), &event);
  if (code != WEFT_OK) return luaL_error(L, "%s: %s", weft_code_name(code), weft_last_error());
  const char *type = event.type == WEFT_EVENT_REPLY               ? "reply"
                     : event.type == WEFT_EVENT_REQUEST           ? "request"
                     : event.type == WEFT_EVENT_REQUEST_CANCELLED ? "cancelled"
                                                                  : NULL;
  if (type == NULL) return 0;
  lua_createtable(L, 0, 7);
  lua_pushstring(L, type), lua_setfield(L, -2, "type");
  lua_pushinteger(L, (lua_Integer)event.about), lua_setfield(L, -2, "about");
  lua_pushinteger(L, (lua_Integer)event.service), lua_setfield(L, -2, "service");
  lua_pushstring(L, weft_code_name(event.code)), lua_setfield(L, -2, "code");
  lua_pushlstring(L, event.text, event.text_size), lua_setfield(L, -2, "text");
  lua_pushlstring(L, event.data, event.data_size), lua_setfield(L, -2, "data");
  lua_pushstring(L, event.method), lua_setfield(L, -2, "method");
  return 1;
}

// wait(runtime, seconds): until there is an event, at most for so long.
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
      {"create", create}, {"destroy", destroy}, {"types", types}, {"peer", peer},       {"route", route},
      {"service", service}, {"serve", serve},   {"port", port},   {"call", call},       {"cancel", cancel},
      {"reply", reply},   {"fail", fail},       {"poll", next_event}, {"wait", wait_for_event}, {"now", now},
      {NULL, NULL},
  };
  luaL_newlib(L, functions);
  return 1;
}

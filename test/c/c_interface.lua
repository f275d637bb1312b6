-- luajit c_interface.lua FOLDER HEADER LIBRARY DESCRIPTORS: the C interface by LuaJIT's FFI, pumped. FOLDER has
-- weft_luajit.lua, HEADER is weft.h.
local folder, header, library, descriptors = ...
if not descriptors then
  io.stderr:write("usage: c_interface.lua FOLDER HEADER LIBRARY DESCRIPTORS\n")
  os.exit(folder == "--help" and 0 or 2)
end
package.path = folder .. "/?.lua;" .. package.path
local ffi = require("ffi")
local C = require("weft_luajit").load(library, header)

local function sized(kind, members)
  local made = ffi.new(kind)
  made.size = ffi.sizeof(kind)
  for name, value in pairs(members or {}) do made[name] = value end
  return made
end
local function ok(code)
  if code ~= C.WEFT_OK then
    error(ffi.string(C.weft_code_name(code)) .. ": " .. ffi.string(C.weft_last_error()), 2)
  end
end
local function made(call)  -- what a function puts into its last parameter; below 2^53, so a number will do
  local handle = ffi.new("weft_handle[1]")
  ok(call(handle))
  return tonumber(handle[0])
end
local function equal(a, b)
  if a ~= b then error(tostring(a) .. " is not " .. tostring(b), 2) end
end

-- Twice: a runtime can be made again.
for _ = 1, 2 do
  local there = made(function(h) return C.weft_runtime_create(sized("weft_runtime_options", {log = C.WEFT_LOG_NONE}), h) end)
  local here = made(function(h) return C.weft_runtime_create(sized("weft_runtime_options", {log = C.WEFT_LOG_NONE}), h) end)
  ok(C.weft_types_load(there, descriptors))
  ok(C.weft_types_load(here, descriptors))

  local event = sized("weft_event")
  local function next_of(runtime)
    local late = os.time() + 20
    repeat
      local report = sized("weft_pump_report")
      ok(C.weft_pump(here, 2000, 100, report))
      assert(report.ran <= 100 and report.next_timer_us >= -1)
      ok(C.weft_pump(there, 2000, 0, nil))
      ok(C.weft_poll(runtime, event))
      assert(os.time() < late, "no event came")
    until event.type ~= C.WEFT_EVENT_NONE
    return {
      type = event.type, about = tonumber(event.about), code = event.code, user = tonumber(event.user),
      text = ffi.string(event.text), data = ffi.string(event.data, event.data_size), method = ffi.string(event.method),
    }
  end

  local service = made(function(h)
    return C.weft_service_create(there, "test.v1.Echo", sized("weft_service_options", {format = C.WEFT_JSON}), h)
  end)
  local services = ffi.new("weft_handle[1]", service)
  local server = made(function(h)
    return C.weft_server_start(there, sized("weft_server_options", {services = services, services_count = 1}), h)
  end)
  local port = ffi.new("int[1]")
  ok(C.weft_server_port(server, 0, port))
  local peer = made(function(h) return C.weft_peer_open(here, "127.0.0.1:" .. port[0], nil, h) end)
  ok(C.weft_alias(here, "echo", "test.v1.Echo"))

  local json = sized("weft_call_options", {format = C.WEFT_JSON, user = 7})
  local request = '{"text":"hi"}'
  local call = made(function(h) return C.weft_call(peer, "echo.Say", request, #request, json, h) end)
  local asked = next_of(there)
  equal(asked.type, C.WEFT_EVENT_REQUEST)
  equal(asked.method, "/test.v1.Echo/Say")
  equal(asked.data, request)
  ok(C.weft_reply(asked.about, '{"text":"ho"}', 13, nil))
  local reply = next_of(here)
  equal(reply.about, call)
  equal(reply.user, 7)
  equal(reply.code, C.WEFT_OK)
  equal(reply.data, '{"text":"ho"}')

  ok(C.weft_call(peer, "echo.Say", request, #request, json, nil))
  ok(C.weft_fail(next_of(there).about, C.WEFT_NOT_FOUND, "no room", nil))
  reply = next_of(here)
  equal(reply.code, C.WEFT_NOT_FOUND)
  equal(reply.text, "no room")

  local stream = made(function(h) return C.weft_stream_open(peer, "echo.Talk", json, h) end)
  ok(C.weft_stream_write(stream, request, #request))
  asked = next_of(there)
  equal(next_of(there).data, request)
  ok(C.weft_stream_write(asked.about, request, #request))
  equal(next_of(here).data, request)
  ok(C.weft_cancel(stream))
  equal(next_of(here).code, C.WEFT_CANCELLED)
  equal(next_of(there).type, C.WEFT_EVENT_REQUEST_CANCELLED)

  equal(C.weft_cancel(stream), C.WEFT_BAD_HANDLE)
  ok(C.weft_runtime_destroy(here))
  ok(C.weft_runtime_destroy(there))
end
print("ok")

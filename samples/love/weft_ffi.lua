-- The functions of samples/lua/weft_lua.c by LuaJIT's FFI, so that samples/lua/rpc.lua runs in LÖVE:
--
--   local rpc = require("rpc").new(require("weft_ffi").new(require("weft_luajit").load(LIBRARY, HEADER)))
--   function love.update() rpc.update(0.002) end
--
-- Each function returns what it made (or true), or nil, a code and a text. Handles are numbers, messages are JSON.
local ffi = require("ffi")

local types = {
  [0] = "none", "reply", "headers", "message", "done", "writable", "end", "request", "cancelled", "log",
}

local function sized(kind, members)
  local made = ffi.new(kind)
  made.size = ffi.sizeof(kind)
  for name, value in pairs(members or {}) do made[name] = value end
  return made
end

local function new(C)
  local weft, handle = {}, ffi.new("weft_handle[1]")
  local event = sized("weft_event")

  local function outcome(code)
    if code == C.WEFT_OK then return true end
    return nil, ffi.string(C.weft_code_name(code)), ffi.string(C.weft_last_error())
  end
  local function made(code)  -- below 2^53, so a number will do
    if code == C.WEFT_OK then return tonumber(handle[0]) end
    return outcome(code)
  end
  local function strict(code)
    if code ~= C.WEFT_OK then error(ffi.string(C.weft_code_name(code)) .. ": " .. ffi.string(C.weft_last_error()), 3) end
  end
  local function call_options(deadline, request, key, one_way)
    local options = sized("weft_call_options", {format = C.WEFT_JSON, key = key or 0, one_way = one_way and 1 or 0})
    if deadline then options.deadline_ms = math.max(1, deadline * 1000) end
    if request then options.request = request end
    return options
  end

  function weft.create() return made(C.weft_runtime_create(sized("weft_runtime_options"), handle)) end
  function weft.destroy(runtime) return outcome(C.weft_runtime_destroy(runtime)) end
  function weft.close(h) return outcome(C.weft_close(h)) end
  function weft.types(runtime, file) return outcome(C.weft_types_load(runtime, file)) end
  function weft.peer(runtime, address) return made(C.weft_peer_open(runtime, address, nil, handle)) end
  function weft.session(peer) return made(C.weft_session_open(peer, nil, handle)) end
  function weft.route(runtime, alias, service, to)
    local code = C.weft_alias(runtime, alias, service)
    return outcome(code == C.WEFT_OK and C.weft_route(runtime, service, to) or code)
  end
  function weft.service(runtime, name, exclusive, waiting)
    local options = sized("weft_service_options", {format = C.WEFT_JSON, exclusive = exclusive and 1 or 0, waiting = waiting or 0})
    return made(C.weft_service_create(runtime, name, options, handle))
  end
  function weft.serve(runtime, address, services)
    local offered, addresses = ffi.new("weft_handle[?]", #services, services), ffi.new("const char *[1]", {address})
    local options = sized("weft_server_options",
      {addresses = addresses, addresses_count = 1, services = offered, services_count = #services})
    return made(C.weft_server_start(runtime, options, handle))
  end
  function weft.port(server)
    local port = ffi.new("int[1]")
    local code = C.weft_server_port(server, 0, port)
    if code ~= C.WEFT_OK then return outcome(code) end
    return port[0]
  end
  function weft.call(to, method, request, deadline, on_behalf_of, key, one_way)
    return made(C.weft_call(to, method, request, #request, call_options(deadline, on_behalf_of, key, one_way), handle))
  end
  function weft.cancel(call) return outcome(C.weft_cancel(call)) end
  function weft.stream(to, method, deadline, on_behalf_of)
    return made(C.weft_stream_open(to, method, call_options(deadline, on_behalf_of), handle))
  end
  function weft.write(stream, message) return outcome(C.weft_stream_write(stream, message, #message)) end
  function weft.writes_done(stream) return outcome(C.weft_stream_writes_done(stream)) end
  function weft.reply(request, message) return outcome(C.weft_reply(request, message, message and #message or 0, nil)) end
  function weft.fail(request, name, text)
    local code = C.WEFT_UNKNOWN
    for c = C.WEFT_CANCELLED, C.WEFT_UNAUTHENTICATED do
      if ffi.string(C.weft_code_name(c)) == name then code = c end
    end
    return outcome(C.weft_fail(request, code, text, nil))
  end

  --- After how many seconds there is something to do.
  function weft.pump(runtime, seconds)
    local report = sized("weft_pump_report")
    strict(C.weft_pump(runtime, seconds * 1e6, 0, report))
    if report.more ~= 0 then return 0 end
    local timer = tonumber(report.next_timer_us)
    return timer < 0 and math.huge or timer * 1e-6
  end
  --- An event as a table; nil when there is none.
  function weft.poll(runtime)
    strict(C.weft_poll(runtime, event))
    if event.type == C.WEFT_EVENT_NONE then return nil end
    local left = tonumber(event.time_left_us)
    return {
      type = types[event.type] or "other", about = tonumber(event.about), service = tonumber(event.service),
      code = ffi.string(C.weft_code_name(event.code)), text = ffi.string(event.text, event.text_size),
      data = ffi.string(event.data, event.data_size), method = ffi.string(event.method), streams = event.streams ~= 0,
      may_have_run = event.may_have_run ~= 0, time_left = left >= 0 and left * 1e-6 or nil,
    }
  end
  --- No waiting in a frame: rpc.run is for programs without one.
  function weft.wait() end
  weft.now = love and love.timer.getTime or os.clock
  return weft
end

return {new = new}

-- Calls, streams and services for Lua coroutines; Lua 5.4, and LuaJIT with samples/love/weft_ffi.lua.
--
--   local rpc = require("rpc").new()
--   rpc.types("dice.descriptors")                         -- protoc --include_imports --descriptor_set_out
--   rpc.peer("chat", "dice.v1.Chat", "127.0.0.1:7003")    -- "chat" is dice.v1.Chat, which is there
--   rpc.serve("dice.v1.Table", {Sit = function(request) return {seat = 1} end})
--   rpc.listen("127.0.0.1:7000")
--   rpc.run()                                             -- or rpc.update() once a frame
--
-- Inside of a handler, or of what rpc.spawn started:
--
--   local reply = rpc.call("chat.Say", {text = "hi"})     -- suspends this coroutine, and no other
--   rpc.sleep(0.5)
--   rpc.fail("NOT_FOUND", "no such table")                -- what a handler ends with
--
-- A call that fails is a Lua error with .code, .message and .may_have_run, for pcall. Calls that a handler makes end with the call
-- that it serves, and keep its deadline. Messages are tables, by protobuf's JSON: a field that has its default value (0, "", false,
-- nothing in a list) is nil, 64-bit numbers are strings, and a list that is empty is left out.
local json = require("cjson")

local failure = {}
failure.__index = failure
function failure:__tostring() return self.code .. ": " .. self.message end

local function failed(code, message, may_have_run)
  return setmetatable({code = code, message = message, may_have_run = may_have_run}, failure)
end

local function check(level, ok, code, text)
  if not ok then error(failed(code, text, false), level + 1) end
  return ok
end

local function report(text) io.stderr:write("rpc: ", text, "\n") end

local module = {}

--- A runtime and what is made from it. All its Lua runs in `run` or `update`, on the thread that calls those. `weft`: the C
--- interface as Lua functions; weft_lua unless it is said.
function module.new(weft)
  weft = weft or require("weft_lua")
  local rpc = {}
  local runtime = check(2, weft.create())
  local services = {}  -- by handle: {handlers, name}
  local offered = {}   -- handles, for rpc.listen
  local server
  local calls = {}     -- by handle: what rpc.start gave back
  local streams = {}   -- by handle, of a stream or of a request that streams
  local serving = {}   -- by coroutine: the request
  local handler = {}   -- by request: the coroutine
  local leave = {}     -- by suspended coroutine: takes it off what it waits for; nil: that ends by itself
  local sleeping = {}  -- coroutine → when
  local ours = setmetatable({}, {__mode = "k"})
  local running, due = false, 0  -- the latter: after how many seconds there is something to do

  local function resume(co, event)
    leave[co] = nil
    local ok, problem = coroutine.resume(co, event)
    if not ok then report(debug.traceback(co, tostring(problem))) end
    if coroutine.status(co) == "dead" then serving[co] = nil end
  end

  local function start(f)
    local co = coroutine.create(f)
    ours[co] = true
    return co
  end

  local function here(what)
    local co = coroutine.running()
    if not co or not ours[co] then error(what .. " was called outside of a coroutine: use rpc.spawn", 3) end
    return co
  end

  -- What it is resumed with. An error when it serves a call and nobody waits for that any more.
  local function suspend(co, take_off)
    leave[co] = take_off
    local event = coroutine.yield()
    if event and event.type == "cancelled" then error(failed(event.code, event.text), 0) end
    return event
  end

  --- Loads the types of messages.
  function rpc.types(file) check(2, weft.types(runtime, file)) end

  --- `alias` is `service`, which is at `address`. `options.session`: calls go over a session, many on one stream, in order by key.
  function rpc.peer(alias, service, address, options)
    local to = check(2, weft.peer(runtime, address))
    if options and options.session then to = check(2, weft.session(to)) end
    check(2, weft.route(runtime, alias, service, to))
  end

  --- `alias` is `service`, which this program serves: without a socket.
  function rpc.own(alias, service)
    for handle, s in pairs(services) do
      if s.name == service then
        check(2, weft.route(runtime, alias, service, handle))
        return
      end
    end
    error(failed("NOT_FOUND", service .. " is not served here"), 2)
  end

  --- Handlers for the methods of `service`, by name: function(request, call) → reply; of methods that stream function(stream, call),
  --- whose reply, if there is one, is the last. call.time_left: seconds. Those that are missing are UNIMPLEMENTED.
  --- `options.exclusive`: one at a time; `options.waiting`: requests that wait for that, one more is RESOURCE_EXHAUSTED.
  function rpc.serve(service, handlers, options)
    options = options or {}
    local handle = check(2, weft.service(runtime, service, options.exclusive, options.waiting))
    services[handle] = {handlers = handlers, name = service}
    offered[#offered + 1] = handle
  end

  --- Offers what was served so far; gives back the port. Once.
  function rpc.listen(address)
    server = check(2, weft.serve(runtime, address, offered))
    return check(2, weft.port(server))
  end

  --- The reverse of `listen`, and of all `serve`s: requests that are under way end.
  function rpc.retire()
    if server then check(2, weft.close(server)) end
    for handle in pairs(services) do check(2, weft.close(handle)) end
    server, offered = nil, {}
  end

  local call = {}
  call.__index = call

  --- Begins a call; `wait` suspends the calling coroutine until it has ended, `done` tells, `cancel` ends it.
  --- `options.deadline`: seconds, 5 unless it is said. `options.key`: over a session, calls of one key arrive in their order.
  function rpc.start(method, request, options)
    options = options or {}
    local co = coroutine.running()
    local handle = check(2, weft.call(runtime, method, json.encode(request or {}), options.deadline, serving[co], options.key,
      options.one_way))
    local c = setmetatable({handle = handle}, call)
    if not options.one_way then calls[handle] = c end
    return c
  end

  function call:done() return self.ended ~= nil end
  function call:cancel() if not self.ended then weft.cancel(self.handle) end end
  function call:wait()
    if not self.ended then
      self.waiter = here("call:wait")
      suspend(self.waiter)
    end
    local e = self.ended
    if e.code ~= "OK" then error(failed(e.code, e.text, e.may_have_run), 2) end
    return json.decode(e.data)
  end

  --- Calls a method and suspends the calling coroutine until it has ended.
  function rpc.call(method, request, options)
    here("rpc.call")
    return rpc.start(method, request, options):wait()
  end

  --- Calls a method; nobody will know how that ended.
  function rpc.send(method, request, options)
    rpc.start(method, request, {one_way = true, deadline = options and options.deadline, key = options and options.key})
  end

  local stream = {}
  stream.__index = stream

  local function new_stream(handle, of_request)
    local s = setmetatable({handle = handle, of_request = of_request, inbox = {}}, stream)
    streams[handle] = s
    return s
  end

  --- Begins a call of a method that streams. The deadline is that of the whole call.
  function rpc.stream(method, options)
    return new_stream(check(2, weft.stream(runtime, method, options and options.deadline, serving[coroutine.running()])))
  end

  function stream:wait_for(what)
    self[what] = here("a stream")
    suspend(self[what], self.of_request and function() self[what] = nil end)
  end

  --- The next message; nil when the other side has written its last, and all is well.
  function stream:read()
    while #self.inbox == 0 and not self.ended do self:wait_for("reader") end
    if #self.inbox > 0 then return table.remove(self.inbox, 1) end
    if self.ended.code ~= "OK" then error(failed(self.ended.code, self.ended.text, self.ended.may_have_run), 2) end
  end

  --- Suspends while too many messages wait to be sent.
  function stream:write(message)
    while true do
      local ok, code, text = weft.write(self.handle, json.encode(message))
      if ok then return end
      if code ~= "RESOURCE_EXHAUSTED" then error(failed(code, text), 2) end
      self:wait_for("writer")
    end
  end
  --- That was the last message of a stream that this program began.
  function stream:close() check(2, weft.writes_done(self.handle)) end
  function stream:cancel() weft.cancel(self.handle) end

  local function heard(event)
    local s = streams[event.about]
    if not s then return end
    local wakes = "reader"
    if event.type == "message" then s.inbox[#s.inbox + 1] = json.decode(event.data)
    elseif event.type == "writable" then wakes = "writer"
    else
      s.ended = event
      streams[event.about] = nil
    end
    local co = s[wakes]
    s[wakes] = nil
    if co then resume(co) end
    if event.type == "end" and s.writer then
      co, s.writer = s.writer, nil
      resume(co)
    end
  end

  --- Suspends the calling coroutine. CANCELLED when it serves a call and nobody waits for that any more.
  function rpc.sleep(seconds)
    local co = here("rpc.sleep")
    sleeping[co] = weft.now() + seconds
    suspend(co, function() sleeping[co] = nil end)
  end

  --- Something that happens later: `wait` suspends the calling coroutine until `set` was called, and yields what that was given.
  function rpc.event()
    local waiters, value, set = {}, nil, false
    return {
      set = function(given)
        if set then return end
        set, value = true, given
        for _, co in ipairs(waiters) do rpc.spawn(resume, co) end
      end,
      wait = function()
        local co = here("event.wait")
        if not set then
          waiters[#waiters + 1] = co
          suspend(co, function()
            for i, w in ipairs(waiters) do
              if w == co then return table.remove(waiters, i) end
            end
          end)
        end
        return value
      end,
    }
  end

  --- Ends the call that is served with an error.
  function rpc.fail(code, message) error(failed(code, message or ""), 0) end

  --- Runs f(...) as a coroutine of its own. An error that gets out is reported, and ends that coroutine only.
  function rpc.spawn(f, ...)
    local arguments, count = {...}, select("#", ...)
    resume(start(function() f((table.unpack or unpack)(arguments, 1, count)) end))
  end

  local function serve(event)
    local method = event.method:match("[^/]+$")
    local handle = services[event.service].handlers[method]
    local given = event.streams and new_stream(event.about, true) or json.decode(event.data)
    local co = start(function()
      local ok, problem = false, failed("UNIMPLEMENTED", event.method .. " is not implemented")
      if handle then
        ok, problem = xpcall(handle, function(e)
          if getmetatable(e) == failure then return e end
          report(event.method .. ": " .. debug.traceback(tostring(e), 2))
          return failed("UNKNOWN", "the handler failed")  -- what went wrong is for the log
        end, given, {time_left = event.time_left})
      end
      handler[event.about] = nil
      streams[event.about] = nil
      if ok then
        local reply = (problem or not event.streams) and json.encode(problem or {}) or nil
        local said, code, text = weft.reply(event.about, reply)
        if said or code ~= "INVALID_ARGUMENT" then return end  -- or nobody waits any more
        report(event.method .. ": its reply: " .. text)
        problem = failed("INTERNAL", "the handler's reply is none")
      end
      weft.fail(event.about, problem.code, problem.message)
    end)
    serving[co] = event.about
    handler[event.about] = co
    resume(co)
  end

  -- What its coroutine waits for ends with it: calls by themselves, being made on behalf of the request.
  local function cancelled(event)
    local co = handler[event.about]
    handler[event.about], streams[event.about] = nil, nil
    local take_off = co and leave[co]
    if not take_off then return end
    take_off()
    resume(co, event)
  end

  local function replied(event)
    local c = calls[event.about]
    calls[event.about] = nil
    if not c then return end
    c.ended = event
    if c.waiter then resume(c.waiter) end
  end

  local function wake_sleepers()
    local time, next_time, awake = weft.now(), math.huge, {}
    for co, when in pairs(sleeping) do
      if when <= time then awake[#awake + 1] = co else next_time = math.min(next_time, when) end
    end
    for _, co in ipairs(awake) do
      if sleeping[co] then  -- another may have ended it
        sleeping[co] = nil
        resume(co)
      end
    end
    return #awake > 0 and 0 or next_time - time
  end

  local take = {
    reply = replied, request = serve, cancelled = cancelled, message = heard, done = heard, writable = heard, ["end"] = heard,
  }

  --- Does what there is to do, in weft for `budget` seconds at most (0.002 unless it is said); never blocks. Once a frame.
  --- Gives back after how many seconds there is something to do.
  function rpc.update(budget)
    local timer = weft.pump(runtime, budget or 0.002)
    for event in weft.poll, runtime do
      if take[event.type] then take[event.type](event) end
    end
    return math.min(timer, wake_sleepers())
  end

  --- Lets coroutines run, until rpc.stop was called.
  function rpc.run()
    running = true
    while running do rpc.turn(math.huge) end
  end
  function rpc.stop() running = false end

  --- Waits until there is something to do, at most for so long, and does it: for a loop of the program's own.
  function rpc.turn(seconds)
    weft.wait(runtime, math.min(seconds, due))
    due = rpc.update()
  end

  --- Ends everything.
  function rpc.close() check(2, weft.destroy(runtime)) end

  return rpc
end

return module

-- Calls and services for Lua coroutines.
--
--   local rpc = require("rpc")
--   rpc.types("dice.descriptors")                         -- protoc --include_imports --descriptor_set_out
--   rpc.peer("chat", "dice.v1.Chat", "127.0.0.1:7003")    -- "chat" is dice.v1.Chat, which is there
--   rpc.serve("dice.v1.Table", {Sit = function(request) return {seat = 1} end})
--   rpc.listen("127.0.0.1:7000")
--   rpc.run()
--
-- Inside of a handler, or of what rpc.spawn started:
--
--   local reply = rpc.call("chat.Say", {text = "hi"})     -- suspends this coroutine, and no other
--   rpc.sleep(0.5)
--   rpc.fail("NOT_FOUND", "no such table")                -- what a handler ends with
--
-- A call that fails is a Lua error with .code and .message, for pcall. Calls that a handler makes end with the call that it
-- serves, and keep its deadline. Messages are tables, by protobuf's JSON: a field that has its default value (0, "", false,
-- nothing in a list) is nil, 64-bit numbers are strings, and a list that is empty is left out.
local json = require("cjson")
local weft = require("weft_lua")

local rpc = {}
local runtime = assert(weft.create())
local services = {}  -- by handle: the handlers, by method
local offered = {}   -- handles, for rpc.listen
local waiting = {}   -- by call: the coroutine
local serving = {}   -- by coroutine: the request
local handler = {}   -- by request: the coroutine
local sleeping = {}  -- {when, coroutine}
local running = false

local failure = {}
failure.__index = failure
function failure:__tostring() return self.code .. ": " .. self.message end

local function failed(code, message) return setmetatable({code = code, message = message}, failure) end

local function check(level, ok, code, text)
  if not ok then error(failed(code, text), level + 1) end
  return ok
end

local function report(text) io.stderr:write("rpc: ", text, "\n") end

local function resume(co, ...)
  local ok, problem = coroutine.resume(co, ...)
  if not ok then report(debug.traceback(co, tostring(problem))) end
  if coroutine.status(co) == "dead" then serving[co] = nil end
end

local function here(what)
  local co, main = coroutine.running()
  if main then error(what .. " was called outside of a coroutine: use rpc.spawn", 3) end
  return co
end

--- Loads the types of messages.
function rpc.types(file) check(2, weft.types(runtime, file)) end

--- `alias` is `service`, which is at `address`.
function rpc.peer(alias, service, address)
  local peer = check(2, weft.peer(runtime, address))
  check(2, weft.route(runtime, alias, service, peer))
end

--- Handlers for the methods of `service`, by name: function(request) → reply. Those that are missing are UNIMPLEMENTED.
function rpc.serve(service, handlers)
  local handle = check(2, weft.service(runtime, service))
  services[handle] = handlers
  offered[#offered + 1] = handle
end

--- Offers what was served so far; gives back the port. Once.
function rpc.listen(address)
  local server = check(2, weft.serve(runtime, address, table.unpack(offered)))
  return check(2, weft.port(server))
end

--- Calls a method and suspends the calling coroutine until it has ended. `options.deadline`: seconds, 5 unless it is said.
function rpc.call(method, request, options)
  local co = here("rpc.call")
  local call = check(2, weft.call(runtime, method, json.encode(request or {}), options and options.deadline, serving[co]))
  waiting[call] = co
  local event = coroutine.yield()
  if event.code ~= "OK" then error(failed(event.code, event.text), 2) end
  return json.decode(event.data)
end

--- Suspends the calling coroutine. CANCELLED when it serves a call and nobody waits for that any more.
function rpc.sleep(seconds)
  local co = here("rpc.sleep")
  sleeping[#sleeping + 1] = {when = weft.now() + seconds, co = co}
  local event = coroutine.yield()
  if event then error(failed(event.code, event.text), 2) end
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
        local event = coroutine.yield()
        if event then
          for i, w in ipairs(waiters) do
            if w == co then table.remove(waiters, i) break end
          end
          error(failed(event.code, event.text), 2)
        end
      end
      return value
    end,
  }
end

--- Ends the call that is served with an error.
function rpc.fail(code, message) error(failed(code, message), 0) end

--- Runs f(...) as a coroutine of its own. An error that gets out is reported, and ends that coroutine only.
function rpc.spawn(f, ...) resume(coroutine.create(f), ...) end

local function serve(event)
  local method = event.method:match("[^/]+$")
  local handle = services[event.service][method]
  local co = coroutine.create(function()
    local ok, problem = false, failed("UNIMPLEMENTED", event.method .. " is not implemented")
    if handle then
      ok, problem = xpcall(handle, function(e)
        if getmetatable(e) == failure then return e end
        report(event.method .. ": " .. debug.traceback(tostring(e), 2))
        return failed("UNKNOWN", "the handler failed")  -- what went wrong is for the log
      end, json.decode(event.data))
    end
    handler[event.about] = nil
    if ok then
      local said, code, text = weft.reply(event.about, json.encode(problem or {}))
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

local function wake_sleepers()
  local time, next_time = weft.now(), math.huge
  local awake, asleep = {}, {}
  for _, s in ipairs(sleeping) do
    if s.when <= time then
      awake[#awake + 1] = s.co
    else
      asleep[#asleep + 1] = s
      next_time = math.min(next_time, s.when)
    end
  end
  sleeping = asleep
  for _, co in ipairs(awake) do resume(co) end
  return #awake > 0 and 0 or next_time - time
end

-- What its coroutine waits for ends with it: calls by themselves, being made on behalf of the request.
local function cancelled(event)
  local co = handler[event.about]
  handler[event.about] = nil
  if not co or coroutine.status(co) ~= "suspended" then return end
  for _, c in pairs(waiting) do
    if c == co then return end
  end
  for i, s in ipairs(sleeping) do
    if s.co == co then table.remove(sleeping, i) break end
  end
  resume(co, event)
end

--- Lets coroutines run, until rpc.stop was called.
function rpc.run()
  running = true
  while running do
    local event = weft.poll(runtime)
    if not event then
      weft.wait(runtime, wake_sleepers())
    elseif event.type == "reply" then
      local co = waiting[event.about]
      waiting[event.about] = nil
      if co then resume(co, event) end
    elseif event.type == "request" then
      serve(event)
    else
      cancelled(event)
    end
  end
end
function rpc.stop() running = false end

--- Ends everything.
function rpc.close() check(2, weft.destroy(runtime)) end

return rpc

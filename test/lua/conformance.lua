-- What a call promises, asked of samples/lua/rpc.lua in whatever loop: the cases of test/rpc/conformance.test.cpp by their names, a
-- service written in Lua at the other end, in this program, over a socket and over a session; and what streams promise.
--
--   require("conformance").run{
--     file = ".../conformance.test.cpp", descriptors = ".../echo.descriptors",
--     new = function() return require("rpc").new() end,
--     turn = function(rpc) rpc.turn(1) end,   -- once around the loop
--   }
--
-- Every name of the file has to have its case here: whoever adds one there adds it here. Gives back the number that ran; prints each.
local suite = {}

local ways = {"local", "unary", "session"}

local function equal(a, b)
  if a ~= b then error(("%s is not %s"):format(tostring(a), tostring(b)), 2) end
end
local function fails(code, f, ...)
  local ok, problem = pcall(f, ...)
  if ok then error("it did not fail with " .. code, 2) end
  if type(problem) ~= "table" then error(problem, 0) end
  if problem.code ~= code then error(tostring(problem) .. " is not " .. code, 2) end
  return problem
end

-- The service of echo.proto, as test/support/echo_service.hpp is in C++.
local function echo_service(rpc, seen)
  local echo = {}
  local function pause(request)
    local us = tonumber(request.delayUs or 0)
    if us == 0 then return end
    local ok, problem = pcall(rpc.sleep, us * 1e-6)
    if ok then return end
    seen.stopped = seen.stopped + 1
    error(problem, 0)
  end
  function echo.Say(request, call)
    seen.begun = seen.begun + 1
    seen.texts[#seen.texts + 1] = request.text
    local left = call.time_left
    pause(request)
    return {text = request.text, payload = request.payload, leftUs = left and ("%d"):format(math.floor(left * 1e6))}
  end
  function echo.Fail(request) rpc.fail(seen.codes[request.code], request.message) end
  function echo.Throw(request) error(request.text) end
  function echo.Repeat(stream)
    local request = stream:read()
    for _ = 1, request.times do
      pause(request)
      stream:write({text = request.text})
    end
  end
  function echo.Join(stream)
    local texts = {}
    for request in stream.read, stream do
      if request.text == "fail" then rpc.fail("ABORTED", "as asked") end
      texts[#texts + 1] = request.text
    end
    return {text = table.concat(texts, " ")}
  end
  function echo.Talk(stream)
    local ok, problem = pcall(function()
      for request in stream.read, stream do
        if request.text == "fail" then rpc.fail("ABORTED", "as asked") end
        stream:write({text = request.text})
        if request.text == "bye" then return end
      end
    end)
    if ok then return end
    if problem.code == "CANCELLED" then seen.stopped = seen.stopped + 1 end
    error(problem, 0)
  end
  return echo
end

local codes = {
  "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS",
  "UNAUTHENTICATED",
}

local cases = {}

cases["a call yields the reply and resumes on the caller's strand"] = function(rpc)
  local before = coroutine.running()
  equal(rpc.call("echo.Say", {text = "hello", delayUs = 1000}).text, "hello")
  equal(coroutine.running(), before)
end

cases["an lvalue request is left as it was"] = function(rpc)
  local request = {text = ("x"):rep(100000)}
  for _ = 1, 3 do equal(#rpc.call("echo.Say", request).text, 100000) end
  equal(#request.text, 100000)
end

cases["the handler's error arrives with its code and message"] = function(rpc)
  for number, code in ipairs(codes) do
    local problem = fails(code, rpc.call, "echo.Fail", {code = number, message = "no. " .. number})
    equal(problem.message, "no. " .. number)
  end
end

cases["an exception arrives as UNKNOWN without its text"] = function(rpc)
  equal(fails("UNKNOWN", rpc.call, "echo.Throw", {text = "secret"}).message, "the handler failed")
end

cases["a method that is not overridden answers UNIMPLEMENTED"] = function(rpc)
  fails("UNIMPLEMENTED", rpc.call, "echo.Missing", {})
end

local function until_stopped(rpc, seen, wanted)
  while seen.stopped < wanted do rpc.sleep(0.001) end
end

cases["at the deadline the caller gets DEADLINE_EXCEEDED and the handler is stopped"] = function(rpc, seen)
  rpc.call("echo.Say", {text = "connects"})
  local problem = fails("DEADLINE_EXCEEDED", rpc.call, "echo.Say", {text = "slow", delayUs = 3600000000}, {deadline = 0.15})
  equal(problem.message, "/test.v1.Echo/Say took too long")
  until_stopped(rpc, seen, 1)
  equal(seen.begun, 2)
end

-- A millisecond is the shortest that the interface has: the loop is away for longer, before it looks for the first time.
local function start_late(rpc, count)
  local calls = {}
  for i = 1, count do calls[i] = rpc.start("echo.Say", {text = "late"}, {deadline = 0.001}) end
  local from = os.clock()
  while os.clock() - from < 0.02 do end
  return calls
end

cases["a deadline in the past completes once, with DEADLINE_EXCEEDED, and the method does not run"] = function(rpc, seen)
  for _, call in ipairs(start_late(rpc, 100)) do fails("DEADLINE_EXCEEDED", call.wait, call) end
  equal(seen.begun, 0)
end

cases["a stopped caller is released with CANCELLED and its handler is stopped"] = function(rpc, seen)
  local call = rpc.start("echo.Say", {text = "slow", delayUs = 3600000000})
  while seen.begun == 0 do rpc.sleep(0.001) end
  call:cancel()
  fails("CANCELLED", call.wait, call)
  until_stopped(rpc, seen, 1)
end

cases["the caller's deadline reaches the handler"] = function(rpc)
  local left = tonumber(rpc.call("echo.Say", {}, {deadline = 0.7}).leftUs)
  assert(left > 0 and left <= 710000, left)
end

cases["without a limit of its own a call has the default deadline"] = function(rpc)
  local left = tonumber(rpc.call("echo.Say", {}).leftUs)
  assert(left > 3000000 and left <= 5100000, left)
end

cases["a full service answers RESOURCE_EXHAUSTED and finishes what it took"] = function(rpc)
  local calls, good, refused = {}, 0, 0
  for i = 1, 20 do calls[i] = rpc.start("echo.Say", {text = "x", delayUs = 20000}) end
  for _, call in ipairs(calls) do
    local ok, problem = pcall(call.wait, call)
    if ok then good = good + 1 elseif problem.code == "RESOURCE_EXHAUSTED" then refused = refused + 1 end
  end
  assert(good >= 3 and good < 20, good)
  equal(good + refused, 20)
end

cases["a stopped service answers UNAVAILABLE"] = function(rpc)
  rpc.retire()
  fails("UNAVAILABLE", rpc.call, "echo.Say", {}, {deadline = 20})
end

cases["a call that has ended says whether the method may have run"] = function(rpc, _, way)
  rpc.call("echo.Say", {text = "hi"})
  equal(fails("NOT_FOUND", rpc.call, "echo.Fail", {code = 5}).may_have_run, true)
  equal(fails("DEADLINE_EXCEEDED", rpc.call, "echo.Say", {delayUs = 3600000000}, {deadline = 0.15}).may_have_run, true)
  equal(fails("FAILED_PRECONDITION", rpc.call, "echo.Sing", {}).may_have_run, false)
  local late = start_late(rpc, 1)[1]
  equal(fails("DEADLINE_EXCEEDED", late.wait, late).may_have_run, false)
  rpc.retire()
  local problem = fails("UNAVAILABLE", rpc.call, "echo.Say", {text = "hi"}, {deadline = 20})
  -- Of a socket that has just been closed nobody knows.
  if way == "local" then equal(problem.may_have_run, false) end
end

cases["a one-way call arrives"] = function(rpc, seen)
  rpc.send("echo.Say", {text = "hey"})
  while seen.begun == 0 do rpc.sleep(0.001) end
end

cases["the three forms of a call overlap as they promise: awaited, started and awaited later, one way"] = function(rpc, seen)
  rpc.call("echo.Say", {text = "connects"})
  local later = rpc.start("echo.Say", {text = "later", delayUs = 200000})
  rpc.send("echo.Say", {text = "one way"})
  equal(rpc.call("echo.Say", {text = "now"}).text, "now")
  equal(later:done(), false)
  equal(later:wait().text, "later")
  equal(seen.begun, 4)
end

cases["a thousand calls at once all complete, each with its own reply"] = function(rpc)
  local calls, right = {}, 0
  for i = 1, 1000 do calls[i] = rpc.start("echo.Say", {text = tostring(i)}) end
  for i, call in ipairs(calls) do
    if call:wait().text == tostring(i) then right = right + 1 end
  end
  equal(right, 1000)
end

-- Beyond that file: what it has elsewhere (stream.test.cpp, session.test.cpp).
local more = {}

more["streams of each kind carry their messages in order, and end as their handlers do"] = function(rpc)
  local stream = rpc.stream("echo.Repeat")
  stream:write({text = "again", times = 40})  -- more than may wait to be polled
  stream:close()
  local count = 0
  for reply in stream.read, stream do
    equal(reply.text, "again")
    count = count + 1
  end
  equal(count, 40)

  stream = rpc.stream("echo.Join")
  for i = 1, 200 do stream:write({text = tostring(i)}) end  -- more than may wait to be sent
  stream:close()
  local joined = stream:read().text
  equal(joined:sub(1, 8) .. joined:sub(-8), "1 2 3 4 " .. " 199 200")
  equal(stream:read(), nil)

  stream = rpc.stream("echo.Talk")
  for i = 1, 5 do
    stream:write({text = tostring(i)})
    equal(stream:read().text, tostring(i))
  end
  stream:write({text = "fail"})
  equal(fails("ABORTED", stream.read, stream).message, "as asked")
end

more["a stream that is cancelled, or whose time is over, ends so on both sides"] = function(rpc, seen)
  local stream = rpc.stream("echo.Talk")
  stream:write({text = "hi"})
  equal(stream:read().text, "hi")
  stream:cancel()
  fails("CANCELLED", stream.read, stream)
  until_stopped(rpc, seen, 1)
  stream = rpc.stream("echo.Talk", {deadline = 0.3})
  stream:write({text = "hi"})
  equal(stream:read().text, "hi")
  fails("DEADLINE_EXCEEDED", stream.read, stream)
  until_stopped(rpc, seen, 2)
end

more["a call that a handler makes ends with the call that it serves, and has its deadline"] = function(rpc, seen)
  seen.handlers.Say = function(request, call)
    if request.text == "inner" then
      seen.left = call.time_left
      seen.begun = seen.begun + 1
      pcall(rpc.sleep, 3600)
      seen.stopped = seen.stopped + 1
      return {}
    end
    return rpc.call("echo.Say", {text = "inner"}, {deadline = 60})
  end
  local outer = rpc.start("echo.Say", {text = "outer"}, {deadline = 10})
  while seen.begun == 0 do rpc.sleep(0.001) end
  assert(seen.left <= 11, seen.left)  -- gRPC rounds what it puts on the wire up
  outer:cancel()
  fails("CANCELLED", outer.wait, outer)
  until_stopped(rpc, seen, 1)
end

more["over a session calls of one key arrive in the order in which they were made"] = function(rpc, seen, way)
  if way ~= "session" then return end
  local calls = {}
  for i = 1, 200 do
    calls[i] = rpc.start("echo.Say", {text = tostring(i), delayUs = i % 3 == 0 and 5000 or 0}, {key = 7})
  end
  for _, call in ipairs(calls) do call:wait() end
  for i = 1, 200 do equal(seen.texts[i], tostring(i)) end
end

--- The names of a file's test cases, in order.
function suite.names_of(file)
  local names = {}
  for line in io.lines(file) do
    local name = line:match('^  TEST_CASE%("(.*)"%) {$')
    if name then names[#names + 1] = name end
  end
  return names
end

local function bound(setting, name, way)
  local rpc = setting.new()
  rpc.types(setting.descriptors)
  local seen = {begun = 0, stopped = 0, texts = {}, codes = codes}
  seen.handlers = echo_service(rpc, seen)
  local small = name:find("^a full service") ~= nil
  rpc.serve("test.v1.Echo", seen.handlers, small and {exclusive = true, waiting = 3} or nil)
  if way == "local" then
    rpc.own("echo", "test.v1.Echo")
  else
    local port = rpc.listen("127.0.0.1:0")
    rpc.peer("echo", "test.v1.Echo", "127.0.0.1:" .. port, {session = way == "session"})
  end
  return rpc, seen
end

local function run_case(setting, name, way, case)
  local rpc, seen = bound(setting, name, way)
  local ended, ok, problem = false, nil, nil
  rpc.spawn(function()
    ok, problem = xpcall(case, function(e) return type(e) == "table" and e or debug.traceback(e) end, rpc, seen, way)
    ended = true
  end)
  local late = os.time() + 60
  while not ended and os.time() < late do setting.turn(rpc) end
  rpc.close()
  if not ended then return false, "it did not end within 60 s" end
  return ok, problem
end

function suite.run(setting)
  local names, failures, ran = suite.names_of(setting.file), 0, 0
  assert(#names >= 16, "no test cases in " .. setting.file)
  local all, known = {}, {}
  for _, name in ipairs(names) do
    known[name] = true
    all[#all + 1] = {name = name, case = cases[name]}
  end
  for name in pairs(cases) do
    if not known[name] then error("\"" .. name .. "\" is no case of " .. setting.file .. " any more") end
  end
  for name, case in pairs(more) do all[#all + 1] = {name = name, case = case} end
  if setting.only then all = {{name = setting.only, case = cases[setting.only] or more[setting.only]}} end
  for _, one in ipairs(all) do
    for _, way in ipairs(ways) do
      local ok, problem = false, "there is no such case in conformance.lua"
      if one.case then ok, problem = run_case(setting, one.name, way, one.case) end
      ran = ran + 1
      print((ok and "ok      " or "FAILED  ") .. one.name .. " [" .. way .. "]" .. (ok and "" or "\n" .. tostring(problem)))
      if not ok then failures = failures + 1 end
    end
  end
  print(("%d of %d cases passed, in %d ways: %d of them conformance.test.cpp's"):format(ran - failures, #all * #ways, #ways, #names))
  return failures == 0 and ran == #all * #ways
end

return suite

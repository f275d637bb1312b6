-- lua5.4 lua_test.lua DESCRIPTORS: what README.md promises, over loopback, in one process.
local descriptors = ...
local rpc = require("rpc").new()

rpc.types(descriptors)
local said = {}
local saying = 0
rpc.serve("dice.v1.Table", require("game")(rpc))
rpc.serve("dice.v1.Chat", {
  Say = function(request)
    local text = request.text
    if text == "quick" then return {line = 1} end
    if text == "no" then rpc.fail("PERMISSION_DENIED", "hush") end
    if text == "bug" then error("a secret") end
    if text == "wrong" then return {lines = 1} end
    saying = saying + 1
    if text == "slowly" then rpc.sleep(60) end
    rpc.sleep(0.05)
    said[#said + 1] = text
    return {line = #said}
  end,
})
local port = rpc.listen("127.0.0.1:0")
rpc.peer("chat", "dice.v1.Chat", "127.0.0.1:" .. port)
rpc.peer("table", "dice.v1.Table", "127.0.0.1:" .. port)

local function equal(a, b)
  if a ~= b then error(("%s is not %s"):format(a, b), 2) end
end
local function fails(code, message, method, request, options)
  local ok, problem = pcall(rpc.call, method, request, options)
  equal(ok, false)
  equal(problem.code, code)
  if not problem.message:find(message, 1, true) then error(problem.message .. " does not have " .. message, 2) end
  if not tostring(problem):find(code .. ": ", 1, true) then error(tostring(problem), 2) end
end

local tests = {}

function tests.a_call_suspends_only_its_coroutine()
  local order = {}
  rpc.spawn(function()
    rpc.call("chat.Say", {text = "slow"})
    order[#order + 1] = "slow"
  end)
  rpc.call("chat.Say", {text = "quick"})
  order[#order + 1] = "quick"
  repeat rpc.sleep(0.01) until #order == 2
  equal(table.concat(order, " "), "quick slow")
end

function tests.errors_are_lua_errors_with_code_and_message()
  fails("PERMISSION_DENIED", "hush", "chat.Say", {text = "no"})
  fails("INVALID_ARGUMENT", "txt", "chat.Say", {txt = "no"})
  fails("NOT_FOUND", "no route for dice.v1.Nothing", "dice.v1.Nothing/Say", {})
  fails("FAILED_PRECONDITION", "types of dice.v1.Chat/Sing", "chat.Sing", {})
end

function tests.a_bug_in_a_handler_ends_that_call_and_its_text_stays_here()
  fails("UNKNOWN", "the handler failed", "chat.Say", {text = "bug"})
  fails("INTERNAL", "the handler's reply is none", "chat.Say", {text = "wrong"})
  equal(rpc.call("chat.Say", {text = "quick"}).line, 1)
end

function tests.a_deadline_ends_the_call_and_the_handler()
  local before = saying
  fails("DEADLINE_EXCEEDED", "", "chat.Say", {text = "slowly"}, {deadline = 0.05})
  equal(saying, before + 1)
end

function tests.two_players_play()
  said = {}
  equal(rpc.call("table.Sit", {name = "ann"}).seat, 1)
  fails("ALREADY_EXISTS", "ann", "table.Sit", {name = "ann"})
  equal(rpc.call("table.Sit", {name = "bob"}).seat, 2)
  fails("RESOURCE_EXHAUSTED", "taken", "table.Sit", {name = "cid"})
  fails("NOT_FOUND", "cid", "table.Roll", {name = "cid"})
  local results = {}
  for _, name in ipairs({"ann", "bob"}) do
    rpc.spawn(function() results[name] = rpc.call("table.Roll", {name = name}) end)
  end
  repeat rpc.sleep(0.01) until results.ann and results.bob
  equal(results.ann.rolled, results.bob.other)
  equal(results.ann.other, results.bob.rolled)
  equal(results.ann.winner, results.bob.winner)
  fails("FAILED_PRECONDITION", "has rolled", "table.Roll", {name = "ann"})
  repeat rpc.sleep(0.01) until #said == 3
  assert(said[3]:find("win"), said[3])
end

local failures, count = 0, 0
rpc.spawn(function()
  for name, test in pairs(tests) do
    count = count + 1
    local ok, problem = xpcall(test, debug.traceback)
    print((ok and "ok      " or "FAILED  ") .. name:gsub("_", " ") .. (ok and "" or "\n" .. tostring(problem)))
    if not ok then failures = failures + 1 end
  end
  rpc.stop()
end)
rpc.run()
rpc.close()
os.exit(failures == 0 and count == 5)

-- The table of table.proto: two players roll, the higher wins. Plain functions with state that they share; a handler is a
-- coroutine, so that a chat server which is slow, or not there, holds up the one who speaks and nobody else.
return function(rpc)
  local seats = {}   -- names
  local rolled = {}  -- by name
  local both = rpc.event()

  -- In a coroutine of its own: nobody waits for chat.
  local function tell(text)
    rpc.spawn(function()
      local ok, problem = pcall(rpc.call, "chat.Say", {text = text}, {deadline = 1})
      if not ok then io.stderr:write("game: chat: ", tostring(problem), "\n") end
    end)
  end

  local function other(name) return seats[1] == name and seats[2] or seats[1] end

  local handlers = {}

  function handlers.Sit(request)
    for _, name in ipairs(seats) do
      if name == request.name then rpc.fail("ALREADY_EXISTS", name .. " sits here already") end
    end
    if #seats == 2 then rpc.fail("RESOURCE_EXHAUSTED", "both seats are taken") end
    seats[#seats + 1] = request.name
    tell(request.name .. " sits down")
    return {seat = #seats}
  end

  function handlers.Roll(request)
    local name = request.name
    if seats[1] ~= name and seats[2] ~= name then rpc.fail("NOT_FOUND", tostring(name) .. " does not sit here") end
    if rolled[name] then rpc.fail("FAILED_PRECONDITION", name .. " has rolled") end
    rolled[name] = math.random(6)
    if seats[2] and rolled[other(name)] then both.set() end
    both.wait()
    local mine, theirs = rolled[name], rolled[other(name)]
    local winner = mine > theirs and name or theirs > mine and other(name) or ""
    if name == seats[1] then tell(winner == "" and "nobody wins" or winner .. " wins") end
    return {rolled = mine, other = theirs, winner = winner}
  end

  return handlers
end

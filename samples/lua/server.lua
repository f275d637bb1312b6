-- lua5.4 server.lua DESCRIPTORS LISTEN CHAT: serves the dice table at LISTEN, with a chat at CHAT; "local": one of its own.
local descriptors, listen, chat_at = ...
if not chat_at then
  io.stderr:write("usage: lua5.4 server.lua DESCRIPTORS LISTEN CHAT|local   (127.0.0.1:7000, say)\n")
  os.exit(descriptors == "--help" and 0 or 2)
end
local rpc = require("rpc").new()

rpc.types(descriptors)
rpc.serve("dice.v1.Table", require("game")(rpc))
if chat_at == "local" then
  local lines = 0
  rpc.serve("dice.v1.Chat", {
    Say = function(request)
      rpc.sleep(0.2)  -- a slow one
      lines = lines + 1
      print(request.text)
      return {line = lines}
    end,
  })
end
local port = rpc.listen(listen)
rpc.peer("chat", "dice.v1.Chat", chat_at == "local" and "127.0.0.1:" .. port or chat_at)
print("serving on port " .. port)
io.stdout:flush()
rpc.run()

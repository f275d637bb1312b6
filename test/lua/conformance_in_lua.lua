-- lua5.4 conformance_in_lua.lua CONFORMANCE_TEST_CPP DESCRIPTORS: the suite in a loop of Lua's that pumps and waits.
local file, descriptors = ...
if not descriptors then
  io.stderr:write("usage: conformance_in_lua.lua CONFORMANCE_TEST_CPP DESCRIPTORS\n")
  os.exit(file == "--help" and 0 or 2)
end
io.stdout:setvbuf("line")
local rpc = require("rpc")
os.exit(require("conformance").run({
  file = file, descriptors = descriptors, new = rpc.new, turn = function(r) r.turn(1) end,
}))

-- love test/lua/love ROOT LIBRARY CONFORMANCE_TEST_CPP DESCRIPTORS: the suite in LÖVE's frames. ROOT is the project's folder.
local running, now_in, failed

function love.load(all)
  local root, library, file, descriptors = all[1], all[2], all[3], all[4]
  if not descriptors then
    io.stderr:write("usage: love test/lua/love ROOT LIBRARY CONFORMANCE_TEST_CPP DESCRIPTORS\n")
    return love.event.quit(2)
  end
  for _, folder in ipairs({"rpc/c", "samples/lua", "samples/love", "test/lua"}) do
    package.path = root .. "/" .. folder .. "/?.lua;" .. package.path
  end
  local C = require("weft_luajit").load(library, root .. "/rpc/c/weft.h")
  local rpc, weft = require("rpc"), require("weft_ffi").new(C)
  io.stdout:setvbuf("line")
  running = coroutine.create(function()
    return require("conformance").run({
      file = file, descriptors = descriptors, new = function() return rpc.new(weft) end, turn = coroutine.yield,
    })
  end)
end

-- The suite goes on once in each frame; the runtime that it waits for gets its 2 ms.
function love.update()
  if not running then return end
  if now_in then now_in.update(0.002) end
  local ok, given = coroutine.resume(running, now_in)
  if not ok then io.stderr:write(debug.traceback(running, tostring(given)), "\n") end
  now_in = ok and coroutine.status(running) == "suspended" and given or nil
  if not now_in then
    failed = not ok or not given
    running = nil
    love.event.quit(failed and 1 or 0)
  end
end

function love.draw() love.graphics.print("the conformance suite, a pump of 2 ms a frame", 20, 50) end

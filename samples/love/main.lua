-- A card table: love samples/love --address 127.0.0.1:7000 --name ann [--seats 3] --library libweft.so --sources FOLDER
-- --descriptors link.descriptors. FOLDER has weft.h and weft_luajit.lua. See README.md.
local client, view, me, hands, settings
local typed = ""
local over_for, shot, report = 0, nil, {overflows = {}, frames = 0}

local function arguments(all)
  local given = {address = "127.0.0.1:7000", name = "you", seats = "3", games = "0", connections = "1", think = "0.4"}
  local i = 1
  while i <= #all do
    local name = all[i]:match("^%-%-(.+)$")
    if name == "robot" then
      given.robot = true
      i = i + 1
    elseif name and all[i + 1] then
      given[name] = all[i + 1]
      i = i + 2
    else
      io.stderr:write("love: what is \"" .. all[i] .. "\"?\n")
      os.exit(2)
    end
  end
  return given
end

function love.load(all)
  settings = arguments(all)
  for _, needed in ipairs({"library", "sources", "descriptors"}) do
    if not settings[needed] then
      io.stderr:write("love: --" .. needed .. " is missing\n")
      os.exit(2)
    end
  end
  package.path = settings.sources .. "/?.lua;" .. package.path
  local C = require("weft_luajit").load(settings.library, settings.sources .. "/weft.h")
  client, view = require("client"), require("view")
  view.load()
  love.keyboard.setKeyRepeat(true)
  me = client.new(C, {address = settings.address, name = settings.name, seats = tonumber(settings.seats), descriptors = settings.descriptors})
  if settings.robot then hands = require("robot_hands").new(me, tonumber(settings.think)) end
end

local function say()
  if typed ~= "" then me:say(typed) end
  typed = ""
end

function love.textinput(text)
  if #typed < 400 then typed = typed .. text end
end

function love.keypressed(key)
  if key == "return" then
    say()
  elseif key == "backspace" then
    local at = require("utf8").offset(typed, -1)
    if at then typed = typed:sub(1, at - 1) end
  elseif key == "escape" then
    love.event.quit()
  elseif typed == "" and me:my_turn() and (key == "d" or key == "p") then
    love.keyboard.setTextInput(false)  -- that was no letter of a line
    if key == "d" and me.may_draw then me:draw() elseif key == "p" and me.may_pass then me:pass() end
    love.keyboard.setTextInput(true)
  end
end

function love.mousepressed(x, y)
  local hit = view.at(x, y, {hand = true, stock = true, choose = true})
  if not hit or not me:my_turn() then return end
  if hit.kind == "hand" and me:fits(hit.card) then me:play(hit.card)
  elseif hit.kind == "stock" and me.may_draw then me:draw()
  elseif hit.kind == "choose" then me:choose(hit.suit) end
end

local function write(file, bytes)
  local out = assert(io.open(file, "wb"))
  out:write(bytes)
  out:close()
end

-- For the test: how it went, and what was drawn where when the screenshot was taken.
local function finish()
  report.games, report.wins, report.moves, report.said = me.games, me.wins, hands.moves, hands.said
  report.moves_while_typing, report.worst_pump_ms, report.problem = hands.typed_moves, me.worst_pump_ms, me.problem
  report.connections = me.connections
  if settings.report then write(settings.report, require("cjson").encode(report)) end
  love.event.quit(me.problem and 1 or 0)
end

function love.update(dt)
  me:update(love.timer.getTime)
  if hands then
    hands:update(dt, function(letter)
      if letter == "return" then love.keypressed("return") else love.textinput(letter) end
    end)
  end
  over_for = me.state == "over" and over_for + dt or 0
  if over_for > (hands and 0.5 or 4) then
    if hands and me.games >= tonumber(settings.games) and me.connections >= tonumber(settings.connections) and (shot or not settings.screenshot) then return finish() end
    me:leave()
  end
  if hands and me.state == "gone" then finish() end
end

-- A moment that has all in it.
local function worth_a_shot()
  return settings.screenshot and not shot and me.state == "playing" and #me.hand >= 4 and #me.lines >= 4 and #typed > 8 and me:my_turn() and me.sure
    and #me.names > 0 and me.games >= 1
end

function love.draw()
  local x, y = love.mouse.getPosition()
  view.draw(me, typed, x, y)
  report.frames = report.frames + 1
  if hands then
    for _, text in ipairs(view.overflows()) do
      if #report.overflows < 20 then report.overflows[#report.overflows + 1] = text end
    end
  end
  if worth_a_shot() then
    shot = true
    report.drawn = view.drawn
    report.hand = me.hand
    love.graphics.captureScreenshot(function(image) write(settings.screenshot, image:encode("png"):getString()) end)
  end
end

function love.quit()
  if me then me:close() end
end

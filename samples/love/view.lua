-- Draws the table. Every piece of text is measured, and cut with an ellipsis where it is too long; what was drawn where stands in
-- `view.drawn` after each frame, for the mouse and for the test: {kind, x, y, w, h, text, text_w}.
local view = {drawn = {}}

local ranks = {"A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K"}
local card_w, card_h, chat_w, pad = 84, 118, 272, 16

local colour = {
  felt = {0.07, 0.30, 0.22}, felt_edge = {0.04, 0.18, 0.14}, rail = {0.20, 0.12, 0.08}, rail_light = {0.33, 0.21, 0.13},
  paper = {0.98, 0.97, 0.93}, ink = {0.12, 0.13, 0.16}, red = {0.80, 0.16, 0.18}, gold = {0.95, 0.77, 0.36},
  back = {0.20, 0.30, 0.52}, back_light = {0.33, 0.45, 0.70}, panel = {0.09, 0.10, 0.13}, panel_light = {0.14, 0.15, 0.19},
  text = {0.92, 0.93, 0.95}, faint = {0.62, 0.66, 0.70}, shadow = {0, 0, 0, 0.28},
}
local people = {{0.90, 0.55, 0.35}, {0.45, 0.70, 0.90}, {0.75, 0.60, 0.90}, {0.55, 0.80, 0.55}}

local font = {}
local felt  -- a mesh, lighter in the middle

function view.load()
  font.small = love.graphics.newFont(13)
  font.text = love.graphics.newFont(15)
  font.large = love.graphics.newFont(22)
  font.rank = love.graphics.newFont(24)
  font.huge = love.graphics.newFont(34)
end

local function set(c, alpha) love.graphics.setColor(c[1], c[2], c[3], alpha or c[4] or 1) end

local function note(kind, x, y, w, h, more)
  local item = more or {}
  item.kind, item.x, item.y, item.w, item.h = kind, x, y, w, h
  view.drawn[#view.drawn + 1] = item
  return item
end

-- One line in a box of its own height, cut to its width.
local function label(kind, text, f, c, x, y, w, align)
  local shown = text
  if f:getWidth(shown) > w then
    local utf8 = require("utf8")
    local length = utf8.len(shown) or 0
    while length > 0 and f:getWidth(shown .. "…") > w do
      length = length - 1
      shown = text:sub(1, (utf8.offset(text, length + 1) or 1) - 1)
    end
    shown = shown .. "…"
  end
  local width = f:getWidth(shown)
  local left = align == "center" and x + (w - width) / 2 or align == "right" and x + w - width or x
  love.graphics.setFont(f)
  set(c)
  love.graphics.print(shown, math.floor(left + 0.5), math.floor(y + 0.5))
  note(kind, x, y, w, f:getHeight(), {text = shown, text_w = width, text_x = left})
end

local function suit(s, x, y, size)
  local g, r = love.graphics, size / 2
  set((s == 1 or s == 2) and colour.red or colour.ink)
  if s == 1 then
    g.polygon("fill", x, y - r, x + r * 0.75, y, x, y + r, x - r * 0.75, y)
  elseif s == 2 then
    g.circle("fill", x - r * 0.45, y - r * 0.30, r * 0.50)
    g.circle("fill", x + r * 0.45, y - r * 0.30, r * 0.50)
    g.polygon("fill", x - r * 0.90, y - r * 0.07, x + r * 0.90, y - r * 0.07, x, y + r)
  elseif s == 3 then
    g.circle("fill", x - r * 0.45, y + r * 0.22, r * 0.48)
    g.circle("fill", x + r * 0.45, y + r * 0.22, r * 0.48)
    g.polygon("fill", x - r * 0.87, y + r * 0.02, x + r * 0.87, y + r * 0.02, x, y - r)
    g.polygon("fill", x, y + r * 0.1, x + r * 0.35, y + r, x - r * 0.35, y + r)
  else
    g.circle("fill", x, y - r * 0.50, r * 0.44)
    g.circle("fill", x - r * 0.50, y + r * 0.18, r * 0.44)
    g.circle("fill", x + r * 0.50, y + r * 0.18, r * 0.44)
    g.polygon("fill", x, y - r * 0.2, x + r * 0.35, y + r, x - r * 0.35, y + r)
  end
end

local function card_shape(x, y, w, h)
  set(colour.shadow)
  love.graphics.rectangle("fill", x + 2, y + 4, w, h, 8, 8)
  set(colour.paper)
  love.graphics.rectangle("fill", x, y, w, h, 8, 8)
end

local function card(kind, code, x, y, raised, dimmed)
  local s, rank = math.floor(code / 13), ranks[code % 13 + 1]
  if raised then
    set(colour.gold, 0.9)
    love.graphics.rectangle("fill", x - 3, y - 3, card_w + 6, card_h + 6, 10, 10)
  end
  card_shape(x, y, card_w, card_h)
  note(kind, x, y, card_w, card_h, {card = code})
  local ink = (s == 1 or s == 2) and colour.red or colour.ink
  label("rank", rank, font.rank, ink, x + 6, y + 4, 32)
  suit(s, x + 16, y + 44, 18)
  suit(s, x + card_w * 0.60, y + card_h * 0.62, 42)
  if dimmed then
    set({0.05, 0.10, 0.09}, 0.14)
    love.graphics.rectangle("fill", x, y, card_w, card_h, 8, 8)
  end
end

local function back(x, y, w, h)
  card_shape(x, y, w, h)
  set(colour.back)
  love.graphics.rectangle("fill", x + 3, y + 3, w - 6, h - 6, 6, 6)
  set(colour.back_light, 0.6)
  love.graphics.setLineWidth(1.5)
  for i = 1, 3 do
    local inset = 3 + i * w / 9
    love.graphics.rectangle("line", x + inset, y + inset, w - 2 * inset, h - 2 * inset, 4, 4)
  end
end

local function background(w, h)
  if not felt then
    local middle, edge, vertices = colour.felt, colour.felt_edge, {}
    vertices[1] = {0, 0, 0, 0, middle[1] * 1.25, middle[2] * 1.25, middle[3] * 1.25, 1}
    for i = 0, 48 do
      local a = i / 48 * math.pi * 2
      vertices[#vertices + 1] = {math.cos(a), math.sin(a), 0, 0, edge[1], edge[2], edge[3], 1}
    end
    felt = love.graphics.newMesh(vertices, "fan", "static")
  end
  set(colour.rail)
  love.graphics.rectangle("fill", 0, 0, w, h)
  set(colour.rail_light)
  love.graphics.rectangle("fill", 8, 8, w - 16, h - 16, 26, 26)
  love.graphics.stencil(function() love.graphics.rectangle("fill", 16, 16, w - 32, h - 32, 20, 20) end, "replace", 1)
  love.graphics.setStencilTest("greater", 0)
  love.graphics.setColor(1, 1, 1)
  love.graphics.draw(felt, w / 2, h / 2, 0, w * 0.75, h * 0.80)
  love.graphics.setStencilTest()
end

local function player_name(client, seat) return client.names[seat + 1] or "seat " .. seat + 1 end

local function opponents(client, w)
  local v, others = client.view, {}
  for seat = 0, #v.held - 1 do
    if seat ~= client.seat then others[#others + 1] = seat end
  end
  local each = (w - 4 * pad) / math.max(1, #others)
  for i, seat in ipairs(others) do
    local x, y = 2 * pad + (i - 1) * each, 34
    local held, turn = v.held[seat + 1], v.turn == seat and not v.over
    local middle = x + each / 2
    local shown = math.min(held, 9)
    local step = math.min(20, (each - 150) / math.max(1, shown))
    local left = middle - 20
    for k = 1, shown do back(left + (k - 1) * step, y, 46, 64) end
    local face = people[seat % #people + 1]
    if turn then
      set(colour.gold)
      love.graphics.circle("fill", left - 40, y + 32, 30)
    end
    set(face)
    love.graphics.circle("fill", left - 40, y + 32, 26)
    local name = player_name(client, seat)
    label("initial", name:sub(1, 1):upper(), font.large, colour.ink, left - 66, y + 20, 52, "center")
    label("opponent", name .. (held == 0 and ", gone" or ", " .. held .. (held == 1 and " card" or " cards")), font.text,
      turn and colour.gold or colour.text, x, y + 76, each, "center")
  end
end

local suit_names = {"clubs", "diamonds", "hearts", "spades"}

local function pile(client, w, h)
  local v = client.view
  local x, y = w / 2 + 6, h / 2 - card_h / 2 - 14
  local stock_x = w / 2 - card_w - 26
  local drawable = client:my_turn() and client.may_draw and not v.choosing
  if drawable then
    set(colour.gold, 0.9)
    love.graphics.rectangle("fill", stock_x - 4, y - 8, card_w + 12, card_h + 12, 11, 11)
  end
  for i = 2, 0, -1 do back(stock_x + i * 2, y - i * 2, card_w, card_h) end
  note("stock", stock_x, y, card_w, card_h)
  set(colour.shadow)
  love.graphics.rectangle("fill", x - 8, y - 8, card_w + 16, card_h + 16, 12, 12)
  card("pile", v.top, x, y)
  set(colour.paper, 0.94)
  love.graphics.circle("fill", x + card_w + 42, y + card_h / 2 - 10, 22)
  suit(v.match, x + card_w + 42, y + card_h / 2 - 10, 24)
  label("match", suit_names[v.match + 1], font.small, colour.text, x + card_w + 4, y + card_h / 2 + 18, 76, "center")
  label("stock label", drawable and "draw (D)" or "stock", font.small, drawable and colour.gold or colour.faint, stock_x - 10,
    y + card_h + 8, card_w + 20, "center")
end

local function hand(client, w, h, mouse_x, mouse_y)
  local count = #client.hand
  if count == 0 then return end
  local room = w - 4 * pad
  local step = math.min(card_w + 8, (room - card_w) / math.max(1, count - 1))
  local left = (w - (step * (count - 1) + card_w)) / 2
  local y = h - card_h - 40
  for i, code in ipairs(client.hand) do
    local x, fits = left + (i - 1) * step, client:fits(code)
    local hover = mouse_x >= x and mouse_x < x + step and mouse_y >= y - 14 and mouse_y < y + card_h
    card("hand", code, x, y - (fits and 14 or 0) - (hover and 4 or 0), fits and hover, client:my_turn() and not fits)
  end
end

local function status(client, w, h)
  local text, c = "", colour.text
  local v = client.view
  if client.state == "connecting" then text = client.problem and "connecting again: " .. client.problem or "connecting…"
  elseif client.state == "gone" then text, c = "gone: " .. (client.problem or ""), colour.red
  elseif client.state == "lobby" or client.state == "waiting" then text = "waiting for others to sit down…"
  elseif client.state == "over" then
    text = v.winner == client.seat and "You win!" or player_name(client, v.winner) .. " wins"
    c = colour.gold
  elseif v.choosing and client:my_turn() then text, c = "Choose a suit", colour.gold
  elseif client:my_turn() then
    text, c = client.may_pass and "Your turn: play, or pass (P)" or "Your turn", colour.gold
  else text = player_name(client, v.turn) .. " is playing" end
  if client.notice ~= "" and client.state == "playing" then text, c = client.notice, colour.gold end
  local y = h - card_h - 92
  local width = math.min(w - 4 * pad, font.text:getWidth(text) + 40)
  set(colour.panel, 0.62)
  love.graphics.rectangle("fill", (w - width) / 2, y - 6, width, 30, 15, 15)
  label("status", text, font.text, c, (w - width) / 2 + 10, y, width - 20, "center")
  label("score", client.name .. ": " .. client.wins .. " of " .. client.games .. (client.games == 1 and " game" or " games"), font.small,
    colour.faint, w / 2 - 150, h - 36, 300, "center")
end

local function chooser(w, h)
  local y = h / 2 + card_h / 2 - 22
  set(colour.panel, 0.9)
  love.graphics.rectangle("fill", w / 2 - 138, y - 8, 276, 64, 14, 14)
  for s = 0, 3 do
    local x = w / 2 - 130 + s * 66
    set(colour.paper)
    love.graphics.rectangle("fill", x, y, 60, 48, 8, 8)
    suit(s, x + 30, y + 24, 30)
    note("choose", x, y, 60, 48, {suit = s})
  end
end

local function chat(client, typed, x, h)
  set(colour.panel)
  love.graphics.rectangle("fill", x, 0, chat_w, h)
  set(colour.rail_light, 0.8)
  love.graphics.rectangle("fill", x, 0, 2, h)
  note("chat", x, 0, chat_w, h)
  label("chat title", "Chat", font.large, colour.text, x + pad, 12, 100)
  label("table", client.table and "table " .. client.table or "", font.small, colour.faint, x + chat_w - 130, 20, 130 - pad, "right")
  local bottom, inner = h - 60, chat_w - 2 * pad
  local y = bottom
  for i = #client.lines, 1, -1 do
    local line = client.lines[i]
    local _, wrapped = font.text:getWrap(line.text, inner - 20)
    local tall = #wrapped * 19 + 30
    y = y - tall - 6
    if y < 50 then break end
    local own = line.name == client.name
    local sum = 0
    for k = 1, #line.name do sum = sum + line.name:byte(k) end
    set(own and {0.16, 0.27, 0.24} or colour.panel_light)
    love.graphics.rectangle("fill", x + pad, y, inner, tall, 8, 8)
    note("bubble", x + pad, y, inner, tall)
    label("chat name", line.name, font.small, own and colour.gold or people[sum % #people + 1], x + pad + 10, y + 5, inner - 20)
    for k, part in ipairs(wrapped) do
      label("chat line", part:gsub("%s+$", ""), font.text, colour.text, x + pad + 10, y + 22 + (k - 1) * 19, inner - 20)
    end
  end
  set(colour.panel_light)
  love.graphics.rectangle("fill", x + pad, h - 50, inner, 34, 8, 8)
  set(colour.gold, typed ~= "" and 0.9 or 0.35)
  love.graphics.setLineWidth(1.5)
  love.graphics.rectangle("line", x + pad, h - 50, inner, 34, 8, 8)
  -- The end of what is typed stays in sight.
  local shown = typed
  local utf8 = require("utf8")
  while font.text:getWidth(shown .. "|") > inner - 20 do shown = shown:sub(utf8.offset(shown, 2)) end
  label("typed", typed == "" and "say something…" or shown .. "|", font.text, typed == "" and colour.faint or colour.text,
    x + pad + 10, h - 42, inner - 20)
end

function view.draw(client, typed, mouse_x, mouse_y)
  view.drawn = {}
  local width, h = love.graphics.getDimensions()
  local w = width - chat_w
  background(w, h)
  if client.view then
    opponents(client, w)
    pile(client, w, h)
    hand(client, w, h, mouse_x, mouse_y)
    if client:my_turn() and client.view.choosing then chooser(w, h) end
  else
    label("title", "Crazy eights", font.huge, colour.gold, 0, h / 2 - 70, w, "center")
  end
  status(client, w, h)
  chat(client, typed, w, h)
end

-- The last that was drawn there.
function view.at(x, y, kinds)
  for i = #view.drawn, 1, -1 do
    local d = view.drawn[i]
    if kinds[d.kind] and x >= d.x and x < d.x + d.w and y >= d.y and y < d.y + d.h then return d end
  end
end

-- Texts that do not fit into their boxes, or boxes that leave the window.
function view.overflows()
  local width, height = love.graphics.getDimensions()
  local found = {}
  for _, d in ipairs(view.drawn) do
    local wide = d.text and (d.text_w > d.w + 0.5 or d.text_x + d.text_w > d.x + d.w + 0.5)
    if wide or d.x < 0 or d.y < 0 or d.x + d.w > width or d.y + d.h > height then
      found[#found + 1] = d.kind .. ": " .. (d.text or "") .. " at " .. d.x .. "," .. d.y .. " " .. d.w .. "x" .. d.h
    end
  end
  return found
end

return view

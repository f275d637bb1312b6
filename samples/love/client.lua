-- The player's side of the lobby's gate (proto/lobby/v1/link.proto), on a link of the C interface, which connects and logs in again
-- whenever the connection breaks. No LÖVE in here.
--
-- `update` once a frame: pumps weft for at most 2 ms and takes what came. The rest is state, which the view draws, and
-- commands, which are answered some frames later.
local ffi = require("ffi")
local json = require("cjson")

local client = {}
client.__index = client

client.pump_budget_us = 2000
client.pump_events = 1000
client.most_lines = 100
client.take_name_again = 1  -- seconds, after which the gate has noticed that its old connection is dead

-- Commands of one lane follow each other: a slow chat delays no card.
local lanes = {game = 1, chat = 2}

local function sized(kind, members)
  local made = ffi.new(kind)
  made.size = ffi.sizeof(kind)
  for name, value in pairs(members) do made[name] = value end
  return made
end

function client.new(C, options)
  local self = setmetatable({
    C = C, name = options.name, seats = options.seats,
    state = "connecting",  -- "lobby", "waiting", "playing", "over", "gone"
    problem = nil,         -- why it is gone, or not connected
    connections = 0,       -- how often it connected
    notice = "",           -- what the gate last refused
    hand = {}, view = nil, table = nil, seat = 0, names = {}, may_draw = false, may_pass = false, sure = false,
    lines = {}, games = 0, wins = 0, moves = 0, asked = {}, hand_as_of = -1,
    pump_ms = 0, worst_pump_ms = 0,
  }, client)
  local handle = ffi.new("weft_handle[1]")
  self:check(C.weft_runtime_create(nil, handle))
  self.runtime = handle[0]
  self:check(C.weft_types_load(self.runtime, options.descriptors))
  self.address = options.address
  self.event = sized("weft_event", {})
  self.call, self.call_options = handle, sized("weft_call_options", {})
  self:open()
  return self
end

function client:open()
  local login = json.encode({login = {name = self.name}})
  local options = sized("weft_link_options", {
    sent_type = "lobby.v1.ClientMessage", received_type = "lobby.v1.ServerMessage", greeting = login, greeting_size = #login,
  })
  local handle = ffi.new("weft_handle[1]")
  self:check(self.C.weft_link_open(self.runtime, self.address, options, handle))
  self.link, self.open_again = handle[0], nil
end

function client:check(code)
  if code ~= self.C.WEFT_OK then
    error(ffi.string(self.C.weft_code_name(code)) .. ": " .. ffi.string(self.C.weft_last_error()), 2)
  end
end

function client:close() self.C.weft_runtime_destroy(self.runtime) end

function client:send(message, lane, then_)
  if self.state == "connecting" or self.state == "gone" then return end
  local text = json.encode(message)
  self.call_options.key = lane
  self:check(self.C.weft_link_ask(self.link, text, #text, self.call_options, self.call))
  self.asked[tonumber(self.call[0])] = then_
end

-- What answers a command: the gate's message, or {code, error}.
function client:answered(event)
  local call = tonumber(event.about)
  local then_ = self.asked[call]
  self.asked[call] = nil
  if not then_ then return end
  if event.code == self.C.WEFT_OK then then_(json.decode(ffi.string(event.data, event.data_size)))
  else then_({code = event.code, error = ffi.string(event.text)}) end
end

function client:update(clock)
  local began = clock()
  self.now = began
  if self.open_again and began > self.open_again then self:open() end
  self:check(self.C.weft_pump(self.runtime, self.pump_budget_us, self.pump_events, nil))
  self.pump_ms = (clock() - began) * 1000
  self.worst_pump_ms = math.max(self.worst_pump_ms, self.pump_ms)
  local event, C = self.event, self.C
  while true do
    self:check(C.weft_poll(self.runtime, event))
    if event.type == C.WEFT_EVENT_NONE then return end
    if event.type == C.WEFT_EVENT_LINK_OPEN then
      self.state, self.problem, self.connections = "lobby", nil, self.connections + 1
      self:join()
    elseif event.type == C.WEFT_EVENT_LINK_LOST then
      self.state, self.problem = "connecting", ffi.string(event.text)
    elseif event.type == C.WEFT_EVENT_STREAM_MESSAGE then
      self:hear(json.decode(ffi.string(event.data, event.data_size)))
    elseif event.type == C.WEFT_EVENT_REPLY then
      self:answered(event)
    elseif event.type == C.WEFT_EVENT_STREAM_END then
      self:ended(event.code, ffi.string(event.text))
    end
  end
end

-- The name may still be held by this player's own connection that broke.
function client:ended(code, text)
  if code == self.C.WEFT_ALREADY_EXISTS and self.connections > 0 then
    self.state, self.open_again = "connecting", self.now + self.take_name_again
  else
    self.state, self.problem = "gone", text
  end
end

-- In protobuf's JSON what is zero is not there, and 64-bit numbers are strings.
local function plain(view)
  local held = {}
  for i, count in ipairs(view.cardsHeld or {}) do held[i] = count end
  return {
    table = view.table, moves = tonumber(view.moves or 0), top = view.top or 0, match = view.match or 0, turn = view.turn or 0,
    choosing = view.choosing or false, over = view.over or false, winner = view.winner or 0, held = held,
  }
end

function client:join()
  self.state, self.view, self.hand, self.table, self.hand_as_of = "waiting", nil, {}, nil, -1
  self.lines = {}
  self:send({join = {seats = self.seats}}, lanes.game, function(answer)
    if answer.code then
      self.notice = answer.error
      return
    end
    self.table, self.seat = answer.join.table, answer.join.seat or 0
    local early = self.early
    self.early = nil
    if early and early.table == self.table then self:see(early) end
  end)
end

function client:leave()
  self:send({leave = {}}, lanes.game, function(answer)
    if not answer.code then self:join() end
  end)
  self.state = "waiting"
end

function client:hear(message)
  if message.table then
    local view = plain(message.table.view)
    if self.table == nil then self.early = view  -- it overtook the answer to join
    elseif view.table == self.table then self:see(view) end
  elseif message.chat then
    self.lines[#self.lines + 1] = {name = message.chat.name, text = message.chat.text}
    if #self.lines > self.most_lines then table.remove(self.lines, 1) end
  elseif message.closed and message.closed.table == self.table then
    self:join()
  end
end

-- What everybody at the table sees. One's own hand has to be asked for when it may have changed.
function client:see(view)
  if self.state == "over" then return end
  if self.view and view.moves < self.view.moves then return end
  if not self.view then
    self.state = "playing"
    self:send({list = {}}, lanes.game, function(answer)
      for _, t in ipairs(answer.list and answer.list.tables or {}) do
        if t.table == self.table then self.names = t.players end
      end
    end)
  end
  self.view = view
  self.sure = false
  if view.over then
    self.state = "over"
    self.games = self.games + 1
    if view.winner == self.seat then self.wins = self.wins + 1 end
  else
    self:command({look = true})
  end
end

function client:my_turn() return self.state == "playing" and self.view.turn == self.seat end

-- Whether the rules let a card be played now.
function client:fits(card)
  if not self:my_turn() or self.view.choosing then return false end
  return card % 13 == 7 or math.floor(card / 13) == self.view.match or card % 13 == self.view.top % 13
end

function client:command(command)
  if self.state ~= "playing" then return end
  local at = self.table
  self:send({card = command}, lanes.game, function(answer)
    if at ~= self.table or self.state ~= "playing" then return end
    if answer.code then
      self.notice = answer.error
      return
    end
    local reply = answer.card
    local view = plain(reply.view or {})
    if view.moves >= self.hand_as_of then
      self.hand, self.hand_as_of = reply.hand or {}, view.moves
      table.sort(self.hand)
      self.may_draw, self.may_pass = reply.mayDraw or false, reply.mayPass or false
      self.sure = view.moves >= self.view.moves
    end
    self.notice = reply.refusal or ""
    if not command.look and not reply.refusal then self.moves = self.moves + 1 end
  end)
end

function client:play(card) self:command({play = card}) end
function client:choose(suit) self:command({choose = suit}) end
function client:draw() self:command({draw = true}) end
function client:pass() self:command({pass = true}) end
function client:say(text)
  self:send({say = {text = text}}, lanes.chat, function(answer)
    if answer.code then self.notice = answer.error end
  end)
end

return client
